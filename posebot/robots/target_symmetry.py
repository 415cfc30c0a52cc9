"""Targets that look the same rotate_detection by a half or a quarter: which way up each image shows them."""

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
    """Detections rotate_detection so that the target turns between images by as much as the robot did.

    The turn between two images has the same angle for the robot and the target, whatever the hand-eye pose is. The
    first image is taken as it is; which way up it shows the target is no matter. `poses`: base_from_gripper (4x4).
    """
    settled: list[tuple[Detection, Array, Array]] = []
    for detection, pose in zip(detections, poses):
        candidates = []
        for turn in range(detection.turns if settled else 1):
            candidate = rotate_detection(detection, target, turn) if turn else detection
            seen = planar_target_pose(candidate.points, candidate.pixels, camera)
            if seen is not None:
                candidates.append((candidate, pose, seen))
        if candidates:
            settled.append(min(candidates, key=lambda entry: _mismatch(entry, settled)))
        else:
            settled.append((detection, pose, np.eye(4)))
    return [detection for detection, _, _ in settled]


def _mismatch(candidate: tuple[Detection, Array, Array], settled: list[tuple[Detection, Array, Array]]) -> float:
    """Sum over the images settled before of the difference between the robot's and the target's turn, radians."""
    total = 0.0
    for _, pose, seen in settled:
        by_robot = rotation_angle(candidate[1][:3, :3].T, pose[:3, :3].T)
        total += abs(float(by_robot - rotation_angle(candidate[2][:3, :3], seen[:3, :3])))
    return total
