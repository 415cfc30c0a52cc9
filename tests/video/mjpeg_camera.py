"""A further kind of camera, as a user would add it: MJPEG over HTTP, multipart/x-mixed-replace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal
from urllib.request import urlopen

import cv2
import numpy as np

from posebot.core.errors import CameraSetupError
from posebot.core.frame import Frame
from posebot.video.kinds import CameraContext, MountedCameraConfig
from posebot.video.live import FrameBuilder, LiveSource
from posebot.video.source import Source


class MjpegCamera(MountedCameraConfig):
    """A camera that serves JPEG images as one endless HTTP response."""

    kind: Literal["mjpeg"] = "mjpeg"
    source: str
    """Address, http://…"""

    def open(self, context: CameraContext) -> Source:
        builder = FrameBuilder.of(context)
        return LiveSource(context.name, lambda: self._frames(builder), self.fps)

    def _frames(self, builder: FrameBuilder) -> Iterator[Frame | str]:
        try:
            response = urlopen(self.source, timeout=10)
        except OSError as error:
            raise CameraSetupError(f"camera {builder.name}", f"cannot be opened ({error})") from None
        with response:
            while header := response.readline():
                if header.lower().startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
                    response.readline()  # the empty line after the header
                    bgr = cv2.imdecode(np.frombuffer(response.read(length), np.uint8), cv2.IMREAD_COLOR)
                    yield "not a JPEG image" if bgr is None else builder.frame(np.ascontiguousarray(bgr[..., ::-1]))
