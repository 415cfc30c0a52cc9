"""Boards that look the same rotate_detection: the robot's motion tells which way up they are."""

from __future__ import annotations

import numpy as np
import pytest

from posebot.robots.hand_eye import calibrate_hand_eye
from posebot.robots.target_detection import Detection, rotate_detection
from posebot.robots.target_symmetry import resolve_target_symmetry
from posebot.robots.targets import parse_target
from posebot.robots.views import view_from_pixels
from tests.robots.synthetic_robot import CAMERA, make_robot


@pytest.mark.parametrize(("spec", "turns"), [("chessboard:6x4:35mm", 2), ("circles:5x5:30mm", 4)])
def test_settled_by_the_robots_motion(spec: str, turns: int) -> None:
    target = parse_target(spec)
    robot = make_robot(count=9, seed=3, target=target, arm_mm=0.2, arm_deg=0.02)
    random, size = np.random.default_rng(1), (640, 480)
    upright = [Detection(view.name, np.arange(len(view.points)), view.points, view.seen, size, turns)
               for view in robot.views]
    detections = [rotate_detection(detection, target, int(random.integers(turns))) for detection in upright]
    poses = [view.base_from_gripper for view in robot.views]
    settled = resolve_target_symmetry(detections, poses, target, CAMERA)
    views = [view_from_pixels(entry.name, pose, entry.points, entry.pixels, CAMERA)
             for entry, pose in zip(settled, poses)]
    result = calibrate_hand_eye(views, robot.mode, CAMERA)
    assert all(pair.used and pair.residual < 3 for pair in result.pairs)
    assert np.linalg.norm((result.mount_from_cam - robot.mount_from_cam)[:3, 3]) < 2e-3
