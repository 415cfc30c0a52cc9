"""Kinds of cameras: one file each. A new kind is one file in this folder (or anywhere importable) and one entry below.

Each file holds a subclass of `CameraConfig` (`posebot/video/kinds/base.py`): the keys of an entry `cameras: NAME:` of a
configuration file, and `open`, which makes the source of frames.
"""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any, Union

from pydantic import BaseModel, Field, create_model

from posebot.video.kinds.base import CameraConfig, CameraContext, MountedCameraConfig

__all__ = ["CAMERA_KINDS", "CameraConfig", "CameraContext", "MountedCameraConfig", "cameras_config", "load_kind"]

CAMERA_KINDS: dict[str, str] = {
    "file": "posebot.video.kinds.file:FileCamera",
    "folder": "posebot.video.kinds.folder:FolderCamera",
    "video": "posebot.video.kinds.video:VideoCamera",
    "device": "posebot.video.kinds.device:DeviceCamera",
    "rtsp": "posebot.video.kinds.rtsp:RtspCamera",
    "sim": "posebot.video.kinds.sim:SimCamera",
}
"""Value of `kind` to `module:class`, imported when a configuration names the kind."""


def load_kind(kind: str) -> type[CameraConfig]:
    """The settings class of a registered kind."""
    module, _, attribute = CAMERA_KINDS[kind].partition(":")
    config: type[CameraConfig] = getattr(import_module(module), attribute)
    return config


def cameras_config() -> type[BaseModel]:
    """The model of the section `cameras:` with all registered kinds, for its JSON Schema."""
    kinds: Any = Union[tuple(load_kind(kind) for kind in CAMERA_KINDS)]  # noqa: UP007 (built at run time)
    entry: Any = Annotated[kinds, Field(discriminator="kind")]
    return create_model("CamerasConfig", __doc__="Named cameras.", cameras=(dict[str, entry], ...))
