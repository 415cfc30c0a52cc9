"""One more object for a bundle: numbers and names, budgets, what is rendered and how often it is seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posebot.cli.main import run
from posebot.core.errors import InputError
from posebot.core.objects import ObjectModel
from posebot.models.bundle import Bundle
from posebot.objects.bop_models import make_object, save_objects
from posebot.synth.assets import AssetLibrary
from posebot.synth.config import SynthConfig
from posebot.synth.scene_sampler import SceneSampler
from posebot.training.config import DetectorConfig, LocalizerConfig, TrainConfig
from posebot.training.extend import LR, SHARE, Extension, extension_settings, joined, next_version
from posebot.training.localizer import class_shares
from tests.video.plumbing import brick


def objects(*names: str, first: int = 1) -> dict[int, ObjectModel]:
    return {number: make_object(number, name, brick()) for number, name in enumerate(names, first)}


def extension(tmp_path: Path, *names: str, first: int = 1, only: str = "") -> Extension:
    if names:
        save_objects(tmp_path / "new", objects(*names, first=first))
    return Extension(tmp_path / "bundle", tmp_path / "out", tmp_path / "new" if names else None, only)


def test_new_objects_join_the_old_ones(tmp_path: Path) -> None:
    told: list[str] = []
    found, focus = joined(objects("a", "b"), extension(tmp_path, "c", "d", first=2), told.append)
    assert {number: model.label for number, model in found.items()} == {1: "a", 2: "b", 3: "c", 4: "d"}
    assert all(model.obj_id == number for number, model in found.items())
    assert [found[number].label for number in focus] == ["c", "d"]
    assert "c becomes number 3: 2 is b" in told[0]


def test_an_object_again(tmp_path: Path) -> None:
    found, focus = joined(objects("a", "b"), extension(tmp_path, only="b"), print)
    assert list(found) == [1, 2] and focus == [2]


@pytest.mark.parametrize(("names", "only", "problem"), [
    (("a",), "", "'a' is in the bundle already"), ((), "z", "'z' is not in"), ((), "", "names no object")])
def test_bad_names(names: tuple[str, ...], only: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=problem):
        joined(objects("a", "b"), extension(tmp_path, *names, only=only), print)


def test_a_quarter_of_the_parents_training_and_its_sizes() -> None:
    kit = Bundle.open("kit").manifest
    settings = extension_settings(TrainConfig(), kit, lambda name: False)
    trained = kit.provenance["trained"]
    assert settings.localizer.crops == round(SHARE * trained["localizer"]["samples"])
    assert settings.detector.pictures == round(SHARE * trained["detector"]["samples"])
    assert settings.detector.input_size == kit.detector.input_size
    assert settings.licence == kit.licence and settings.version == next_version(kit.version)
    own = replace(TrainConfig(), detector=DetectorConfig(pictures=77))
    assert extension_settings(own, kit, lambda name: name == "detector").detector.pictures == 77


def test_how_the_parent_was_trained_is_kept_where_nothing_else_is_asked_for() -> None:
    kit = Bundle.open("kit").manifest
    made = {"detector": {"width": 32, "lr": 0.1}, "localizer": {"turn": 0.6, "jitter": 0.3, "bins": 8, "lr": 0.1}}
    parent = replace(kit, provenance={**kit.provenance, "settings": made})
    asked = replace(TrainConfig(), localizer=LocalizerConfig(box_jitter=0.2))
    settings = extension_settings(TrainConfig(), parent, lambda name: False)
    assert settings.localizer.box_jitter == 0.3, "recorded as jitter, once"
    settings = extension_settings(asked, parent, lambda name: False)
    assert (settings.localizer.turn, settings.localizer.box_jitter, settings.localizer.bins) == (0.6, 0.2, 8)
    assert settings.detector.width == 32 and settings.detector.lr == settings.localizer.lr == LR


@pytest.mark.parametrize(("version", "after"), [("0.2.0", "0.3.0"), ("1.9", "1.10"), ("draft", "draft.1")])
def test_the_next_version(version: str, after: str) -> None:
    assert next_version(version) == after


def test_half_of_the_crops_are_of_what_is_new() -> None:
    shares = class_shares(np.arange(5), (3,))
    assert shares[3] == 0.5 and shares.sum() == pytest.approx(1) and np.ptp(np.delete(shares, 3)) == 0
    assert np.allclose(class_shares(np.arange(5), ()), 0.2)
    assert np.allclose(class_shares(np.arange(2), (0, 1)), 0.5)


def test_what_is_in_focus_is_in_every_scene(tmp_path: Path) -> None:
    found = objects(*"abcdefghijkl")
    save_objects(tmp_path / "models", found)
    config = SynthConfig(tmp_path / "models", 12, tmp_path / "out", required_objects=(7, 11))
    composer = SceneSampler(config, AssetLibrary(found))
    rng = np.random.default_rng(0)
    for _ in range(30):
        numbers = [item.obj_id for item in composer._targets(rng)]
        assert {7, 11} <= set(numbers) and 4 <= len(numbers) <= 8


def test_bad_input_is_told_before_anything_is_rendered(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    save_objects(tmp_path / "new", objects("can"))
    assert run(["train", "--out", str(tmp_path / "out"), "--add", str(tmp_path / "new")]) == 2
    assert "--from BUNDLE" in capfd.readouterr().err
    assert run(["train", "--out", str(tmp_path / "out"), "--from", "kit", "--add", str(tmp_path / "new"), "--runs",
                str(tmp_path / "runs")]) == 2
    assert "'can' is in the bundle already" in capfd.readouterr().err
    assert run(["train", "--out", str(tmp_path / "out")]) == 2
    assert "--dataset" in capfd.readouterr().err
