"""One stream at work: a thread that takes the newest frame, has it looked at, and shows the newest result."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from posebot.core.errors import InputError
from posebot.core.frame import Frame
from posebot.core.results import FrameResult, PoseEstimate
from posebot.models.bundle import Bundle
from posebot.service.engine.interface import Prediction
from posebot.service.settings import Settings
from posebot.service.streams.camera_errors import code_of, retry_s
from posebot.service.streams.camera_pose import CameraPoseProvider
from posebot.service.streams.frame_reader import FrameReader
from posebot.service.streams.fusion import StreamFusion
from posebot.service.streams.output import StreamOutput
from posebot.service.streams.recording import Recorder
from posebot.service.streams.stats import StreamStats
from posebot.stages.undistort import undistort
from posebot.video.live import BACKOFF_S
from posebot.video.overlay import Overlay
from posebot.video.source import CapturedFrame, SkippedFrame, redacted

log = logging.getLogger("posebot.service")
_ENGINE_PAUSE_S = 0.5
Infer = Callable[[Frame, str | None], Prediction]


@dataclass(frozen=True)
class _View:
    """What is needed of the bundle that the newest result is from."""

    key: tuple[str, str, str]
    fusing: StreamFusion
    overlay: Overlay


class StreamRunner:
    """Runs until it is stopped or a recording is over. A bad frame, a lost camera or a failing engine never end it.

    Args:
        name: the camera's in the settings. infer: may block and may fail. open_bundle: by name in the settings.
    """

    def __init__(self, name: str, settings: Settings, infer: Infer, open_bundle: Callable[[str], Bundle],
                 restarts: int = 0) -> None:
        self.name, self.settings, self.restarts = name, settings, restarts
        self.entry, self.stream = settings.cameras[name], settings.stream(name)
        self.meter = StreamStats()
        self.listeners: list[Callable[[], None]] = []  # called in the stream's thread when anything has changed
        self.placing = CameraPoseProvider(self.entry, self.stream)
        self._infer, self._open_bundle = infer, open_bundle
        self._feed = FrameReader(name, self.entry, self.stream)
        self._stop = threading.Event()
        self._newest: StreamOutput | None = None
        self._view: _View | None = None
        self._error: dict[str, Any] | None = None
        self._down: str = "starting"  # what the state is while no frames come
        self._recorder: Recorder | None = None
        self.started_at = time.time()
        if restarts:
            self._fail("restarted", "the stream's process died and was started again", "starting", None)
        self._thread = threading.Thread(target=self._run, name=f"stream {name}", daemon=True)

    def start(self) -> None:
        """Begin, in a thread."""
        self._thread.start()

    def stop(self, timeout: float = 15.0) -> None:
        """End, and finish the recordings."""
        self._stop.set()
        self._feed.end()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        self._tell()

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    @property
    def newest(self) -> StreamOutput | None:
        """The newest result, None before the first."""
        return self._newest

    @property
    def state(self) -> str:
        """See `schemas.streams.State`."""
        newest = self._newest
        late = newest is not None and time.time() - newest.frame.captured_at > self.settings.stale_after_s
        return "stale" if self._down == "running" and late else self._down

    def status(self) -> dict[str, Any]:
        """See `schemas.streams.StreamStatus`."""
        newest, recorder = self._newest, self._recorder
        age_ms = None if newest is None else 1000 * max(0.0, time.time() - newest.frame.captured_at)
        return {"name": self.name, "kind": self.entry.kind, "state": self.state, "error": self._error,
                "bundle": None if newest is None else newest.model, "fps": self.meter.fps(),
                "frames": self.meter.frames, "dropped": self.meter.dropped, "skipped": self.meter.skipped,
                "age_ms": None if age_ms is None else round(age_ms, 1),
                "frame_id": None if newest is None else newest.frame.frame_id, "started_at": self.started_at,
                "restarts": self.restarts, "robot_pose": self.placing.kind, "stage_ms": self.meter.medians(),
                "recording": None if recorder is None else recorder.status()}

    def _run(self) -> None:
        attempt = 0
        try:
            while not self._stop.is_set():
                before = self.meter.frames
                if self._once(attempt) or self._stop.is_set():
                    return
                attempt = 1 if self.meter.frames > before else attempt + 1
                self._stop.wait(BACKOFF_S[min(attempt, len(BACKOFF_S)) - 1])
        finally:
            self._down = "stopped"
            if self._recorder is not None:
                self._recorder.close()
            self._tell()

    def _once(self, attempt: int) -> bool:
        """Open the source and work until it ends; whether it ended as it should."""
        pause = BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)]
        try:
            self._record()
            for shot in self._feed.frames():
                self._take(shot)
            if self._feed.finite or self._stop.is_set():
                return True
            self._fail("disconnected", "the camera has ended", "reconnecting", pause)
        except InputError as error:
            reason = redacted(str(error))
            code = code_of(f"{error.problem}")
            self._fail(code, reason, "failed" if code in ("bad_input", "not_found") else "reconnecting", pause)
        except Exception as error:
            log.exception("stream %s", self.name)
            self._fail("engine", f"{type(error).__name__}: {redacted(str(error))[:200]}", "failed", pause)
        return False

    def _record(self) -> None:
        if self.stream.record is not None and self._recorder is None:
            self._recorder = Recorder(self.settings.state / "streams" / self.name, self.stream.record, self.name)

    def _take(self, shot: CapturedFrame | SkippedFrame) -> None:
        if isinstance(shot, SkippedFrame):
            self.meter.skipped += 1
            pause, reason = retry_s(shot.reason), redacted(shot.reason)
            if pause is not None:
                self._fail(code_of(reason), reason, "reconnecting", pause)
            return
        try:
            frame = self.placing.placed(undistort(shot.frame))
            answer = self._infer(frame, self.stream.bundle)
        except Exception as error:  # what is wrong with one frame, or with a replica, passes
            self.meter.skipped += 1
            self._fail("engine", f"{type(error).__name__}: {redacted(str(error))[:200]}", "running", _ENGINE_PAUSE_S)
            self._stop.wait(_ENGINE_PAUSE_S)
            return
        self._publish(frame, answer, shot.dropped)

    def _publish(self, frame: Frame, answer: Prediction, dropped: int) -> None:
        view = self._viewed(answer)
        result = answer.result.replace(dropped=dropped)
        remembered: tuple[PoseEstimate, ...] = ()
        if self.stream.fuse:
            result = _timed(view.fusing, frame, result)
            remembered = view.fusing.remembered(result)
        result = result.replace(age_ms=1000 * max(0.0, time.time() - frame.captured_at))
        sequence = 1 if self._newest is None else self._newest.sequence + 1
        published = StreamOutput(self.name, sequence, frame, result, answer.model, view.overlay, remembered)
        self.meter.add(result)
        self._newest, self._down, self._error = published, "running", None
        self._tell()
        if self._recorder is not None:
            self._recorder.write(published)

    def _viewed(self, answer: Prediction) -> _View:
        key = (answer.bundle, answer.version, answer.digest)
        if self._view is None or self._view.key != key:
            bundle = self._open_bundle(answer.bundle)
            self._view = _View(key, StreamFusion(bundle, self.placing.error), Overlay(bundle.objects))
        return self._view

    def _fail(self, code: str, message: str, state: str, pause: float | None) -> None:
        self.meter.errors[code] += 1
        known = self._error if self._error is not None and self._error["code"] == code else None
        now = time.time()
        if known is None:
            log.warning("stream %s: %s: %s", self.name, code, message)
        error = {"code": code, "message": message, "since": known["since"] if known else now,
                 "attempt": known["attempt"] + 1 if known else 1, "retry_at": None if pause is None else now + pause}
        self._error, self._down = error, state
        self._tell()

    def _tell(self) -> None:
        for listener in list(self.listeners):
            listener()


def _timed(fusing: StreamFusion, frame: Frame, result: FrameResult) -> FrameResult:
    """The fused result; its time counts as the stage that the engine, which knows no stream, had nothing to do in."""
    start = time.perf_counter()
    fused = fusing(frame, result)
    spent = 1000 * (time.perf_counter() - start)
    stages = {name: ms + spent if name in ("fuse", "total") else ms for name, ms in fused.stage_ms.items()}
    return fused.replace(stage_ms=stages)
