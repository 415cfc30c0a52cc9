"""One stream: a thread that processes the newest frame and publishes the newest result."""

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
from posebot.service.streams.camera_errors import announced_retry_s, error_code
from posebot.service.streams.camera_pose import CameraPoseProvider
from posebot.service.streams.frame_reader import FrameReader
from posebot.service.streams.fusion import StreamFusion
from posebot.service.streams.output import StreamOutput
from posebot.service.streams.recorder import Recorder
from posebot.service.streams.stats import StreamStats
from posebot.stages.undistort import undistort
from posebot.video.live import BACKOFF_S
from posebot.video.overlay import Overlay
from posebot.video.source import FrameEvent, SkippedFrame, redacted

log = logging.getLogger("posebot.service")
_ENGINE_PAUSE_S = 0.5
_MAX_MESSAGE = 200
_NEEDS_USER = ("bad_input", "not_found")  # codes that a retry alone will not cure
Infer = Callable[[Frame, str | None], Prediction]


@dataclass(frozen=True)
class _StreamModel:
    """What a stream keeps of the model that computed its newest result."""

    key: tuple[str, str, str]
    fusion: StreamFusion
    overlay: Overlay


class StreamRunner:
    """Runs until it is stopped or a recording ends. Bad frames, a lost camera or a failing engine do not end it.

    Args:
        name: of the camera in the settings. infer: may block, and may fail. open_bundle: by name in the settings.
        restarts: how often the process of this stream has been restarted.

    Attributes:
        listeners: called in the stream's thread when the state or the newest result has changed.
    """

    def __init__(self, name: str, settings: Settings, infer: Infer, open_bundle: Callable[[str], Bundle],
                 restarts: int = 0) -> None:
        self.name, self.settings, self.restarts = name, settings, restarts
        self.entry, self.stream = settings.cameras[name], settings.stream(name)
        self.stats = StreamStats()
        self.listeners: list[Callable[[], None]] = []
        self.camera_pose = CameraPoseProvider(self.entry, self.stream)
        self.started_at = time.time()
        self._infer, self._open_bundle = infer, open_bundle
        self._reader = FrameReader(name, self.entry, self.stream)
        self._stopping = threading.Event()
        self._newest: StreamOutput | None = None
        self._model: _StreamModel | None = None
        self._error: dict[str, Any] | None = None
        self._state = "starting"  # without staleness, see `state`
        self._recorder: Recorder | None = None
        if restarts:
            self._fail("restarted", "the stream's process died and was restarted", "starting", None)
        self._thread = threading.Thread(target=self._run, name=f"stream {name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float = 15.0) -> None:
        """Stop, and finish the recordings."""
        self._stopping.set()
        self._reader.stop()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        self._notify()

    @property
    def alive(self) -> bool:
        """Whether its thread is running."""
        return self._thread.is_alive()

    @property
    def newest(self) -> StreamOutput | None:
        """The newest result, None before the first."""
        return self._newest

    @property
    def state(self) -> str:
        """See `schemas.streams.State`."""
        age_s = self._age_s()
        stale = age_s is not None and age_s > self.settings.stale_after_s
        return "stale" if self._state == "running" and stale else self._state

    def status(self) -> dict[str, Any]:
        """See `schemas.streams.StreamStatus`."""
        newest, recorder, age_s = self._newest, self._recorder, self._age_s()
        return {"name": self.name, "kind": self.entry.kind, "state": self.state, "error": self._error,
                "bundle": None if newest is None else newest.model, "fps": self.stats.fps(),
                "frames": self.stats.frames, "dropped": self.stats.dropped, "skipped": self.stats.skipped,
                "age_ms": None if age_s is None else round(1000 * max(0.0, age_s), 1),
                "frame_id": None if newest is None else newest.frame.frame_id, "started_at": self.started_at,
                "restarts": self.restarts, "robot_pose": self.camera_pose.kind, "stage_ms": self.stats.medians(),
                "recording": None if recorder is None else recorder.status()}

    def _age_s(self) -> float | None:
        newest = self._newest
        return None if newest is None else time.time() - newest.frame.captured_at

    def _run(self) -> None:
        attempt = 0
        try:
            while not self._stopping.is_set():
                frames_before = self.stats.frames
                if self._read_source(attempt) or self._stopping.is_set():
                    return
                attempt = 1 if self.stats.frames > frames_before else attempt + 1
                self._stopping.wait(BACKOFF_S[min(attempt, len(BACKOFF_S)) - 1])
        finally:
            self._state = "stopped"
            if self._recorder is not None:
                self._recorder.close()
            self._notify()

    def _read_source(self, attempt: int) -> bool:
        """Open the source and process its frames until it ends. Returns whether the stream is finished."""
        pause_s = BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)]
        try:
            self._open_recorder()
            for event in self._reader.frames():
                self._process(event)
            if self._reader.finite or self._stopping.is_set():
                return True
            self._fail("disconnected", "the camera has ended", "reconnecting", pause_s)
        except InputError as error:
            code = error_code(f"{error.problem}")
            state = "failed" if code in _NEEDS_USER else "reconnecting"
            self._fail(code, redacted(str(error)), state, pause_s)
        except Exception as error:
            log.exception("stream %s", self.name)
            self._fail("engine", _describe(error), "failed", pause_s)
        return False

    def _open_recorder(self) -> None:
        if self.stream.record is not None and self._recorder is None:
            self._recorder = Recorder(self.settings.state / "streams" / self.name, self.stream.record, self.name)

    def _process(self, event: FrameEvent) -> None:
        if isinstance(event, SkippedFrame):
            self._skip(event.reason)
            return
        try:
            frame = self.camera_pose.with_pose(undistort(event.frame))
            prediction = self._infer(frame, self.stream.bundle)
        except Exception as error:  # a fault of one frame or one replica: the stream goes on
            self.stats.skipped += 1
            self._fail("engine", _describe(error), "running", _ENGINE_PAUSE_S)
            self._stopping.wait(_ENGINE_PAUSE_S)
            return
        self._publish(frame, prediction, event.dropped)

    def _skip(self, reason: str) -> None:
        self.stats.skipped += 1
        retry_s, message = announced_retry_s(reason), redacted(reason)
        if retry_s is not None:
            self._fail(error_code(message), message, "reconnecting", retry_s)

    def _publish(self, frame: Frame, prediction: Prediction, dropped: int) -> None:
        model = self._model_of(prediction)
        result = prediction.result.replace(dropped=dropped)
        remembered: tuple[PoseEstimate, ...] = ()
        if self.stream.fuse:
            result = _fuse(model.fusion, frame, result)
            remembered = model.fusion.remembered(result)
        result = result.replace(age_ms=1000 * max(0.0, time.time() - frame.captured_at))
        sequence = 1 if self._newest is None else self._newest.sequence + 1
        output = StreamOutput(self.name, sequence, frame, result, prediction.model, model.overlay, remembered)
        self.stats.add(result)
        self._newest, self._state, self._error = output, "running", None
        self._notify()
        if self._recorder is not None:
            self._recorder.write(output)

    def _model_of(self, prediction: Prediction) -> _StreamModel:
        key = (prediction.bundle, prediction.version, prediction.digest)
        if self._model is None or self._model.key != key:
            bundle = self._open_bundle(prediction.bundle)
            self._model = _StreamModel(key, StreamFusion(bundle, self.camera_pose.error), Overlay(bundle.objects))
        return self._model

    def _fail(self, code: str, message: str, state: str, retry_s: float | None) -> None:
        self.stats.errors[code] += 1
        previous = self._error if self._error is not None and self._error["code"] == code else None
        now = time.time()
        if previous is None:
            log.warning("stream %s: %s: %s", self.name, code, message)
        self._error = {"code": code, "message": message, "since": previous["since"] if previous else now,
                       "attempt": previous["attempt"] + 1 if previous else 1,
                       "retry_at": None if retry_s is None else now + retry_s}
        self._state = state
        self._notify()

    def _notify(self) -> None:
        for listener in list(self.listeners):
            listener()


def _fuse(fusion: StreamFusion, frame: Frame, result: FrameResult) -> FrameResult:
    """The fused result, with the time of fusion added to its stages: the engine does not fuse."""
    start = time.perf_counter()
    fused = fusion(frame, result)
    elapsed_ms = 1000 * (time.perf_counter() - start)
    stages = {name: ms + elapsed_ms if name in ("fuse", "total") else ms for name, ms in fused.stage_ms.items()}
    return fused.replace(stage_ms=stages)


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {redacted(str(error))[:_MAX_MESSAGE]}"
