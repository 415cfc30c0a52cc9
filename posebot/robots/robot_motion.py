"""Diversity of the robot's motion for hand-eye calibration.

After Tsai and Lenz, "A new technique for ... hand/eye calibration", 1989: the error decreases with the rotation angle
between poses and with the angle between the rotation axes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from posebot.core.transforms import Array, rotation_angle, vector_from_rotation
from posebot.robots.views import View, measured_target_poses

_RECOMMENDED_VIEWS, _MIN_ROTATION_DEG, _MIN_SPREAD_DEG, _MAX_MISMATCH_DEG = 8, 20.0, 15.0, 2.0
_MIN_AXIS_ROTATION_DEG = 3.0  # axes of smaller rotations are noise


@dataclass(frozen=True)
class RobotMotion:
    """Motion of the robot between the views.

    Attributes:
        views: number of views. rotation_deg: largest rotation between two views.
        axis_spread_deg: spread of the rotation axes: 0 = all parallel, 55 = uniformly distributed.
        mismatch_deg: median difference between the rotation angles of robot and target between two views. They are
            equal for any hand-eye pose, so this checks the data alone.
    """

    views: int
    rotation_deg: float
    axis_spread_deg: float
    mismatch_deg: float

    def warnings(self) -> Iterator[str]:
        """Problems, each with a remedy."""
        if self.views < _RECOMMENDED_VIEWS:
            yield f"only {self.views} views: take {_RECOMMENDED_VIEWS} or more, 15 are recommended"
        if self.rotation_deg < _MIN_ROTATION_DEG:
            yield (f"degenerate motions: the largest gripper rotation is {self.rotation_deg:.1f} degrees; "
                   "tilt it by 30 or more between views")
        elif self.axis_spread_deg < _MIN_SPREAD_DEG:
            yield (f"degenerate motions: all rotation axes are nearly parallel (spread {self.axis_spread_deg:.1f} "
                   "degrees), so the offset along that axis is unknown; tilt the gripper about two different axes")
        if self.mismatch_deg > _MAX_MISMATCH_DEG:
            yield (f"robot and target rotations between views differ ({self.mismatch_deg:.1f} "
                   "degrees, median): check the pairing of poses and images, the quaternion order (xyzw) and the "
                   "angle convention")


def analyze_robot_motion(views: Sequence[View]) -> RobotMotion:
    """Motion between two or more views."""
    poses = np.stack([view.base_from_gripper for view in views])[:, :3, :3]
    rotations = vector_from_rotation(np.concatenate(_relative(poses)))
    angles = np.degrees(np.linalg.norm(rotations, axis=1))
    target_rotations = np.swapaxes(measured_target_poses(views)[:, :3, :3], 1, 2)
    return RobotMotion(len(views), float(angles.max()), _spread_deg(rotations[angles > _MIN_AXIS_ROTATION_DEG]),
                   float(np.median(rotation_mismatch(poses, target_rotations))))


def rotation_mismatch(rotations_a: Array, rotations_b: Array) -> Array:
    """Differences of the rotation angles between all pairs of N rotations, degrees, (N * (N - 1) / 2,)."""
    first, second = np.triu_indices(len(rotations_a), 1)
    angles = [np.degrees(rotation_angle(rotations[first], rotations[second]))
              for rotations in (rotations_a, rotations_b)]
    return np.abs(angles[0] - angles[1])


def _relative(rotations: Array) -> list[Array]:
    """Rotations between all pairs, in the gripper frame."""
    return [np.swapaxes(rotations[i], 0, 1) @ rotations[i + 1:] for i in range(len(rotations) - 1)]


def _spread_deg(rotations: Array) -> float:
    """RMS angle between the axes of rotation vectors (N, 3) and their principal axis, weighted by the rotation."""
    if not len(rotations):
        return 0.0
    angles = np.linalg.norm(rotations, axis=1, keepdims=True)
    weighted = rotations / angles * np.sin(angles / 2)
    values = np.linalg.eigvalsh(weighted.T @ weighted)
    return float(np.degrees(np.arctan2(np.sqrt(max(values[:2].sum(), 0.0)), np.sqrt(values[2]))))
