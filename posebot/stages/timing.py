"""How long each stage takes, beside what the bare runtime takes for the same networks on the same inputs."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from posebot.core.frame import Frame
from posebot.models.bundle import Bundle
from posebot.models.runtime import Arrays, bare_runner, choose
from posebot.stages.detect import letterbox, looks
from posebot.stages.localize import OnnxLocalizer
from posebot.stages.pipeline import Pipeline, straight

STAGES = ("detect", "localize", "pose", "certainty", "fuse", "total")
WARM_UP = 2


@dataclass(frozen=True)
class Timing:
    """Milliseconds over the frames: median and 90th percentile; `bare_ms`: median of the runtime alone, None = none."""

    name: str
    median_ms: float
    p90_ms: float
    bare_ms: float | None = None

    @property
    def ratio(self) -> float | None:
        return None if not self.bare_ms else self.median_ms / self.bare_ms

    def to_dict(self) -> dict[str, Any]:
        rounded = {"median_ms": round(self.median_ms, 3), "p90_ms": round(self.p90_ms, 3)}
        bare = None if self.bare_ms is None else round(self.bare_ms, 3)
        return {"name": self.name, **rounded, "bare_ms": bare, "ratio": self.ratio and round(self.ratio, 3)}


def time_stages(bundle: Bundle, frames: Iterable[Frame], runtime: str = "auto", threads: int = 0, depth: bool = True,
                limit: int = 20) -> tuple[list[Timing], float]:
    """Run the pipeline on frames, and after each of them the bare networks on what they got.

    Network and pipeline share the machine's state (load, clock, caches) that way. The first two frames are not counted.

    Args:
        limit: most objects that are looked at in one frame.
    Returns:
        Timings of the stages, of one crop and of one pose; and the mean number of objects looked at in a frame.
    """
    pipeline = Pipeline(bundle, depth=depth, runtime=runtime, threads=threads, limit=limit)
    name = choose(runtime)
    bare_detector = bare_runner(bundle.detector, name, threads)
    bare_localizer = bare_runner(bundle.localizer, name, threads)
    rows: list[dict[str, float]] = []
    for frame in frames:
        row = dict(pipeline(frame).stage_ms)
        picture, crops = _inputs(pipeline, straight(frame))
        row["bare detect"] = _milliseconds(bare_detector, picture)
        row["bare localize"] = _milliseconds(bare_localizer, crops) if crops else 0.0
        row["count"] = len(crops["classes"]) if crops else 0
        rows.append(row)
    return _summary(rows[WARM_UP:] or rows)


def _inputs(pipeline: Pipeline, frame: Frame) -> tuple[Arrays, Arrays]:
    """What the two networks get for this frame; no crops, no second input."""
    spec = pipeline.bundle.manifest.detector
    picture = {"image": looks(letterbox(frame.rgb, spec.input_size)[0], spec.looks)[0]}
    detections = pipeline.detector(frame.rgb)
    if not detections or not isinstance(pipeline.localizer, OnnxLocalizer):
        return picture, {}
    return picture, pipeline.localizer.inputs(frame.rgb, detections)[0]


def _milliseconds(run: Any, inputs: Arrays) -> float:
    run(inputs)  # another batch size than before may be planned anew: that is not counted
    start = time.perf_counter()
    run(inputs)
    return 1000 * (time.perf_counter() - start)


def _summary(rows: list[dict[str, float]]) -> tuple[list[Timing], float]:
    if not rows:
        return [], 0.0
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    bare = {"detect": columns["bare detect"], "localize": columns["bare localize"]}
    bare["total"] = bare["detect"] + bare["localize"]
    timings = [_timing(stage, columns[stage], bare.get(stage)) for stage in STAGES]
    busy = columns["count"] > 0
    if busy.any():
        count = columns["count"][busy]
        timings += [_timing("localize, a crop", columns["localize"][busy] / count, bare["localize"][busy] / count),
                    _timing("pose, an object", columns["pose"][busy] / count, None)]
    return timings, float(columns["count"].mean())


def _timing(name: str, values: np.ndarray[Any, Any], bare: np.ndarray[Any, Any] | None) -> Timing:
    return Timing(name, float(np.median(values)), float(np.quantile(values, 0.9)),
                  None if bare is None else float(np.median(bare)))
