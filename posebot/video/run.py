"""The main loop: frames from a source, through a pipeline, into sinks; with a summary of counts and times."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from posebot.core.errors import InputError
from posebot.core.frame import Frame
from posebot.core.results import FrameResult
from posebot.stages.undistort import undistort
from posebot.video.overlay import Overlay
from posebot.video.sinks import Output, Sink
from posebot.video.source import SkippedFrame, Source

_SHOWN_SKIPS, _SHOWN_REASONS = 20, 5


@dataclass
class RunSummary:
    """Counts and times of a run.

    Attributes:
        frames: with a result, including those of an interrupted run (`resumed`). skipped: images that could not be
            used; the first ones with reasons in `bad_frames`. dropped: frames that a live source dropped.
        objects: estimates by status. empty: frames in which nothing was found, by why that may be so.
        stage_ms: times of each stage, one per frame of this run. seconds: wall time.
    """

    frames: int = 0
    resumed: int = 0
    skipped: int = 0
    dropped: int = 0
    seconds: float = 0.0
    objects: Counter[str] = field(default_factory=Counter)
    empty: Counter[str] = field(default_factory=Counter)
    stage_ms: dict[str, list[float]] = field(default_factory=dict)
    bad_frames: list[SkippedFrame] = field(default_factory=list)

    def add(self, result: FrameResult, resumed: bool) -> None:
        """Count a result."""
        self.frames += 1
        if not result.estimates:
            self.empty[result.nothing_found] += 1
        self.objects.update(estimate.status for estimate in result.estimates)
        if resumed:
            self.resumed += 1
            return
        self.dropped += result.dropped
        for stage, milliseconds in result.stage_ms.items():
            self.stage_ms.setdefault(stage, []).append(milliseconds)

    def skip(self, skipped: SkippedFrame) -> None:
        """Count an image that could not be used."""
        self.skipped += 1
        if len(self.bad_frames) < _SHOWN_SKIPS:
            self.bad_frames.append(skipped)

    def times(self) -> dict[str, tuple[float, float]]:
        """Median and 95th percentile of each stage, milliseconds."""
        return {stage: (float(np.median(values)), float(np.quantile(values, 0.95)))
                for stage, values in self.stage_ms.items()}

    def to_dict(self) -> dict[str, Any]:
        return {
            "frames": self.frames, "resumed": self.resumed, "skipped": self.skipped, "dropped": self.dropped,
            "seconds": round(self.seconds, 3), "objects": dict(self.objects),
            "nothing_found": {"frames": self.empty.total(), "reasons": dict(self.empty.most_common(_SHOWN_REASONS))},
            "stage_ms": {stage: {"median": round(median, 2), "p95": round(high, 2)}
                         for stage, (median, high) in self.times().items()},
            "bad_frames": [{"frame_id": bad.frame_id, "reason": bad.reason} for bad in self.bad_frames],
        }


def run(source: Source, pipeline: Callable[[Frame], FrameResult], sinks: Sequence[Sink], overlay: Overlay,
        summary: RunSummary, *, limit: int | None = None, known: Mapping[str, FrameResult] | None = None,
        progress: Callable[[Output | SkippedFrame], None] = lambda event: None) -> None:
    """Process a source until its end, or until `limit` frames have a result. Updates `summary`.

    Args:
        known: results of an interrupted run by frame_id. They are not computed again; sinks with `needs_image` get
            these frames again, since videos cannot be appended. progress: is called for every frame and bad image.
    """
    known = known or {}
    redraw = [sink for sink in sinks if sink.needs_image]
    if not redraw:
        for result in known.values():
            summary.add(result, resumed=True)
    start = time.monotonic()
    try:
        if limit is not None and summary.frames >= limit:
            return
        for captured in source.frames(done=() if redraw else known):
            if isinstance(captured, SkippedFrame):
                event: Output | SkippedFrame = captured
            else:
                event = _processed(undistort(captured.frame), captured.dropped, pipeline, known, overlay)
            if isinstance(event, SkippedFrame):
                summary.skip(event)
            else:
                resumed = event.result.frame_id in known
                for sink in redraw if resumed else sinks:
                    sink.write(event)
                summary.add(event.result, resumed)
            progress(event)
            if limit is not None and summary.frames >= limit:
                return
    finally:
        summary.seconds = time.monotonic() - start


def _processed(frame: Frame, dropped: int, pipeline: Callable[[Frame], FrameResult], known: Mapping[str, FrameResult],
               overlay: Overlay) -> Output | SkippedFrame:
    result = known.get(frame.frame_id)
    if result is None:
        try:
            result = pipeline(frame).replace(dropped=dropped)
        except InputError as error:
            return SkippedFrame(frame.frame_id, str(error))
    return Output(frame, result, overlay)
