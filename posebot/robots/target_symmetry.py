"""Targets that look the same after a rotation: resolving the ambiguity by the motion of the robot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posebot.core.camera import Camera
from posebot.core.transforms import Array, rotation_angle
from posebot.robots.target_detection import Detection, rotate_detection
from posebot.robots.targets import Target
from posebot.robots.views import planar_target_pose


def resolve_target_symmetry(detections: Sequence[Detection], poses: Sequence[Array], target: Target,
                 camera: Camera) -> list[Detection]:
    """Detections rotated so that the target rotates between images as much as the robot.

    The rotation angle between two images is the same for robot and target, for any hand-eye pose. The first image
    defines the frame of the target. `poses`: base_from_gripper (4x4).
    """
    resolved: list[tuple[Detection, Array, Array]] = []
    for detection, pose in zip(detections, poses):
        candidates = []
        for turn in range(detection.rotations if resolved else 1):
            candidate = rotate_detection(detection, target, turn) if turn else detection
            seen = planar_target_pose(candidate.points, candidate.pixels, camera)
            if seen is not None:
                candidates.append((candidate, pose, seen))
        if candidates:
            resolved.append(min(candidates, key=lambda entry: _mismatch(entry, resolved)))
        else:
            resolved.append((detection, pose, np.eye(4)))
    return [detection for detection, _, _ in resolved]


def _mismatch(candidate: tuple[Detection, Array, Array], resolved: list[tuple[Detection, Array, Array]]) -> float:
    """Sum of the differences between robot and target rotation angles to the resolved images, radians."""
    total = 0.0
    for _, pose, seen in resolved:
        robot_angle = rotation_angle(candidate[1][:3, :3].T, pose[:3, :3].T)
        total += abs(float(robot_angle - rotation_angle(candidate[2][:3, :3], seen[:3, :3])))
    return total
