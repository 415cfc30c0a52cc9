"""tools/gap.py: the variants of an image, what is measured in them, and the table."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from posebot.core.errors import InputError
from posebot.core.transforms import apply, make, rotation_from_vector
from posebot.datasets.bop import Annotation, BopDataset
from posebot.objects.bop_models import make_object
from posebot.stages.detect import Detection
from posebot.stages.localize import Localization
from posebot.synth.assets import AssetLibrary
from posebot.synth.opengl import OpenGLContext
from tests.training.scenes import SIZES, box_mesh, write_scenes


@pytest.fixture
def opengl() -> None:
    try:
        OpenGLContext(AssetLibrary({}))
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture
def images() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A photograph, a rendering, the object's mask, another image."""
    rng = np.random.default_rng(0)
    photo, rendering, other = (np.clip(rng.normal(mean, 12, (60, 80, 3)), 0, 255).astype(np.uint8)
                             for mean in (120, 170, 60))
    mask = np.zeros((60, 80), bool)
    mask[20:40, 30:60] = True
    return photo, rendering, mask, other


def test_each_variant_changes_what_it_says(tool: ModuleType, images: Any) -> None:
    photo, rendering, mask, other = images
    variants = tool.variants(photo, rendering, mask, other)
    assert tuple(variants) == tool.KINDS
    inside, outside = (slice(24, 36), slice(34, 56)), (slice(0, 14), slice(0, 80))
    for kind, there, beside in (("as it is", photo, photo), ("dimmed", photo, photo * 0.7), ("drawn", rendering, photo),
                                ("cut out", photo, other)):
        assert np.abs(variants[kind][inside].astype(float) - there[inside]).max() <= 1
        assert np.abs(variants[kind][outside].astype(float) - beside[outside]).max() <= 1


def test_lightness_and_hues_change_apart(tool: ModuleType) -> None:
    photo, rendering, other = (np.full((60, 80, 3), tint, np.uint8)
                             for tint in ((120, 90, 90), (120, 140, 160), (9, 9, 9)))
    mask = np.zeros((60, 80), bool)
    mask[20:40, 30:60] = True
    variants = tool.variants(photo, rendering, mask, other)
    lab = {kind: cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[30, 45].astype(int) for kind, image in variants.items()}
    for kind, lightness, hues in (("tinted", "as it is", "drawn"), ("shaded", "drawn", "as it is")):
        assert lab[kind][0] == pytest.approx(lab[lightness][0], abs=2)
        assert lab[kind][1:] == pytest.approx(lab[hues][1:], abs=2)
    assert np.array_equal(variants["tinted"][:14], photo[:14])


def test_recoloured_pixels_have_the_others_mean_and_spread(tool: ModuleType, images: Any) -> None:
    photo, rendering, mask, _ = images
    changed = tool.recoloured(photo, rendering, mask)[mask].astype(float)
    assert changed.mean(axis=0) == pytest.approx(rendering[mask].mean(axis=0), abs=2)
    assert changed.std() == pytest.approx(rendering[mask].std(), rel=0.1)
    assert np.corrcoef(changed[:, 1], photo[mask][:, 1])[0, 1] > 0.9


def test_right_coordinates_have_no_error_and_shifted_ones_their_shift(tool: ModuleType) -> None:
    model = make_object(1, "box", box_mesh(SIZES[1]))
    model = replace(model, symmetries_discrete=())
    pose = make(rotation_from_vector([0.3, 0.2, 0.5]), [0.02, 0.0, 0.5])
    points = np.random.default_rng(0).uniform(model.box_min, model.box_min + model.extents, (16, 3))
    silhouette, maps = np.ones((4, 4), bool), np.ones((2, 4, 4), np.float32)
    for shift in (0.0, 0.1):
        predicted = model.normalise(points + np.array([shift * model.diameter, 0, 0])).T.reshape(3, 4, 4)
        crop = np.zeros((16, 16, 3), np.uint8)
        localization = Localization(Detection(0, 1.0, np.zeros(4)), crop, np.eye(3), 4, *maps, predicted, maps[0],
                                    np.zeros(3))
        truth = Annotation(0, 1, pose, None, np.zeros(4), 1.0)
        error = tool.coordinate_error(localization, truth, model, apply(pose, points), silhouette)
        assert error == pytest.approx(shift, abs=1e-6)


def test_it_prints_a_line_for_each_kind(tool: ModuleType, opengl: None, tiny_bundle: Path, tmp_path: Path,
                                        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_scenes(tmp_path / "data", scenes=1, images=2)
    dataset, out = BopDataset(data, "train"), tmp_path / "out"
    shown = [truth for key in list(dataset.keys()) for truth in dataset.annotations(key)]
    arguments = ["--bundle", str(tiny_bundle), "--dataset", str(data), "--split", "train", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["gap", *arguments])
    assert tool.main() == 0
    printed = capsys.readouterr().out
    assert all(f"\n{kind} " in printed for kind in tool.KINDS)
    assert len(list(out.glob("*.png"))) == len(tool.KINDS) * sum(truth.obj_id == 1 for truth in shown)
    monkeypatch.setattr(sys, "argv", ["gap", *arguments, "--visible", "1.1"])
    assert tool.main() == 2
    assert "lower --visible" in capsys.readouterr().err
