"""Statistics of one stream: for its status, and for Prometheus."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import Any

import numpy as np

from posebot.core.results import FrameResult

BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_RECENT, _RATE_S = 60, 10.0


class Histogram:
    """Counts by upper bound in seconds, as in Prometheus."""

    def __init__(self) -> None:
        self.counts, self.sum = [0] * (len(BUCKETS_S) + 1), 0.0

    def add(self, seconds: float) -> None:
        """Count a value."""
        self.counts[int(np.searchsorted(BUCKETS_S, seconds))] += 1
        self.sum += seconds

    def to_dict(self) -> dict[str, Any]:
        return {"counts": list(self.counts), "sum": self.sum}


class StreamStats:
    """Counters, histograms and recent stage times. Written by the stream's thread, read by others."""

    def __init__(self) -> None:
        self.frames = self.dropped = self.skipped = 0
        self.statuses: Counter[str] = Counter()
        self.labels: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.age = Histogram()
        self.stages: dict[str, Histogram] = {}
        self._recent: deque[tuple[float, dict[str, float]]] = deque(maxlen=_RECENT)

    def add(self, result: FrameResult) -> None:
        """Count a result."""
        self.frames += 1
        self.dropped += result.dropped
        self.statuses.update(estimate.status for estimate in result.estimates)
        self.labels.update(estimate.label for estimate in result.estimates)
        self.age.add(result.age_ms / 1000)
        for stage, milliseconds in result.stage_ms.items():
            self.stages.setdefault(stage, Histogram()).add(milliseconds / 1000)
        self._recent.append((time.monotonic(), result.stage_ms))

    def fps(self) -> float:
        """Results a second over the last ten seconds."""
        now = time.monotonic()
        times = [moment for moment, _ in list(self._recent) if now - moment < _RATE_S]
        return round((len(times) - 1) / (times[-1] - times[0]), 2) if len(times) > 1 else 0.0

    def medians(self) -> dict[str, float]:
        """Milliseconds of each stage, over the last results."""
        recent = [stages for _, stages in list(self._recent)]
        names = recent[-1] if recent else {}
        return {name: round(float(np.median([stages.get(name, 0.0) for stages in recent])), 2) for name in names}

    def to_dict(self) -> dict[str, Any]:
        """For `web.metrics.Metrics`."""
        return {"frames": self.frames, "dropped": self.dropped, "skipped": self.skipped,
                "statuses": dict(self.statuses), "labels": dict(self.labels), "errors": dict(self.errors),
                "age": self.age.to_dict(), "stages": {name: one.to_dict() for name, one in list(self.stages.items())}}
