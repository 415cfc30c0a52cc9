"""Live cameras: a reader thread keeps the newest frame in one slot; frames that are not taken are dropped."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import InputError
from posebot.core.frame import Frame
from posebot.core.transforms import Array
from posebot.video.intrinsics import Intrinsics
from posebot.video.kinds.base import CameraContext
from posebot.video.latest_slot import LatestSlot
from posebot.video.source import CapturedFrame, FrameEvent, SkippedFrame, redacted

BACKOFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)
OPEN_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 10.0
_EVENT_POLL_S = 0.25


class LiveSource:
    """The newest frame of a camera, read by a thread that reconnects after an interruption.

    Frames are numbered "name/0", "name/1" … as they are read, including dropped ones.

    Args:
        name: of the camera in the configuration. read_frames: opens the camera and yields frames, or the reason why one
            cannot be used; called in the thread, again after each interruption. backoff_s: pauses between attempts; the
            last one repeats; restarted after a frame was received.
    """

    live: bool = True
    total: int | None = None

    def __init__(self, name: str, read_frames: Callable[[], Iterator[Frame | str]], fps: float | None = None,
                 backoff_s: tuple[float, ...] = BACKOFF_S) -> None:
        self.name, self.fps = name, fps
        self._read_frames, self._backoff_s = read_frames, backoff_s
        self._slot: LatestSlot[Frame] = LatestSlot()
        self._events: queue.SimpleQueue[SkippedFrame] = queue.SimpleQueue()
        self._failure: BaseException | None = None
        self._count = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def frames(self, done: Container[str] = ()) -> Iterator[FrameEvent]:
        """Endless, until `close`.

        Raises:
            InputError: the camera cannot be opened. After the first frame it is reconnected without an error.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"camera {self.name}", daemon=True)
            self._thread.start()
        while True:
            taken = self._slot.take(_EVENT_POLL_S)
            with suppress(queue.Empty):
                while True:
                    yield self._events.get_nowait()
            if taken is not None:
                yield CapturedFrame(*taken)
            elif self._failure is not None:
                raise self._failure
            elif self._slot.closed:
                return

    def close(self) -> None:
        self._stop.set()
        self._slot.close()
        if self._thread is not None:
            self._thread.join(timeout=OPEN_TIMEOUT_S)

    def _run(self) -> None:
        try:
            self._read_until_stopped()
        except BaseException as error:  # raised again in the consumer's thread
            self._failure = error
        finally:
            self._slot.close()

    def _read_until_stopped(self) -> None:
        attempt = 0
        while not self._stop.is_set():
            before, reason = self._count, "the camera has ended"
            try:
                self._read_once()
            except InputError as error:
                if self._count == 0:
                    raise
                reason = str(error)
            if self._stop.is_set():
                return
            attempt = 0 if self._count > before else attempt + 1
            pause = self._backoff_s[min(attempt, len(self._backoff_s) - 1)]
            self._skip(f"{reason}; trying again in {pause:g} s")
            self._stop.wait(pause)

    def _read_once(self) -> None:
        for item in self._read_frames():
            if isinstance(item, str):
                self._skip(item)
            else:
                self._slot.put(replace(item, frame_id=f"{self.name}/{self._count}"))
                self._count += 1
            if self._stop.is_set():
                return

    def _skip(self, reason: str) -> None:
        self._events.put(SkippedFrame(f"{self.name}/{self._count}", redacted(reason)))


@dataclass(frozen=True)
class FrameBuilder:
    """Frames from the images of a live camera: intrinsics, constant pose 4x4 (or None), whether K may be resized."""

    name: str
    intrinsics: Intrinsics
    base_from_cam: Array | None = None
    scale_camera: bool = False

    @classmethod
    def of(cls, context: CameraContext) -> FrameBuilder:
        """The builder of a configured camera. Raises InputError if it has no intrinsics."""
        return cls(context.name, context.intrinsics, context.base_from_cam, context.scale_camera)

    def frame(self, rgb: NDArray[np.uint8]) -> Frame:
        """A frame captured now. Raises InputError if the image size is not that of the intrinsics."""
        camera = self.intrinsics.for_size(rgb.shape[1], rgb.shape[0], self.scale_camera)
        return Frame(rgb, camera, None, self.base_from_cam, self.name, time.time())
