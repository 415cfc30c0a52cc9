"""What every source of frames has in common."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Protocol

from posebot.core.frame import Frame

_SECRET_FIELD = re.compile(r"([?&][^=\s&]*(?:pass|pwd|token|key|secret|user|auth)[^=\s&]*=)[^&\s'\"]+", re.IGNORECASE)


@dataclass(frozen=True)
class CapturedFrame:
    """A frame, and how many of its source were dropped since the one before because newer ones came."""

    frame: Frame
    dropped: int = 0


@dataclass(frozen=True)
class SkippedFrame:
    """A image that could not be used, or an interruption of a camera, and why."""

    frame_id: str
    reason: str


FrameEvent = CapturedFrame | SkippedFrame
"""What a source yields."""


class Source(Protocol):
    """Something that frames come from.

    Attributes:
        name: how it is called in messages; never holds credentials. live: frames are lost when not taken in time, and
            the source has no end. total: number of images, None where unknown. fps: where the source has one.
    """

    name: str
    live: bool
    total: int | None
    fps: float | None

    def frames(self, done: Container[str] = ()) -> Iterator[FrameEvent]:
        """Frames in order, as the camera saw them. Those whose frame_id is in `done` are left out, unread if possible.

        A bad image is reported as SkippedFrame and never ends the source.
        """

    def close(self) -> None:
        """Let go of files, devices and threads. May be called twice."""


def redacted(text: str) -> str:
    """The text with credentials of any address in it replaced: `rtsp://user:pw@host` -> `rtsp://***@host`."""
    text = re.sub(r"(\w+://)[^\s'\"]*@", r"\1***@", text)  # up to the last @: a password may hold one
    return _SECRET_FIELD.sub(r"\1***", text)
