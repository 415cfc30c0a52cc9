"""Targets in the real images of the hand-eye sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from posebot.robots.target_detection import make_target_detector
from posebot.robots.targets import parse_target
from posebot.video.images import list_image_files, read_rgb


@pytest.mark.parametrize(("folder", "spec", "images", "points", "turns"), [
    ("visp_franka_eye_to_hand", "apriltag:36h11:48mm:id10", 8, 4, 1),
    ("ri_10x10/images", "circles:10x10:25.4mm", 15, 100, 1),
])
def test_found_in_every_image(handeye: Path, folder: str, spec: str, images: int, points: int, turns: int) -> None:
    find = make_target_detector(parse_target(spec))
    found = [find(read_rgb(path), path.name) for path in list_image_files(handeye / folder)]
    assert len(found) == images
    assert all(entry is not None and len(entry.ids) == points and entry.rotations == turns for entry in found)


@pytest.mark.parametrize(("name", "spec", "points"), [
    ("test_charuco_board_detection.jpg", "charuco:5x7:40mm:30mm:DICT_5X5_250", 20),
    ("test_aruco_marker_detection.png", "markers:3x4:20mm:4mm:DICT_4X4_250", 48),
])
def test_moveits_images(handeye: Path, name: str, spec: str, points: int) -> None:
    found = make_target_detector(parse_target(spec))(read_rgb(handeye / "moveit" / name), name)
    assert found is not None
    assert len(found.ids) >= points
