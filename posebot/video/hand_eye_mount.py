"""Where a camera of the configuration sits: its hand-eye calibration, and, in a recording, where the robot was."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import radians
from pathlib import Path

from posebot.core.errors import InputError, PoseError
from posebot.core.frame import Frame
from posebot.core.transforms import Array
from posebot.robots.calibration_files import HandEyeCalibration, load_hand_eye
from posebot.robots.error_budget import kinematics_covariance
from posebot.robots.pose_table import PoseTable, make_pose_table
from posebot.robots.robot_poses import RobotPose, pair_images, read_poses
from posebot.stages.fuse import CameraError
from posebot.video.recordings import ImageSource, VideoSource
from posebot.video.source import FrameEvent, SkippedFrame, Source

_RECORDED = ("file", "folder", "video")
_EPOCH = 1e8  # times below are seconds since a recording's first picture, not since 1970


@dataclass(frozen=True)
class HandEyeMount:
    """What the camera sits on.

    Attributes:
        hand_eye: as `posebot calibrate hand-eye` wrote it. arm: one sigma of the robot's poses, metres and radians.
        latency_s: one sigma of the time between a picture and the robot's pose. poses: file of the robot's poses that
            belong to a recording, or None.
    """

    hand_eye: HandEyeCalibration
    arm: tuple[float, float] = (0.0, 0.0)
    latency_s: float = 0.0
    poses: Path | None = None

    @property
    def gripper_from_cam(self) -> Array | None:
        """4x4 of a wrist camera; None for one that does not move."""
        return self.hand_eye.pose if self.hand_eye.mode == "eye-in-hand" else None

    @property
    def base_from_cam(self) -> Array | None:
        """4x4 of a camera that does not move; None for a wrist camera."""
        return self.hand_eye.pose if self.hand_eye.mode == "eye-to-hand" else None

    @property
    def error(self) -> CameraError:
        """How wrong `base_from_cam` may be."""
        if self.gripper_from_cam is None:
            return CameraError.of_robot(self.hand_eye.pose, self.hand_eye.covariance)
        return CameraError.of_robot(self.hand_eye.pose, self.hand_eye.covariance, kinematics_covariance(*self.arm),
                                    self.latency_s)

    @property
    def digest(self) -> str:
        """A name for all that results depend on."""
        found = hashlib.sha256(self.hand_eye.pose.tobytes() + self.hand_eye.covariance.tobytes())
        found.update(repr((self.hand_eye.mode, self.arm, self.latency_s)).encode())
        if self.poses is not None:
            found.update(repr([pose.base_from_gripper.tolist() for pose in read_poses(self.poses)]).encode())
        return found.hexdigest()


class RobotPosedSource:
    """A recording of a wrist camera: each frame has the `base_from_cam` of its moment, or none where none is known.

    Images are paired with poses by name, number or order (`robots.robot_poses.pair_images`), frames of a video by
    `time`, in seconds since the first frame.

    Raises:
        InputError: the poses cannot be read, or do not belong to these pictures.
    """

    def __init__(self, source: ImageSource | VideoSource, mount: HandEyeMount, fps: float | None = None) -> None:
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
        """As the recording's own."""
        for shot in self._source.frames(done):
            yield shot if isinstance(shot, SkippedFrame) else replace(shot, frame=self._placed(shot.frame))

    def close(self) -> None:
        """Close the recording."""
        self._source.close()

    def _placed(self, frame: Frame) -> Frame:
        gripper = self._gripper(frame.frame_id.rpartition("/")[2])
        return frame if gripper is None else replace(frame, base_from_cam=self._hand_eye.base_from_cam(gripper))

    def _gripper(self, name: str) -> Array | None:
        if self._table is None:
            return self._by_name.get(name)
        assert self.fps is not None
        try:
            return self._table.at(int(name) / self.fps)
        except InputError:  # before the first pose, after the last, or in a hole: nothing is guessed
            return None


def load_hand_eye_mount(hand_eye: Path, poses: Path | None, errors: Mapping[str, float | None], kind: str,
                        where: str) -> HandEyeMount:
    """The mount of a camera of the configuration.

    Args:
        hand_eye: file of `posebot calibrate hand-eye`. poses: of the robot, for a recording. errors: one sigma of
            arm_mm, arm_deg (default: what the calibration found) and latency_ms, where given. kind: of the camera.
    Raises:
        InputError: the file is not usable, or robot poses are of no use to this camera.
    """
    found = load_hand_eye(hand_eye)
    if poses is not None and (found.mode != "eye-in-hand" or kind not in _RECORDED):
        raise PoseError(where, f"robot_poses with kind {kind} and {found.mode}",
                        "a recording (file, folder, video) of a wrist camera; others are pushed: docs/how-to/serve.md")
    mm, deg, ms = (errors.get(name) for name in ("arm_mm", "arm_deg", "latency_ms"))
    arm = (found.arm[0] if mm is None else mm / 1000, found.arm[1] if deg is None else radians(deg))
    return HandEyeMount(found, arm, (ms or 0.0) / 1000, poses)


def with_robot_poses(source: Source, mount: HandEyeMount | None, fps: float | None = None) -> Source:
    """The source, its frames with the camera's pose where the mount has a table of the robot's poses."""
    if mount is None or mount.poses is None:
        return source
    assert isinstance(source, ImageSource | VideoSource)  # `video.cameras` allows no others
    return RobotPosedSource(source, mount, fps)


def _by_name(poses: Sequence[RobotPose], files: Sequence[Path], where: Path) -> dict[str, Array]:
    """base_from_gripper by the pictures' stems and names."""
    pairs = pair_images(list(poses), list(files))
    if not pairs:
        raise PoseError(where, f"names none of the {len(files)} pictures", "their file names under `image`")
    return {key: pose.base_from_gripper for picture, pose in pairs for key in (picture.stem, picture.name)}


def _by_time(poses: Sequence[RobotPose], fps: float | None, where: Path) -> PoseTable:
    table = make_pose_table(list(poses), where)
    if fps is None:
        raise PoseError(where, "goes with a video that does not say how many frames a second it has", "fps: NUMBER")
    if table.times[-1] > _EPOCH:
        raise PoseError(where, f"time is {table.times[0]:.0f}", "seconds since the video's first frame")
    return table
