"""Progress of a training, read from the `metrics.jsonl` that its first worker writes, wherever that worker runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from posebot.training.tracking import Tracker

Say = Callable[[str], None]
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


@contextmanager
def followed(name: str, path: Path, say: Say, tracker: Tracker) -> Iterator[None]:
    """While the body runs, say and track what is added to `path`."""
    stop = threading.Event()
    start = path.stat().st_size if path.exists() else 0

    def follow() -> None:
        offset, first, last = start, None, False
        while not last:
            last = stop.wait(_EVERY_S)
            reports, offset = read(path, offset)
            for report in reports:
                first = first or report
                say(f"{name:<10} {described(report, first)}")
                tracked = {f"{name}/{key}": value for key, value in report.metrics.items()}
                tracker.metrics(int(report.metrics.get("samples", 1000 * report.progress)), tracked)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def described(report: Report, first: Report) -> str:
    """`42 %  loss 1.234  error 0.056  68 samples/s  waits for data 3 %  about 12 min left`."""
    metrics, parts = report.metrics, [f"{100 * report.progress:3.0f} %"]
    parts += [f"{name} {metrics[name]:.3f}" for name in _LOSSES if name in metrics]
    if "samples_per_s" in metrics:
        parts.append(f"{metrics['samples_per_s']:.0f} samples/s")
    if "waited_share" in metrics:
        parts.append(f"waits for data {100 * metrics['waited_share']:.0f} %")
    gained = report.progress - first.progress  # since this process started: a resumed run has done the rest before
    if gained > 0.01 and report.progress < 1:
        left = (report.time - first.time) / gained * (1 - report.progress)
        parts.append(f"about {left / 60:.0f} min left" if left > 90 else f"about {left:.0f} s left")
    return "  ".join(parts)
