"""What all kinds of cameras have in common: the keys of a camera's entry, and how a source is opened from it."""

from __future__ import annotations

import os
import re
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from posebot.core.errors import IntrinsicsError
from posebot.core.transforms import Array

if TYPE_CHECKING:
    from posebot.video.hand_eye_mount import HandEyeMount
    from posebot.video.intrinsics import Intrinsics
    from posebot.video.source import Source

NonNegative = Annotated[float, Field(ge=0, lt=1e6)]
_NEED_HAND_EYE = ("robot_poses", "arm_mm", "arm_deg", "latency_ms")


@dataclass(frozen=True)
class CameraContext:
    """A camera's name and what its entry refers to, resolved.

    Attributes:
        name: in the configuration. folder: of the configuration file; paths are relative to it.
        base_from_cam: 4x4 of a static camera, None if unknown. mount: hand-eye calibration, None if there is none.
        depth: whether depth images are read. scale_camera: whether intrinsics of another size, same aspect ratio, are
            resized to the image.
    """

    name: str
    folder: Path
    given_intrinsics: Intrinsics | None = None
    base_from_cam: Array | None = None
    mount: HandEyeMount | None = None
    depth: bool = True
    scale_camera: bool = False

    @property
    def intrinsics(self) -> Intrinsics:
        """Intrinsics of the camera. Raises InputError if there are none."""
        if self.given_intrinsics is None:
            raise IntrinsicsError(f"camera {self.name}", "has no intrinsics",
                                  "intrinsics: FILE or numbers, or --camera FILE")
        return self.given_intrinsics


class CameraConfig(BaseModel):
    """An entry of `cameras:`. A kind is a subclass that narrows `kind` to its name and defines `open`.

    Attributes:
        recorded: whether frames come from files, so that all of them can be processed; else the newest frame wins.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    recorded: ClassVar[bool] = False

    kind: str
    """Name of the kind."""
    fps: NonNegative | None = None
    """Frames per second; recordings are played at this rate by the service."""
    depth: bool = True
    """Whether depth images are used."""

    @abstractmethod
    def open(self, context: CameraContext) -> Source:
        """Open the camera.

        Raises:
            InputError: the source cannot be opened, or needs intrinsics that are missing.
        """


class MountedCameraConfig(CameraConfig):
    """A real camera or a recording of one: intrinsics, and where the camera is."""

    intrinsics: str | dict[str, Any] | None = None
    """A file of intrinsics, or the numbers themselves (fx, fy, cx, cy, width, height)."""
    depth_scale: Annotated[float, Field(ge=1e-4, le=1000)] | None = None
    """Millimetres per unit of 16-bit depth images; overrides that of the intrinsics."""
    scale_camera: bool = False
    """Resize intrinsics of another image size with the same aspect ratio."""
    base_from_cam: list[float] | list[list[float]] | None = None
    """Pose of a static camera, row-major 4x4, metres."""
    hand_eye: str | None = None
    """File written by `posebot calibrate hand-eye`."""
    robot_poses: str | None = None
    """File of robot poses of a recording; needs hand_eye."""
    arm_mm: NonNegative | None = None
    """Standard deviation of the robot's position, millimetres (default: that of the calibration); needs hand_eye."""
    arm_deg: NonNegative | None = None
    """Standard deviation of the robot's rotation, degrees (default: that of the calibration); needs hand_eye."""
    latency_ms: NonNegative | None = None
    """Standard deviation of the time between image and robot pose, milliseconds; needs hand_eye."""

    @field_validator("base_from_cam")
    @classmethod
    def _check_pose(cls, value: list[Any] | None) -> list[Any] | None:
        if value is not None:
            transform_from(value)
        return value

    @model_validator(mode="after")
    def _check_hand_eye(self) -> MountedCameraConfig:
        given = [name for name in _NEED_HAND_EYE if getattr(self, name) is not None]
        if given and self.hand_eye is None:
            raise ValueError(f"{given[0]} without hand_eye; hand_eye: a file of posebot calibrate hand-eye")
        if self.hand_eye is not None and self.base_from_cam is not None:
            raise ValueError("hand_eye and base_from_cam exclude each other; one of them")
        return self


def transform_from(values: list[Any]) -> Array:
    """4x4 from 16 numbers or four rows. Raises ValueError if it is not a rigid transform."""
    import numpy as np

    from posebot.core.transforms import is_transform

    flat = np.ravel(np.asarray(values, dtype=float)) if all(_is_row(value) for value in values) else np.zeros(0)
    if flat.size != 16 or not is_transform(flat.reshape(4, 4)):
        raise ValueError("not a rigid transform; 16 numbers, row-major 4x4, metres")
    return flat.reshape(4, 4)


def _is_row(value: Any) -> bool:
    return not isinstance(value, list) or len(value) == 4


def expand_environment(text: str) -> str:
    """The text with `${NAME}` replaced by environment variables. Raises ValueError if one is not set."""
    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            raise ValueError(f"the environment variable {match[1]} is not set; export {match[1]}=...")
        return found

    return re.sub(r"\$\{(\w+)\}", value, text)
