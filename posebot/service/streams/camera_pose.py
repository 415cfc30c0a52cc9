"""Where the camera of a stream was: fixed, known to the simulation, in a table, or told by the robot.

A camera's entry knows its hand-eye calibration (`video.mount`), and, for a recording, the robot's poses: its frames
then come with `base_from_cam`. What is placed here is what a stream's own settings say.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from posebot.core.errors import PoseError
from posebot.core.frame import Frame
from posebot.core.transforms import Array, is_transform
from posebot.service.settings import Stream
from posebot.service.streams.pose_buffer import PoseBuffer, load_pose_buffer
from posebot.stages.fuse import CameraError
from posebot.video.cameras import CameraEntry

_EPOCH = 1e8  # stamps below are seconds since the stream's first frame, not since 1970


class CameraPoseProvider:
    """Gives frames their `base_from_cam`. `kind`: as in `schemas.streams.StreamStatus.robot_pose`."""

    def __init__(self, entry: CameraEntry, stream: Stream) -> None:
        self._gripper_from_cam, self.error = _on_gripper(entry, stream)
        self._stream = stream
        self._track: PoseBuffer | None = None
        self._first: float | None = None
        self.kind = _own_kind(entry) if stream.robot_pose == "camera" else stream.robot_pose
        if self.kind == "pushed":
            self._track = PoseBuffer(stream.max_pose_gap_s)

    def placed(self, frame: Frame) -> Frame:
        """The frame with its camera's pose; without one where the robot's is not known at that time.

        Raises:
            InputError: the table of poses cannot be read.
        """
        if self._stream.robot_pose == "camera":
            return frame
        if self._track is None and self._stream.poses is not None:
            self._track = load_pose_buffer(self._stream.poses, self._stream.max_pose_gap_s)
        assert self._track is not None
        if self._first is None:
            self._first = frame.captured_at
        stamp = frame.captured_at - (self._first if self._relative else 0.0)
        pose = self._track.at(stamp)
        return replace(frame, base_from_cam=None if pose is None else pose @ self._gripper_from_cam)

    def push(self, stamp: float | None, base_from_gripper: Array) -> None:
        """Remember where the robot's hand was at `stamp` (None: now).

        Raises:
            InputError: the configuration says that poses come from elsewhere, or it is none.
        """
        if self.kind != "pushed" or self._track is None:
            raise PoseError("robot-pose", f"this stream's pose is {self.kind}", "robot_pose: pushed in the settings")
        if not is_transform(base_from_gripper):
            raise PoseError("robot-pose", "no rigid transform", "4x4, metres")
        self._track.add(time.time() if stamp is None else stamp, base_from_gripper)

    @property
    def _relative(self) -> bool:
        return self.kind == "table" and self._track is not None and self._track.last < _EPOCH


def _on_gripper(entry: CameraEntry, stream: Stream) -> tuple[Array, CameraError | None]:
    """gripper_from_cam and how wrong base_from_cam may be (None: exact). A stream's own numbers are taken as exact."""
    if stream.gripper_from_cam is not None:
        return np.reshape(np.array(stream.gripper_from_cam, dtype=float), (4, 4)), None
    if entry.mount is None:
        return np.eye(4), None
    found = entry.mount.gripper_from_cam
    return np.eye(4) if found is None else found, entry.mount.error


def _own_kind(entry: CameraEntry) -> str:
    """What the camera's entry alone says."""
    if entry.kind == "sim":
        return "simulated"
    if entry.base_from_cam is not None:
        return "static"
    return "none" if entry.mount is None or entry.mount.poses is None else "table"
