"""A wrong `depth_scale` is told from the depths alone, or from the sizes of what was found."""

from __future__ import annotations

import numpy as np
import pytest

from posebot.core.camera import Camera
from posebot.core.objects import Mesh, ObjectModel
from posebot.core.results import FrameResult, PoseEstimate
from posebot.video.depth_check import DepthCheck, depth_ratio, likely_scale

CAMERA = Camera(np.array([[600.0, 0, 319.5], [0, 600, 239.5], [0, 0, 1]]), 640, 480)
BOX = np.array([300.0, 220, 345, 250])  # 45 pixels long


def part(diameter: float) -> ObjectModel:
    corners = np.array([[0, 0, 0], [diameter, 0, 0], [0, diameter / 2, 0]])
    return ObjectModel(1, "part", Mesh(corners, np.array([[0, 1, 2]])), diameter, np.zeros(3),
                       np.array([diameter, diameter / 2, 0]))


def seen(count: int = 1) -> FrameResult:
    estimates = tuple(PoseEstimate("part", 1, 0.9, BOX) for _ in range(count))
    return FrameResult("photos/1", 0.0, CAMERA, estimates)


def flat(metres: float) -> np.ndarray:
    return np.full((480, 640), metres, np.float32)


def test_the_ratio_is_one_where_box_and_depth_agree() -> None:
    """A part of 60 mm, three quarters of whose diameter span 45 pixels at f = 600, is 0.6 m away."""
    assert depth_ratio(flat(0.6), BOX, 0.06, CAMERA) == pytest.approx(1)
    assert depth_ratio(flat(6.0), BOX, 0.06, CAMERA) == pytest.approx(10)
    assert depth_ratio(flat(0.0), BOX, 0.06, CAMERA) is None
    assert depth_ratio(flat(1.0), np.array([5.0, 5, 5, 5]), 0.06, CAMERA) is None


@pytest.mark.parametrize(("scale", "factor", "likely"), [
    (1.0, 10, 0.1), (0.1, 0.1, 1.0), (1.0, 25, 0.1), (1.0, 4, 0.1), (1000.0, 1000, 1.0), (0.001, 0.001, 1.0),
    (0.1, 10, 0.01)])
def test_the_likely_scale(scale: float, factor: float, likely: float) -> None:
    assert likely_scale(scale, factor) == pytest.approx(likely)


def test_a_right_scale_is_not_doubted() -> None:
    check = DepthCheck([part(0.06)], 1.0, "camera.json")
    assert check.add(flat(0.6), seen(4)) == check.add(None, seen()) == check.add(flat(0.0), seen()) == ""
    assert check.close() == ""


def test_depths_that_no_camera_measures_are_told_at_once_and_once() -> None:
    check = DepthCheck([part(0.06)], 1000.0, "camera.json")
    assert check.add(flat(600.0), seen()) == (
        "camera.json: depth_scale 1000 looks wrong: the median depth of photos/1 is 600 m; probably 1 "
        "(millimetres per unit of the depth images)")
    assert check.add(flat(600.0), seen()) == check.close() == ""


def test_images_of_posebot_read_with_the_scale_of_most_cameras() -> None:
    """6 m is a possible distance, but not for a part of 60 mm that is 45 pixels long."""
    check = DepthCheck([part(0.06)], 1.0, "camera.json")
    assert check.add(flat(6.0), seen()) == ""
    assert check.close() == (
        "camera.json: depth_scale 1 looks wrong: depths are 10 times what the sizes of the found objects suggest; "
        "probably 0.1 (millimetres per unit of the depth images)")
    few = DepthCheck([part(0.06)], 0.1, "camera.json")
    assert "depths are 0.1 times" in (line := few.add(flat(0.06), seen(3))) and "probably 1 (" in line
