"""`kind: video`: a video file."""

from __future__ import annotations

from typing import ClassVar, Literal

from posebot.video.hand_eye_mount import with_robot_poses
from posebot.video.kinds.base import CameraContext, MountedCameraConfig
from posebot.video.recordings import VideoSource
from posebot.video.source import Source


class VideoCamera(MountedCameraConfig):
    """A video file (mp4, mkv, ...), without depth."""

    recorded: ClassVar[bool] = True

    kind: Literal["video"] = "video"
    source: str
    """Video file, relative to the configuration file."""

    def open(self, context: CameraContext) -> Source:
        video = VideoSource(context.folder / self.source, context.intrinsics, context.base_from_cam,
                            context.scale_camera)
        return with_robot_poses(video, context.mount, self.fps)
