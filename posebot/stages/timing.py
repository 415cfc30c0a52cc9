"""Time per stage, compared with the bare runtime on the same networks and inputs."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from posebot.core.frame import Frame
from posebot.models.bundle import Bundle
from posebot.models.runtime import bare_runner, choose
from posebot.models.runtimes import Arrays
from posebot.stages.detect import letterbox, tta_views
from posebot.stages.localize import OnnxLocalizer
from posebot.stages.pipeline import Pipeline
from posebot.stages.undistort import undistort

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
    """Run the pipeline on frames, and after each frame the bare networks on the same inputs.

    Pipeline and networks then see the same load, clock rate and caches. The first two frames are warm-up.

    Args:
        limit: maximum number of objects per frame.
    Returns:
        Timings of the stages, of one crop and of one pose; and the mean number of objects per frame.
    """
    pipeline = Pipeline(bundle, depth=depth, runtime=runtime, threads=threads, limit=limit)
    name = choose(runtime)
    bare_detector = bare_runner(bundle.detector, name, threads)
    bare_localizer = bare_runner(bundle.localizer, name, threads)
    rows: list[dict[str, float]] = []
    for frame in frames:
        row = dict(pipeline(frame).stage_ms)
        image, crops = _inputs(pipeline, undistort(frame))
        row["bare detect"] = _milliseconds(bare_detector, image)
        row["bare localize"] = _milliseconds(bare_localizer, crops) if crops else 0.0
        row["count"] = len(crops["classes"]) if crops else 0
        rows.append(row)
    return _summary(rows[WARM_UP:] or rows)


def _inputs(pipeline: Pipeline, frame: Frame) -> tuple[Arrays, Arrays]:
    """Inputs of the detector and of the localizer for this frame; the latter is empty without crops."""
    spec = pipeline.bundle.manifest.detector
    image = {"image": tta_views(letterbox(frame.rgb, spec.input_size)[0], spec.tta_views)[0]}
    detections = pipeline.detector(frame.rgb)
    if not detections or not isinstance(pipeline.localizer, OnnxLocalizer):
        return image, {}
    return image, pipeline.localizer.inputs(frame.rgb, detections)[0]


def _milliseconds(run: Any, inputs: Arrays) -> float:
    run(inputs)  # warm-up: a new batch size may be planned first
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
