"""Where the camera was when a picture was taken: a robot's poses over time, pushed or from a table."""

from __future__ import annotations

import bisect
import threading
from collections import deque
from pathlib import Path

from posebot.core.transforms import Array, difference, perturb
from posebot.robots.pose_table import read_pose_table


class PoseBuffer:
    """Poses by time, the newest `most` of them. May be used from several threads.

    Args:
        max_gap_s: a time is answered where a pose lies no farther away than this, or between two twice as far apart.
    """

    def __init__(self, max_gap_s: float, most: int | None = 5000) -> None:
        self._max_gap = max_gap_s
        self._stamps: deque[float] = deque(maxlen=most)
        self._poses: deque[Array] = deque(maxlen=most)
        self._lock = threading.Lock()

    @property
    def last(self) -> float:
        """Time of the newest pose, 0 without any."""
        return self._stamps[-1] if self._stamps else 0.0

    def add(self, stamp: float, base_from_gripper: Array) -> None:
        """A pose 4x4 at a time. One older than the newest is dropped: poses come in order."""
        with self._lock:
            if self._stamps and stamp < self._stamps[-1]:
                return
            self._stamps.append(stamp)
            self._poses.append(base_from_gripper)

    def at(self, stamp: float) -> Array | None:
        """The pose at a time: between the two around it, or the one beside it; None where none is near enough."""
        with self._lock:
            after = bisect.bisect_left(self._stamps, stamp)
            around = [(self._stamps[index], self._poses[index]) for index in (after - 1, after)
                      if 0 <= index < len(self._stamps)]
        if len(around) == 2 and 0 < around[1][0] - around[0][0] <= 2 * self._max_gap:
            (start, first), (end, second) = around
            return perturb(first, (stamp - start) / (end - start) * difference(second, first))
        near = [(abs(when - stamp), index) for index, (when, _) in enumerate(around)]
        if not near or min(near)[0] > self._max_gap:
            return None
        return around[min(near)[1]][1]


def load_pose_buffer(path: Path, max_gap_s: float) -> PoseBuffer:
    """A table of robot poses with `time` or `stamp`, in any form that calibration reads (docs/how-to/hand-eye.md).

    Raises:
        InputError: as `robots.pose_table.read_pose_table`.
    """
    table, track = read_pose_table(path), PoseBuffer(max_gap_s, most=None)
    for stamp, pose in zip(table.times.tolist(), table.poses):
        track.add(stamp, pose)
    return track
