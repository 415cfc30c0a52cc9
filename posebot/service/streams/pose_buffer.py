"""Robot poses over time, interpolated at the times of frames."""

from __future__ import annotations

import bisect
import threading
from collections import deque
from pathlib import Path

from posebot.core.transforms import Array, difference, perturb
from posebot.robots.pose_table import read_pose_table


class PoseBuffer:
    """The newest `max_size` poses by time. Thread-safe.

    Args:
        max_gap_s: a time has a pose where one lies no farther away than this, or between two at most twice as far
            apart. max_size: None for no limit.
    """

    def __init__(self, max_gap_s: float, max_size: int | None = 5000) -> None:
        self._max_gap_s = max_gap_s
        self._stamps: deque[float] = deque(maxlen=max_size)
        self._poses: deque[Array] = deque(maxlen=max_size)
        self._lock = threading.Lock()

    @property
    def last(self) -> float:
        """Time of the newest pose, 0 without any."""
        return self._stamps[-1] if self._stamps else 0.0

    def add(self, stamp: float, base_from_gripper: Array) -> None:
        """Add a pose 4x4. One older than the newest is dropped: poses arrive in order."""
        with self._lock:
            if self._stamps and stamp < self._stamps[-1]:
                return
            self._stamps.append(stamp)
            self._poses.append(base_from_gripper)

    def at(self, stamp: float) -> Array | None:
        """The pose 4x4 at a time: interpolated between two, or the nearest one; None where none is near enough."""
        with self._lock:
            after = bisect.bisect_left(self._stamps, stamp)
            around = [(self._stamps[index], self._poses[index]) for index in (after - 1, after)
                      if 0 <= index < len(self._stamps)]
        if len(around) == 2 and 0 < around[1][0] - around[0][0] <= 2 * self._max_gap_s:
            (start, first), (end, second) = around
            return perturb(first, (stamp - start) / (end - start) * difference(second, first))
        gaps = [(abs(neighbour - stamp), index) for index, (neighbour, _) in enumerate(around)]
        if not gaps or min(gaps)[0] > self._max_gap_s:
            return None
        return around[min(gaps)[1]][1]


def load_pose_buffer(path: Path, max_gap_s: float) -> PoseBuffer:
    """A table of robot poses with `time` or `stamp`, in any of the forms that hand-eye calibration reads.

    Raises:
        InputError: as `robots.pose_table.read_pose_table`.
    """
    table, buffer = read_pose_table(path), PoseBuffer(max_gap_s, max_size=None)
    for stamp, pose in zip(table.times.tolist(), table.poses):
        buffer.add(stamp, pose)
    return buffer
