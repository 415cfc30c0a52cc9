"""Progress of a training, read from the `metrics.jsonl` that its first worker writes, wherever that worker runs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from posebot.training.timeline import Timeline, spoken
from posebot.training.tracking import Tracker

Say = Callable[[str], None]
QUIET_S = 8.0
"""Seconds without a line after which one is said."""
_EVERY_S = 0.5
_LOSSES = ("loss", "error")


@dataclass(frozen=True)
class Report:
    """One line of `metrics.jsonl`: seconds since the epoch, progress 0..1, metrics by name."""

    time: float
    progress: float
    metrics: dict[str, float]


def read(path: Path, offset: int = 0) -> tuple[list[Report], int]:
    """The whole lines after byte `offset`, and the offset behind them. A line that is cut off is left for later."""
    if not path.exists():
        return [], offset
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read()
    end = data.rfind(b"\n") + 1
    return [Report(**json.loads(line)) for line in data[:end].splitlines()], offset + end


def falling(reports: Sequence[Report]) -> tuple[float, float] | None:
    """What was learned towards (the error, or else the loss) before and at the end of the last quarter, each the mean
    of a tenth of the run; None where either was not reported."""
    name = next((name for name in reversed(_LOSSES) if any(name in one.metrics for one in reports)), "")

    def mean(low: float, high: float) -> float | None:
        values = [one.metrics[name] for one in reports if low < one.progress <= high and name in one.metrics]
        return sum(values) / len(values) if values else None

    before, after = mean(0.65, 0.75), mean(0.9, 1.0)
    return None if before is None or after is None else (before, after)


class Narrator:
    """Says what a training does, a line at least every `QUIET_S` seconds, each with the time left for all of it.

    A context: while it is open, a thread says again what is going on wherever nothing else was said.

    Args:
        say: receives each line. timeline: of the stages; `begin`, `at` and `end` of this class move it on.
    """

    def __init__(self, say: Say, timeline: Timeline | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._clock = say, clock
        self.timeline = timeline or Timeline({}, clock)
        self._lock, self._stop = threading.RLock(), threading.Event()
        self._doing, self._since, self._spoke = ("start", "loading torch, reading the data set"), clock(), clock()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def __call__(self, line: str) -> None:
        """Say a line as it is."""
        with self._lock:
            self._spoke = self._clock()
            self._say(line)

    def begin(self, stage: str, doing: str = "") -> None:
        """A stage of the timeline starts."""
        with self._lock:
            self.timeline.begin(stage)
            self.doing(stage, doing or "starting")

    def doing(self, stage: str, what: str) -> None:
        """What is going on from now on; said only if it takes long."""
        with self._lock:
            self._doing, self._since = (stage, what), self._clock()

    def at(self, stage: str, share: float, text: str, *, every_s: float = 0.0) -> None:
        """The stage is done by this share; said if the last line is older than `every_s`, and at its end."""
        with self._lock:
            self.timeline.at(share)
            self._doing, self._since = (stage, text), self._clock()
            if share >= 1 or self._clock() - self._spoke >= every_s:
                self(f"{stage:<10} {text}{self._left()}")

    def end(self, stage: str) -> None:
        """The stage is over."""
        with self._lock:
            self.timeline.end(stage)

    def again(self) -> None:
        """Say what is going on, if nothing was said for `QUIET_S` seconds."""
        with self._lock:
            if self._clock() - self._spoke >= QUIET_S:
                (stage, what), lasted = self._doing, self._clock() - self._since
                self(f"{stage:<10} {what} ({lasted:.0f} s){self._left()}")

    def _left(self) -> str:
        seconds = self.timeline.left()
        return f"  about {spoken(seconds)} left" if seconds > 0 else ""

    def _watch(self) -> None:
        while not self._stop.wait(_EVERY_S):
            self.again()


@contextmanager
def followed(name: str, path: Path, narrator: Narrator, tracker: Tracker, scale: str = "") -> Iterator[None]:
    """While the body runs, say and track what is added to `path`. scale: see `described`."""
    stop = threading.Event()
    start = path.stat().st_size if path.exists() else 0

    def follow() -> None:
        offset, first, last = start, None, False
        while not last:
            last = stop.wait(_EVERY_S)
            reports, offset = read(path, offset)
            for report in reports:
                first = first or report
                if 0 < report.progress < 1:  # the last report may speak of no time at all
                    narrator.timeline.speed(report.metrics.get("samples_per_s", 0.0))
                narrator.at(name, report.progress, described(report, first, scale))
                tracked = {f"{name}/{key}": value for key, value in report.metrics.items()}
                tracker.metrics(int(report.metrics.get("samples", 1000 * report.progress)), tracked)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def described(report: Report, first: Report, scale: str = "") -> str:
    """`42 %  loss 1.234  error 0.256 diameters (0.412 at the start)  68 samples/s  waits for data 3 %`.

    scale: what to compare the error with, such as "kit ended at 0.240".
    """
    metrics, parts = report.metrics, [f"{100 * report.progress:3.0f} %"]
    if "loss" in metrics:
        parts.append(f"loss {metrics['loss']:.3f}")
    if "error" in metrics:
        began = f"{first.metrics['error']:.3f} at the start" if report is not first and "error" in first.metrics else ""
        known = ", ".join(part for part in (began, scale) if part)
        parts.append(f"error {metrics['error']:.3f} diameters" + (f" ({known})" if known else ""))
    if metrics.get("samples_per_s", 0.0) > 0:
        speed = metrics["samples_per_s"]
        parts.append(f"{speed:.0f} samples/s" if speed >= 10 else f"{speed:.1f} samples/s")
    if metrics.get("waited_share", 0.0) > 0:
        parts.append(f"waits for data {100 * metrics['waited_share']:.0f} %")
    return "  ".join(parts)
