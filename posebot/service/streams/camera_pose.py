"""Where `base_from_cam` of a stream's frames comes from: the camera's entry, a table, or poses pushed by the robot.

A camera's entry may hold a hand-eye calibration (`video.hand_eye_mount`) and, for a recording, a table of robot poses;
its frames then come with `base_from_cam`. `CameraPoseProvider` applies what the stream's own settings say.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from posebot.core.errors import PoseError
from posebot.core.frame import Frame
from posebot.core.transforms import Array, is_transform
from posebot.service.settings import StreamSettings
from posebot.service.streams.pose_buffer import PoseBuffer, load_pose_buffer
from posebot.stages.fuse import CameraError
from posebot.video.cameras import CameraEntry

_EPOCH = 1e8  # smaller stamps are seconds since the stream's first frame, not since 1970


class CameraPoseProvider:
    """Sets `base_from_cam` of a stream's frames.

    Attributes:
        kind: as in `schemas.streams.StreamStatus.robot_pose`. error: uncertainty of `base_from_cam`, None: exact.
    """

    def __init__(self, entry: CameraEntry, stream: StreamSettings) -> None:
        self._gripper_from_cam, self.error = _gripper_from_cam(entry, stream)
        self._stream = stream
        self._buffer: PoseBuffer | None = None
        self._first_stamp: float | None = None
        self.kind = _kind_of_entry(entry) if stream.robot_pose == "camera" else stream.robot_pose
        if self.kind == "pushed":
            self._buffer = PoseBuffer(stream.max_pose_gap_s)

    def with_pose(self, frame: Frame) -> Frame:
        """The frame with its camera's pose; without one where no robot pose is near in time.

        Raises:
            InputError: the table of poses cannot be read.
        """
        if self._stream.robot_pose == "camera":
            return frame
        if self._buffer is None and self._stream.poses is not None:
            self._buffer = load_pose_buffer(self._stream.poses, self._stream.max_pose_gap_s)
        assert self._buffer is not None
        if self._first_stamp is None:
            self._first_stamp = frame.captured_at
        stamp = frame.captured_at - (self._first_stamp if self._relative_times else 0.0)
        base_from_gripper = self._buffer.at(stamp)
        return replace(frame, base_from_cam=None if base_from_gripper is None
                       else base_from_gripper @ self._gripper_from_cam)

    def push(self, stamp: float | None, base_from_gripper: Array) -> None:
        """Add the pose of the robot's gripper at `stamp` (seconds since 1970; None: now), 4x4 metres.

        Raises:
            InputError: the configuration takes poses from elsewhere, or this is not a rigid transform.
        """
        if self.kind != "pushed" or self._buffer is None:
            raise PoseError("robot-pose", f"the robot pose of this stream is {self.kind}",
                            "robot_pose: pushed in the configuration")
        if not is_transform(base_from_gripper):
            raise PoseError("robot-pose", "not a rigid transform", "4x4, metres")
        self._buffer.add(time.time() if stamp is None else stamp, base_from_gripper)

    @property
    def _relative_times(self) -> bool:
        return self.kind == "table" and self._buffer is not None and self._buffer.last < _EPOCH


def _gripper_from_cam(entry: CameraEntry, stream: StreamSettings) -> tuple[Array, CameraError | None]:
    """gripper_from_cam 4x4, and the uncertainty of base_from_cam (None: exact, as for a stream's own numbers)."""
    if stream.gripper_from_cam is not None:
        return np.reshape(np.array(stream.gripper_from_cam, dtype=float), (4, 4)), None
    if entry.mount is None:
        return np.eye(4), None
    calibrated = entry.mount.gripper_from_cam
    return np.eye(4) if calibrated is None else calibrated, entry.mount.error


def _kind_of_entry(entry: CameraEntry) -> str:
    if entry.kind == "sim":
        return "simulated"
    if entry.base_from_cam is not None:
        return "static"
    return "none" if entry.mount is None or entry.mount.poses is None else "table"
