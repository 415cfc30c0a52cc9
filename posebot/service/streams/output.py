"""What a stream has to show at one moment."""

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

Picture = Literal["none", "raw", "overlay"]


@dataclass(frozen=True)
class StreamOutput:
    """A result with the very frame it was computed from (without lens distortion), and pictures made on demand.

    remembered: what lies there besides, by earlier views.
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
        """Of the model that the result is from."""
        return tuple(self.overlay.objects.values())

    def jpeg(self, kind: Picture) -> bytes:
        """The frame as it is, or with the result drawn into it; encode_image once, whoever asks."""
        from posebot.video.sinks import encode_image

        with self._lock:
            if kind not in self._jpegs:
                drawn = self.frame.rgb if kind == "raw" else self.overlay.draw(self.frame, self.result)
                self._jpegs[kind] = encode_image(drawn)
            return self._jpegs[kind]

    def header(self) -> dict[str, Any]:
        """See `schemas.streams.StreamResult`."""
        pose = self.frame.base_from_cam
        return {"type": "result", "stream": self.stream, "sequence": self.sequence, "sent_at": time.time(),
                "bundle": self.model, "base_from_cam": None if pose is None else pose.tolist(),
                "result": self.result.to_dict(),
                "remembered": [estimate.to_dict() for estimate in self.remembered]}
