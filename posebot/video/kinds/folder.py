"""`kind: folder`: a folder of images, with depth images or without."""

from __future__ import annotations

from typing import ClassVar, Literal

from posebot.video.hand_eye_mount import with_robot_poses
from posebot.video.kinds.base import CameraContext, MountedCameraConfig
from posebot.video.recordings import ImageSource
from posebot.video.source import Source


class FolderCamera(MountedCameraConfig):
    """A folder of images, or a folder with `rgb/` and `depth/`."""

    recorded: ClassVar[bool] = True

    kind: Literal["folder"] = "folder"
    source: str
    """Folder, relative to the configuration file."""

    def open(self, context: CameraContext) -> Source:
        images = ImageSource(context.folder / self.source, context.intrinsics, context.depth, context.base_from_cam,
                             context.scale_camera)
        return with_robot_poses(images, context.mount)
