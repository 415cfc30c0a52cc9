"""Targets by name: what is understood, what is refused, and where the points are."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from posebot.core.errors import InputError
from posebot.robots.targets import parse_target


@pytest.mark.parametrize(("text", "count", "turns"), [
    ("charuco:7x5:40mm:30mm:DICT_4X4_50", 24, 1), ("charuco:6x8:4cm:3cm:5x5_100:legacy", 35, 1),
    ("chessboard:9x6:25mm", 54, 1), ("chessboard:8x6:25mm", 48, 2), ("chessboard:7x7:25mm", 49, 4),
    ("apriltag:36h11:48mm", 4, 1), ("apriltag:tag36h11:48mm:id0", 4, 1), ("aruco:DICT_5X5_100:0.05m:7", 4, 1),
    ("markers:4x3:40mm:10mm:DICT_4X4_50", 48, 1), ("circles:10x8:1in", 80, 2), ("circles:10x10:25.4mm", 100, 4),
    ("acircles:4x11:20mm", 44, 1), ("acircles:4x10:20mm", 40, 2),
])
def test_points_and_symmetry(text: str, count: int, turns: int) -> None:
    target = parse_target(text)
    assert target.points().shape == (count, 3)
    assert target.rotations == turns


def test_points_are_opencvs() -> None:
    board = cv2.aruco.CharucoBoard((7, 5), 0.04, 0.03, cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50))
    charuco = parse_target("charuco:7x5:40mm:30mm:DICT_4X4_50")
    np.testing.assert_allclose(charuco.points(), board.getChessboardCorners(), atol=1e-7)
    grid = cv2.aruco.GridBoard((4, 3), 0.04, 0.01, cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50))
    markers = parse_target("markers:4x3:40mm:10mm:4X4_50")
    np.testing.assert_allclose(markers.points(), np.concatenate(grid.getObjPoints()), atol=1e-7)


@pytest.mark.parametrize(("text", "words"), [
    ("checker:9x6:25mm", "unknown target 'checker'"),
    ("chessboard:9x6", "chessboard:SIZE:SQUARE"),
    ("chessboard:9x6:25", "a number with its unit"),
    ("chessboard:9*6:25mm", "across x down"),
    ("chessboard:2x6:25mm", "at least 3x3"),
    ("charuco:7x5:30mm:40mm:4X4_50", "smaller markers"),
    ("charuco:7x5:40mm:30mm:4X4_51", "4X4_50"),
    ("apriltag:36h12:48mm", "36H11"),
    ("apriltag:36h11:48mm:first", "such as id0"),
    ("apriltag:36h11:..mm", "a number with its unit"),
    ("nowhere.yaml", "not readable"),
])
def test_refused_in_one_line(text: str, words: str) -> None:
    with pytest.raises(InputError) as error:
        parse_target(text)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "board.yaml"
    file.write_text("type: charuco\nsize: 7x5\nsquare: 40mm\nmarker: 30mm\ndictionary: DICT_4X4_50\n")
    assert parse_target(str(file)) == parse_target("charuco:7x5:40mm:30mm:DICT_4X4_50")
    file.write_text('target: "chessboard:9x6:25mm"\n')
    assert parse_target(str(file)) == parse_target("chessboard:9x6:25mm")
    file.write_text("type: charuco\nsize: 7x5\n")
    with pytest.raises(InputError, match="square, marker, dictionary missing"):
        parse_target(str(file))
