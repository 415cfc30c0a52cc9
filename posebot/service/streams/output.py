"""One output of a stream: a result, the frame it was computed from, and images rendered on demand."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from posebot.core.frame import Frame
from posebot.core.objects import ObjectModel
from posebot.core.results import FrameResult, PoseEstimate

if TYPE_CHECKING:
    from posebot.video.overlay import Overlay

ImageKind = Literal["none", "raw", "overlay"]


@dataclass(frozen=True)
class StreamOutput:
    """A result with its frame.

    Attributes:
        sequence: counts the outputs of a stream, from 1. frame: undistorted. model: name and version, for display.
        remembered: objects on the map that this frame does not show.
    """

    stream: str
    sequence: int
    frame: Frame
    result: FrameResult
    model: str
    overlay: Overlay = field(repr=False)
    remembered: tuple[PoseEstimate, ...] = ()
    _jpegs: dict[str, bytes] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def objects(self) -> tuple[ObjectModel, ...]:
        """Of the model that computed the result."""
        return tuple(self.overlay.objects.values())

    def jpeg(self, kind: ImageKind) -> bytes:
        """The frame, for "overlay" with the result drawn into it. Encoded once for all readers."""
        from posebot.video.sinks import encode_image

        with self._lock:
            if kind not in self._jpegs:
                image = self.frame.rgb if kind == "raw" else self.overlay.draw(self.frame, self.result)
                self._jpegs[kind] = encode_image(image)
            return self._jpegs[kind]

    def header(self) -> dict[str, Any]:
        """See `schemas.streams.StreamResult`."""
        base_from_cam = self.frame.base_from_cam
        return {"type": "result", "stream": self.stream, "sequence": self.sequence, "sent_at": time.time(),
                "bundle": self.model, "base_from_cam": None if base_from_cam is None else base_from_cam.tolist(),
                "result": self.result.to_dict(),
                "remembered": [estimate.to_dict() for estimate in self.remembered]}
