"""The frames of a stream: those of a camera, or of a recording at its own pace and, if configured, in a loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

from posebot.service.settings import StreamSettings
from posebot.video.cameras import CameraEntry
from posebot.video.live import LiveSource
from posebot.video.open_source import open_camera
from posebot.video.source import CapturedFrame, FrameEvent, SkippedFrame, Source


class FrameReader:
    """Opens the source of a stream in the thread that reads its frames. `stop` may be called from any thread."""

    def __init__(self, name: str, entry: CameraEntry, stream: StreamSettings) -> None:
        self.name, self.entry, self.stream = name, entry, stream
        self._stop = threading.Event()
        self._source: Source | None = None

    @property
    def finite(self) -> bool:
        """Whether it ends by itself."""
        return self.entry.recorded and not self.stream.loop

    def frames(self) -> Iterator[FrameEvent]:
        """Frames until `stop`, or until the end of a recording that is not looped.

        A recording with an `fps` is played at that rate, and late frames are dropped as with a camera; without, every
        frame is processed.
        Raises:
            InputError: the source cannot be opened.
        """
        while not self._stop.is_set():
            captured = False
            for event in self._read_once():
                captured = captured or isinstance(event, CapturedFrame)
                yield event
                if self._stop.is_set():
                    return
            if self.finite or not captured:
                return

    def stop(self) -> None:
        """Make `frames` end soon."""
        self._stop.set()
        if isinstance(self._source, LiveSource):  # the others must be closed by the thread that reads them
            self._source.close()

    def _read_once(self) -> Iterator[FrameEvent]:
        self._source = source = open_camera(self.name, self.entry)
        try:
            if self._stop.is_set():
                return
            if self.entry.recorded and self.entry.fps:
                yield from _paced(source.frames(), self.entry.fps, self._stop)
            else:
                yield from source.frames()
        finally:
            source.close()


def _paced(events: Iterator[FrameEvent], fps: float, stop: threading.Event) -> Iterator[FrameEvent]:
    start, late = time.time(), 0
    for index, event in enumerate(events):
        due = start + index / fps
        if isinstance(event, SkippedFrame):
            yield event
        elif time.time() > due + 1 / fps:
            late += 1
        else:
            if stop.wait(max(0.0, due - time.time())):
                return
            yield CapturedFrame(replace(event.frame, captured_at=due), event.dropped + late)
            late = 0
