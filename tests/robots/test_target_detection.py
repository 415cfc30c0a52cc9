"""Targets are found in made images, every point in its place, however the board is rotate_detection."""

from __future__ import annotations

import numpy as np
import pytest

from posebot.core.errors import InputError
from posebot.core.transforms import make, rotation_from_vector
from posebot.robots.target_detection import make_target_detector, rotate_detection
from posebot.robots.targets import parse_target
from tests.robots.synthetic_robot import CAMERA, photograph, pixels_of

STRAIGHT = CAMERA.undistorted()
SPECS = ["charuco:7x5:30mm:22mm:DICT_4X4_50", "charuco:6x4:30mm:22mm:DICT_5X5_50:legacy", "chessboard:7x4:30mm",
         "apriltag:36h11:100mm:id3", "aruco:DICT_4X4_50:100mm:id3", "markers:4x3:40mm:12mm:DICT_4X4_50",
         "circles:7x5:30mm", "circles:5x5:30mm", "acircles:4x7:20mm"]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("roll", [0.0, 1.4, 3.1, -1.7])
def test_every_point_is_found_in_its_place(spec: str, roll: float) -> None:
    target = parse_target(spec)
    turn = rotation_from_vector([0.25, -0.2, 0]) @ rotation_from_vector([0, 0, roll])
    points = target.points()
    pose = make(turn, np.array([0.01, -0.01, 0.45]) - turn @ ((points.min(axis=0) + points.max(axis=0)) / 2))
    found = make_target_detector(target)(photograph(target, pose, STRAIGHT), "made")
    assert found is not None
    assert found.rotations == 1
    assert len(found.ids) == len(points)
    errors = np.linalg.norm(found.pixels - pixels_of(found.points, pose, STRAIGHT), axis=1)
    assert np.sqrt((errors**2).mean()) < 0.25


def test_ambiguous_board_is_right_after_one_of_its_turns() -> None:
    target = parse_target("chessboard:6x4:30mm")
    pose = make(rotation_from_vector([0.2, 0, 3.0]), [0.05, 0.03, 0.5])
    found = make_target_detector(target)(photograph(target, pose, STRAIGHT), "made")
    assert found is not None
    assert found.rotations == 2
    seen = pixels_of(found.points, pose, STRAIGHT)
    errors = [np.abs(rotate_detection(found, target, turn).pixels - seen).max() for turn in range(2)]
    assert min(errors) < 1 < max(errors)


def test_nothing_there() -> None:
    for spec in SPECS:
        assert make_target_detector(parse_target(spec))(np.full((120, 160), 128, np.uint8), "grey") is None


def test_several_tags_need_an_id() -> None:
    grid = parse_target("markers:4x3:40mm:12mm:DICT_4X4_50")
    image = photograph(grid, make(None, [-0.1, -0.08, 0.45]), STRAIGHT)
    with pytest.raises(InputError, match="name one in"):
        make_target_detector(parse_target("aruco:DICT_4X4_50:40mm"))(image, "many")
    found = make_target_detector(parse_target("aruco:DICT_4X4_50:40mm:id5"))(image, "many")
    assert found is not None
    assert len(found.ids) == 4
