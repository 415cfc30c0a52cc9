"""The protocol of sources of frames."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Protocol

from posebot.core.frame import Frame

_SECRET_FIELD = re.compile(r"([?&][^=\s&]*(?:pass|pwd|token|key|secret|user|auth)[^=\s&]*=)[^&\s'\"]+", re.IGNORECASE)


@dataclass(frozen=True)
class CapturedFrame:
    """A frame, and the number of frames that a live source dropped since the previous one."""

    frame: Frame
    dropped: int = 0


@dataclass(frozen=True)
class SkippedFrame:
    """An image that could not be used, or an interruption of a camera; `reason` is one line."""

    frame_id: str
    reason: str


FrameEvent = CapturedFrame | SkippedFrame
"""An item of a source."""


class Source(Protocol):
    """A source of frames.

    Attributes:
        name: for messages; never contains credentials. live: the newest frame wins and the source has no end.
        total: number of images, None if unknown. fps: frames per second, None if unknown.
    """

    name: str
    live: bool
    total: int | None
    fps: float | None

    def frames(self, done: Container[str] = ()) -> Iterator[FrameEvent]:
        """Frames in order of capture, without those whose frame_id is in `done`.

        A bad image is reported as SkippedFrame and does not end the source.
        """

    def close(self) -> None:
        """Release files, devices and threads. May be called twice."""


def redacted(text: str) -> str:
    """The text with credentials in addresses masked: `rtsp://user:pw@host` -> `rtsp://***@host`."""
    text = re.sub(r"(\w+://)[^\s'\"]*@", r"\1***@", text)  # up to the last @: a password may contain one
    return _SECRET_FIELD.sub(r"\1***", text)
