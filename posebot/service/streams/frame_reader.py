"""The frames of a stream: a camera's, or a recording's again and again, at its own pace."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

from posebot.service.settings import Stream
from posebot.video.cameras import CameraEntry
from posebot.video.live import LiveSource
from posebot.video.open_source import open_camera
from posebot.video.source import CapturedFrame, FrameEvent, SkippedFrame, Source

_RECORDED = ("file", "folder", "video")


class FrameReader:
    """Opens the source of a stream in the thread that takes its frames, and can be ended from any other."""

    def __init__(self, name: str, entry: CameraEntry, stream: Stream) -> None:
        self.name, self.entry, self.stream = name, entry, stream
        self._stop = threading.Event()
        self._source: Source | None = None

    @property
    def finite(self) -> bool:
        """Whether it comes to an end by itself."""
        return self.entry.kind in _RECORDED and not self.stream.loop

    def frames(self) -> Iterator[FrameEvent]:
        """Frames until `end`, or until a recording is over that is not to be repeated.

        A recording with an `fps` is played at that pace, and what comes too late is dropped as with a camera; without,
        every picture is worked on.
        Raises:
            InputError: it cannot be opened.
        """
        while not self._stop.is_set():
            came = False
            for shot in self._once():
                came = came or isinstance(shot, CapturedFrame)
                yield shot
                if self._stop.is_set():
                    return
            if self.finite or not came:
                return

    def end(self) -> None:
        """Let `shots` end soon."""
        self._stop.set()
        if isinstance(self._source, LiveSource):  # the others must be closed by the thread that reads them
            self._source.close()

    def _once(self) -> Iterator[FrameEvent]:
        self._source = source = open_camera(self.name, self.entry)
        try:
            if self._stop.is_set():
                return
            if self.entry.kind in _RECORDED and self.entry.fps:
                yield from _paced(source.frames(), self.entry.fps, self._stop)
            else:
                yield from source.frames()
        finally:
            source.close()


def _paced(shots: Iterator[FrameEvent], fps: float, stop: threading.Event) -> Iterator[FrameEvent]:
    start, late = time.time(), 0
    for index, shot in enumerate(shots):
        due = start + index / fps
        if isinstance(shot, SkippedFrame):
            yield shot
        elif time.time() > due + 1 / fps:
            late += 1
        else:
            if stop.wait(max(0.0, due - time.time())):
                return
            yield CapturedFrame(replace(shot.frame, captured_at=due), shot.dropped + late)
            late = 0
