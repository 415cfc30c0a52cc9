"""Pose of a configured camera: its hand-eye calibration and, for a recording, the poses of the robot."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import radians
from pathlib import Path
from typing import TYPE_CHECKING

from posebot.core.errors import InputError, PoseError
from posebot.core.frame import Frame
from posebot.core.transforms import Array
from posebot.robots.calibration_files import HandEyeCalibration, load_hand_eye
from posebot.robots.error_budget import kinematics_covariance
from posebot.robots.pose_table import PoseTable, make_pose_table
from posebot.robots.robot_poses import RobotPose, pair_images, read_poses
from posebot.stages.fuse import CameraError
from posebot.video.source import FrameEvent, SkippedFrame, Source

if TYPE_CHECKING:
    from posebot.video.recordings import ImageSource, VideoSource

_MIN_UNIX_TIME = 1e8  # seconds; smaller times count from the first frame of a recording


@dataclass(frozen=True)
class HandEyeMount:
    """Hand-eye calibration of a camera and the uncertainty of the robot.

    Attributes:
        hand_eye: as written by `posebot calibrate hand-eye`. arm: standard deviations of the robot's poses, metres and
            radians. latency_s: standard deviation of the time between image and robot pose.
        poses: file of robot poses of a recording, or None.
    """

    hand_eye: HandEyeCalibration
    arm: tuple[float, float] = (0.0, 0.0)
    latency_s: float = 0.0
    poses: Path | None = None

    @property
    def gripper_from_cam(self) -> Array | None:
        """4x4 of a wrist camera; None for a static camera."""
        return self.hand_eye.pose if self.hand_eye.mode == "eye-in-hand" else None

    @property
    def base_from_cam(self) -> Array | None:
        """4x4 of a static camera; None for a wrist camera."""
        return self.hand_eye.pose if self.hand_eye.mode == "eye-to-hand" else None

    @property
    def error(self) -> CameraError:
        """Uncertainty of `base_from_cam`."""
        if self.gripper_from_cam is None:
            return CameraError.of_robot(self.hand_eye.pose, self.hand_eye.covariance)
        return CameraError.of_robot(self.hand_eye.pose, self.hand_eye.covariance, kinematics_covariance(*self.arm),
                                    self.latency_s)

    @property
    def digest(self) -> str:
        """Hash of everything that results depend on."""
        digest = hashlib.sha256(self.hand_eye.pose.tobytes() + self.hand_eye.covariance.tobytes())
        digest.update(repr((self.hand_eye.mode, self.arm, self.latency_s)).encode())
        if self.poses is not None:
            digest.update(repr([pose.base_from_gripper.tolist() for pose in read_poses(self.poses)]).encode())
        return digest.hexdigest()


class RobotPosedSource:
    """A recording of a wrist camera: each frame has the `base_from_cam` of its time, or None where it is unknown.

    Images are paired with poses by name, number or order (`robots.robot_poses.pair_images`), frames of a video by
    `time`, in seconds since the first frame.

    Raises:
        InputError: the poses cannot be read, or do not belong to these images.
    """

    def __init__(self, source: ImageSource | VideoSource, mount: HandEyeMount, fps: float | None = None) -> None:
        from posebot.video.recordings import ImageSource

        assert mount.poses is not None
        self.name, self.live, self.total, self.fps = source.name, source.live, source.total, fps or source.fps
        self._source, self._hand_eye = source, mount.hand_eye
        poses = read_poses(mount.poses)
        self._by_name: dict[str, Array] = {}
        self._table: PoseTable | None = None
        if isinstance(source, ImageSource):
            self._by_name = _by_name(poses, source.files, mount.poses)
        else:
            self._table = _by_time(poses, self.fps, mount.poses)

    def frames(self, done: Container[str] = ()) -> Iterator[FrameEvent]:
        """As those of the recording."""
        for event in self._source.frames(done):
            yield event if isinstance(event, SkippedFrame) else replace(event, frame=self._with_pose(event.frame))

    def close(self) -> None:
        """Close the recording."""
        self._source.close()

    def _with_pose(self, frame: Frame) -> Frame:
        gripper = self._base_from_gripper(frame.frame_id.rpartition("/")[2])
        return frame if gripper is None else replace(frame, base_from_cam=self._hand_eye.base_from_cam(gripper))

    def _base_from_gripper(self, name: str) -> Array | None:
        if self._table is None:
            return self._by_name.get(name)
        assert self.fps is not None
        try:
            return self._table.at(int(name) / self.fps)
        except InputError:  # before the first pose, after the last, or in a gap
            return None


def load_hand_eye_mount(hand_eye: Path, poses: Path | None, sigmas: Mapping[str, float]) -> HandEyeMount:
    """The mount of a configured camera.

    Args:
        hand_eye: file written by `posebot calibrate hand-eye`. poses: of the robot, for a recording.
        sigmas: arm_mm, arm_deg (default: those of the calibration) and latency_ms, where given.
    Raises:
        InputError: the file is not usable.
    """
    calibration = load_hand_eye(hand_eye)
    mm, deg, ms = (sigmas.get(name) for name in ("arm_mm", "arm_deg", "latency_ms"))
    arm = (calibration.arm[0] if mm is None else mm / 1000, calibration.arm[1] if deg is None else radians(deg))
    return HandEyeMount(calibration, arm, (ms or 0.0) / 1000, poses)


def with_robot_poses(source: ImageSource | VideoSource, mount: HandEyeMount | None, fps: float | None = None) -> Source:
    """The source with `base_from_cam` of each frame, where the mount has robot poses; else the source itself."""
    if mount is None or mount.poses is None:
        return source
    return RobotPosedSource(source, mount, fps)


def _by_name(poses: Sequence[RobotPose], files: Sequence[Path], where: Path) -> dict[str, Array]:
    """base_from_gripper by the stems and names of the images."""
    pairs = pair_images(list(poses), list(files))
    if not pairs:
        raise PoseError(where, f"names none of the {len(files)} images", "their file names under `image`")
    return {key: pose.base_from_gripper for image, pose in pairs for key in (image.stem, image.name)}


def _by_time(poses: Sequence[RobotPose], fps: float | None, where: Path) -> PoseTable:
    table = make_pose_table(list(poses), where)
    if fps is None:
        raise PoseError(where, "belongs to a video without a frame rate", "fps: NUMBER")
    if table.times[-1] > _MIN_UNIX_TIME:
        raise PoseError(where, f"time is {table.times[0]:.0f}", "seconds since the video's first frame")
    return table
