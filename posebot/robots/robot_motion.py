"""Are the robot's motions rich enough? After Tsai and Lenz, "A new technique for ... hand/eye calibration", 1989:
the error falls with the rotation angle between poses and with the angle between the axes they turn about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from posebot.core.transforms import Array, rotation_angle, vector_from_rotation
from posebot.robots.views import View, measured_target_poses

_FEW, _TURN_DEG, _SPREAD_DEG, _MISMATCH_DEG = 8, 20.0, 15.0, 2.0
_AXIS_FROM_DEG = 3.0  # the axis of a smaller turn is noise


@dataclass(frozen=True)
class RobotMotion:
    """How the robot moved between the views.

    Attributes:
        views: their number. rotation_deg: the largest turn between two of them.
        axis_spread_deg: spread of the axes turned about: 0 = all parallel, 55 = as many in every direction.
        mismatch_deg: median difference between the robot's and the target's turn of the same two views. They are
            equal whatever the hand-eye pose is, so that this judges the data alone.
    """

    views: int
    rotation_deg: float
    axis_spread_deg: float
    mismatch_deg: float

    def warnings(self) -> Iterator[str]:
        """What is poor about them, and what to do."""
        if self.views < _FEW:
            yield f"only {self.views} views: take {_FEW} or more, better 15"
        if self.rotation_deg < _TURN_DEG:
            yield (f"degenerate motions: the gripper turned by {self.rotation_deg:.1f} degrees at most; "
                   "tilt it by 30 or more between views")
        elif self.axis_spread_deg < _SPREAD_DEG:
            yield (f"degenerate motions: all turns are about nearly parallel axes (spread {self.axis_spread_deg:.1f} "
                   "degrees), so the offset along that axis is unknown; tilt the gripper about two different axes")
        if self.mismatch_deg > _MISMATCH_DEG:
            yield (f"the robot and the target turned differently between the same views ({self.mismatch_deg:.1f} "
                   "degrees in the median): poses of other images, another order of quaternion (xyzw) or another "
                   "convention of angles")


def analyze_robot_motion(views: Sequence[View]) -> RobotMotion:
    """From two or more views."""
    poses = np.stack([view.base_from_gripper for view in views])[:, :3, :3]
    turns = vector_from_rotation(np.concatenate(_relative(poses)))
    angles = np.degrees(np.linalg.norm(turns, axis=1))
    target_rotations = np.swapaxes(measured_target_poses(views)[:, :3, :3], 1, 2)
    return RobotMotion(len(views), float(angles.max()), _spread_deg(turns[angles > _AXIS_FROM_DEG]),
                   float(np.median(rotation_mismatch(poses, target_rotations))))


def rotation_mismatch(rotations_a: Array, rotations_b: Array) -> Array:
    """Degrees by which the turns between every two of N rotations differ in amount, (N * (N - 1) / 2,)."""
    first, second = np.triu_indices(len(rotations_a), 1)
    angles = [np.degrees(rotation_angle(rotations[first], rotations[second]))
              for rotations in (rotations_a, rotations_b)]
    return np.abs(angles[0] - angles[1])


def _relative(rotations: Array) -> list[Array]:
    """Turns between all pairs, in the frame of the gripper."""
    return [np.swapaxes(rotations[i], 0, 1) @ rotations[i + 1:] for i in range(len(rotations) - 1)]


def _spread_deg(turns: Array) -> float:
    """How far the axes of rotation vectors (N, 3) stray from their principal one, root mean square; larger turns count
    more."""
    if not len(turns):
        return 0.0
    angles = np.linalg.norm(turns, axis=1, keepdims=True)
    weighted = turns / angles * np.sin(angles / 2)
    values = np.linalg.eigvalsh(weighted.T @ weighted)
    return float(np.degrees(np.arctan2(np.sqrt(max(values[:2].sum(), 0.0)), np.sqrt(values[2]))))
