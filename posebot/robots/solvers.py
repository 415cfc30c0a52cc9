"""The closed-form hand-eye solvers of OpenCV, and a robust selection among them.

AX = XB on pairs of motions: Tsai and Lenz 1989, Park and Martin 1994, Horaud and Dornaika 1995, Andreff et al. 1999,
Daniilidis 1999. Robot-world and hand-eye together, AX = ZB: Shah 2013, Li et al. 2010.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from posebot.core.transforms import Array, inverse, make, orthonormal, rotation_angle
from posebot.robots.views import Mode, View, measured_target_poses, mount_from_fixture

HAND_EYE = ("tsai", "park", "horaud", "andreff", "daniilidis")
ROBOT_WORLD = ("shah", "li")
_SUBSETS, _SUBSET_SIZE = 60, 4
_METRES_PER_RADIAN = 0.5  # weight of an angle relative to a distance


@dataclass(frozen=True)
class HandEyeEstimate:
    """Result of a solver: `mount_from_cam` and `fixture_from_target` (4x4), see `robots.views`."""

    solver: str
    mount_from_cam: Array
    fixture_from_target: Array


def solve(views: Sequence[View], mode: Mode, solver: str) -> HandEyeEstimate | None:
    """Result of one solver from three or more views, or None if it has no solution (degenerate motion)."""
    import cv2

    links, poses = mount_from_fixture(views, mode), measured_target_poses(views)
    try:
        if solver in ROBOT_WORLD:
            method = getattr(cv2, f"CALIB_ROBOT_WORLD_HAND_EYE_{solver.upper()}")
            rotation, translation, rotation_cam, translation_cam = cv2.calibrateRobotWorldHandEye(
                *_split(poses), *_split(links), method=method)
            answer = HandEyeEstimate(solver, inverse(_join(rotation_cam, translation_cam)),
                                     inverse(_join(rotation, translation)))
        else:
            method = getattr(cv2, f"CALIB_HAND_EYE_{solver.upper()}")
            mount_from_cam = _join(*cv2.calibrateHandEye(*_split(inverse(links)), *_split(poses), method=method))
            answer = HandEyeEstimate(solver, mount_from_cam, mean_pose(inverse(links) @ mount_from_cam @ poses))
    except (cv2.error, np.linalg.LinAlgError):
        return None
    finite = np.isfinite(answer.mount_from_cam).all() and np.isfinite(answer.fixture_from_target).all()
    return answer if finite else None


def predicted_target_poses(estimate: HandEyeEstimate, links: Array) -> Array:
    """`cam_from_target` (N, 4, 4) predicted by an estimate for the robot poses `mount_from_fixture` (N, 4, 4)."""
    return inverse(estimate.mount_from_cam) @ links @ estimate.fixture_from_target


def disagreement(estimate: HandEyeEstimate, views: Sequence[View], mode: Mode) -> Array:
    """(N,) distance in metres between measured and predicted target poses; a radian counts as half a metre."""
    expected, seen = predicted_target_poses(estimate, mount_from_fixture(views, mode)), measured_target_poses(views)
    distance = np.linalg.norm(expected[:, :3, 3] - seen[:, :3, 3], axis=1)
    return np.hypot(distance, _METRES_PER_RADIAN * rotation_angle(expected[:, :3, :3], seen[:, :3, :3]))


def robust_initial_estimate(views: Sequence[View], mode: Mode, estimates: Sequence[HandEyeEstimate],
                            seed: int = 0) -> HandEyeEstimate | None:
    """The estimate with the least median disagreement: of all solvers, and of Park's on small random subsets (LMedS).

    Subsets without outliers (a wrong pairing, a flipped tag) are robust where solvers on all views fail.
    """
    random = np.random.default_rng(seed)
    candidates = list(estimates)
    for _ in range(_SUBSETS if len(views) > _SUBSET_SIZE else 0):
        chosen = random.choice(len(views), _SUBSET_SIZE, replace=False)
        answer = solve([views[i] for i in chosen], mode, "park")
        candidates += [answer] if answer is not None else []
    medians = [float(np.median(disagreement(estimate, views, mode))) for estimate in candidates]
    return candidates[int(np.argmin(medians))] if candidates else None


def mean_pose(poses: Array) -> Array:
    """The mean (4x4) of poses (N, 4, 4): mean position, and the rotation nearest to the mean matrix."""
    return make(orthonormal(poses[:, :3, :3].mean(axis=0)), poses[:, :3, 3].mean(axis=0))


def _split(poses: Array) -> tuple[list[Array], list[Array]]:
    return [pose[:3, :3] for pose in poses], [pose[:3, 3] for pose in poses]


def _join(rotation: Any, translation: Any) -> Array:
    return make(orthonormal(rotation), translation.ravel()) if np.isfinite(rotation).all() else np.full((4, 4), np.nan)
