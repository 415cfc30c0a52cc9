"""Robot poses over time, interpolated at the times of images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from posebot.core.errors import PoseError
from posebot.core.transforms import Array, make, rotation_from_vector, vector_from_rotation
from posebot.robots.robot_poses import RobotPose, read_poses

MAX_GAP = 0.2  # seconds between two poses; longer gaps are not interpolated


@dataclass(frozen=True)
class PoseTable:
    """Poses `base_from_gripper` (N, 4, 4) at `times` (N,), seconds, increasing. `where`: for messages."""

    times: Array
    poses: Array
    where: str = "robot poses"

    def at(self, time: float, max_gap: float = MAX_GAP) -> Array:
        """`base_from_gripper` (4x4) at a time: position interpolated linearly, rotation along the shortest arc (slerp).

        Raises:
            InputError: the time is outside the table, or between two poses more than `max_gap` seconds apart.
        """
        low, high, share = self._between(time, max_gap)
        return _interpolate(self.poses[low], self.poses[high], share)

    def twist(self, time: float, max_gap: float = MAX_GAP) -> Array:
        """Speed (6,) of the gripper at a time, m/s and rad/s along the axes of the base, by finite differences.

        Raises:
            InputError: as `at`.
        """
        low, high, _ = self._between(time, max_gap)
        first, last = self.poses[low], self.poses[high]
        turn = vector_from_rotation(last[:3, :3] @ first[:3, :3].T)
        return np.concatenate([last[:3, 3] - first[:3, 3], turn]) / (self.times[high] - self.times[low])

    def _between(self, time: float, max_gap: float) -> tuple[int, int, float]:
        if not self.times[0] <= time <= self.times[-1]:
            raise PoseError(self.where, f"no pose at {time:.3f} s",
                            f"the table covers {self.times[0]:.3f} to {self.times[-1]:.3f} s; same clock as "
                            "the images?")
        high = int(np.clip(np.searchsorted(self.times, time), 1, len(self.times) - 1))
        gap = float(self.times[high] - self.times[high - 1])
        if gap > max_gap:
            raise PoseError(self.where, f"a gap of {gap:.3f} s around {time:.3f} s", f"poses every {max_gap} s")
        return high - 1, high, float((time - self.times[high - 1]) / gap)


def read_pose_table(path: Path) -> PoseTable:
    """A table from a file of `robots.robot_poses` in which every pose has a time.

    Raises:
        InputError: as `read_poses`; a time is missing or not unique.
    """
    return make_pose_table(read_poses(path), path)


def make_pose_table(poses: list[RobotPose], path: Path) -> PoseTable:
    """A table of poses read from a file `path`. Raises as `read_pose_table`."""
    missing = next((pose.name for pose in poses if pose.time is None), None)
    if missing is not None:
        raise PoseError(missing, "no time", "seconds under `time`, for every pose")
    if len(poses) < 2:
        raise PoseError(path, "one pose only", "two or more, for interpolation")
    times = np.array([pose.time for pose in poses], dtype=float)
    order = np.argsort(times)
    times = times[order]
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise PoseError(path, "two poses have the same time, or a time is not finite", "increasing times, in seconds")
    return PoseTable(times, np.stack([poses[i].base_from_gripper for i in order]), str(path))


def base_from_cam(base_from_gripper: Array, gripper_from_cam: Array) -> Array:
    """Where a wrist camera is: hand-eye calibration behind the robot's pose. Shapes (..., 4, 4)."""
    return base_from_gripper @ gripper_from_cam


def _interpolate(first: Array, last: Array, share: float) -> Array:
    turn = vector_from_rotation(last[:3, :3] @ first[:3, :3].T)
    return make(rotation_from_vector(share * turn) @ first[:3, :3],
                (1 - share) * first[:3, 3] + share * last[:3, 3])

