"""Intrinsics of a synthetic camera: recovered, with bad images left out and poor sets warned of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posebot.core.errors import InputError
from posebot.robots.calibration_files import camera_to_dict, write_yaml
from posebot.robots.camera_calibration import calibrate_camera
from posebot.robots.target_detection import Detection
from posebot.video.intrinsics import load_intrinsics
from tests.robots.synthetic_robot import BOARD, CAMERA, look_at_board, pixels_of


def shots(count: int = 14, seed: int = 0, tilt: float = 0.6, noise: float = 0.1) -> list[Detection]:
    """Images of BOARD all over the image."""
    random, found = np.random.default_rng(seed), []
    points = BOARD.points()
    for i in range(count):
        pose = look_at_board(random, tilt, (0.25, 0.4))
        pose[:2, 3] += random.uniform(-0.06, 0.06, 2)
        pixels = pixels_of(points, pose) + random.normal(0, noise, (len(points), 2))
        found.append(Detection(f"{i}.png", np.arange(len(points)), points, pixels, (640, 480)))
    return found


def test_recovers_the_camera_and_infer_reads_the_file(tmp_path: Path) -> None:
    found = calibrate_camera(shots())
    for row, column in ((0, 0), (1, 1), (0, 2), (1, 2)):
        assert found.camera.K[row, column] == pytest.approx(CAMERA.K[row, column], abs=4)
    assert found.camera.distortion.shape == (4,)
    assert 0.05 < found.error < 0.2
    assert not found.warnings
    write_yaml(tmp_path / "camera.yaml", camera_to_dict(found, "made"))
    read = load_intrinsics(tmp_path / "camera.yaml").camera
    np.testing.assert_allclose(read.K, found.camera.K)
    np.testing.assert_allclose(read.distortion, found.camera.distortion)


@pytest.mark.parametrize(("lens", "count"), [("none", 0), ("radtan5", 5), ("rational", 8)])
def test_lenses(lens: str, count: int) -> None:
    assert calibrate_camera(shots(8), lens).camera.distortion.size == count


def test_a_bad_picture_is_left_out_and_named() -> None:
    images = shots()
    shifted = images[4].pixels.copy()
    shifted[::2] += 4
    images[4] = replace(images[4], pixels=shifted)
    found = calibrate_camera(images)
    assert [entry.name for entry in found.images if not entry.used] == ["4.png"]
    assert "outliers, left out: 4.png" in found.warnings[0]
    assert next(entry for entry in found.images if entry.name == "4.png").error > 1
    assert all(entry.used for entry in calibrate_camera(images, reject_outliers=False).images)


def test_poor_sets_are_warned_of() -> None:
    frontal = " ".join(calibrate_camera(shots(5, tilt=0.02)).warnings)
    assert "only 5 images" in frontal
    assert "nearly frontal" in frontal
    small = [replace(entry, pixels=entry.pixels * 0.3 + 200) for entry in shots()]
    assert "of the image:" in " ".join(calibrate_camera(small).warnings)


def test_refused() -> None:
    with pytest.raises(InputError, match="2 images"):
        calibrate_camera(shots(2))
    with pytest.raises(InputError, match="2 sizes"):
        calibrate_camera([*shots(4), replace(shots(1)[0], size=(320, 240))])
    tags = [replace(entry, ids=entry.ids[:4], points=entry.points[:4], pixels=entry.pixels[:4]) for entry in shots(4)]
    with pytest.raises(InputError, match="a single tag has too few points"):
        calibrate_camera(tags)
