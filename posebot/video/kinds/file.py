"""`kind: file`: a single image."""

from __future__ import annotations

from typing import ClassVar, Literal

from posebot.video.hand_eye_mount import with_robot_poses
from posebot.video.kinds.base import CameraContext, MountedCameraConfig
from posebot.video.recordings import ImageSource
from posebot.video.source import Source


class FileCamera(MountedCameraConfig):
    """A single image file."""

    recorded: ClassVar[bool] = True

    kind: Literal["file"] = "file"
    source: str
    """Image file, relative to the configuration file."""

    def open(self, context: CameraContext) -> Source:
        image = ImageSource(context.folder / self.source, context.intrinsics, context.depth, context.base_from_cam,
                            context.scale_camera)
        return with_robot_poses(image, context.mount)
