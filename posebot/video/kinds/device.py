"""`kind: device`: a webcam by its number, through OpenCV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from posebot.core.errors import CameraSetupError
from posebot.core.frame import Frame
from posebot.video.kinds.base import CameraContext, MountedCameraConfig
from posebot.video.live import FrameBuilder, LiveSource
from posebot.video.source import Source


class DeviceCamera(MountedCameraConfig):
    """A camera of the operating system, without depth."""

    kind: Literal["device"] = "device"
    source: Annotated[int, Field(ge=0)]
    """Device number, such as 0."""

    @field_validator("source", mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return int(value) if isinstance(value, str) and value.isdigit() else value

    def open(self, context: CameraContext) -> Source:
        builder = FrameBuilder.of(context)
        return LiveSource(context.name, lambda: device_frames(builder, self.source), self.fps)


def device_frames(builder: FrameBuilder, index: int) -> Iterator[Frame | str]:
    """Frames of a webcam, in the size of the intrinsics if the device supports it."""
    import cv2

    where = f"camera {builder.name}"
    capture = cv2.VideoCapture(index)
    try:
        if not capture.isOpened():
            raise CameraSetupError(where, f"device {index} cannot be opened", "the number of a connected camera")
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, builder.intrinsics.camera.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, builder.intrinsics.camera.height)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        while True:
            received, bgr = capture.read()
            if not received:
                raise CameraSetupError(where, f"device {index} delivers no image")
            yield builder.frame(np.ascontiguousarray(bgr[..., ::-1], dtype=np.uint8))
    finally:
        capture.release()
