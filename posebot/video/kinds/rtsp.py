"""`kind: rtsp`: a network camera by RTSP (over TCP) or HTTP, through FFmpeg."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, field_validator

from posebot.core.errors import CameraSetupError, InputError
from posebot.core.frame import Frame
from posebot.video.kinds.base import CameraContext, MountedCameraConfig, expand_environment
from posebot.video.live import OPEN_TIMEOUT_S, READ_TIMEOUT_S, FrameBuilder, LiveSource
from posebot.video.recordings import decode_frames, open_video
from posebot.video.source import Source

_SCHEMES = ("rtsp://", "rtsps://", "http://", "https://")


class RtspCamera(MountedCameraConfig):
    """A network camera, without depth. Credentials belong into the environment: `${CAMERA_PASSWORD}`."""

    kind: Literal["rtsp"] = "rtsp"
    source: str = Field(repr=False)
    """Address; `${NAME}` is replaced by the environment variable NAME."""

    @field_validator("source")
    @classmethod
    def _address(cls, value: str) -> str:
        value = expand_environment(value)
        if not value.startswith(_SCHEMES):
            raise ValueError("not a camera address; rtsp://… or http://…")
        return value

    def open(self, context: CameraContext) -> Source:
        builder = FrameBuilder.of(context)
        return LiveSource(context.name, lambda: network_frames(builder, self.source), self.fps)


def network_frames(builder: FrameBuilder, address: str) -> Iterator[Frame | str]:
    """Frames of an RTSP or HTTP camera. Errors never contain the credentials of the address."""
    options = {"rtsp_transport": "tcp"} if address.startswith("rtsp") else {}
    try:
        container = open_video(address, options=options, timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S))
    except InputError as error:
        raise CameraSetupError(f"camera {builder.name}", f"{error.where} {error.problem}",
                               "a camera that is switched on, at this address") from None
    try:
        for image in decode_frames(container):
            yield image if isinstance(image, str) else builder.frame(image)
    finally:
        container.close()
