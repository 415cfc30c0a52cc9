"""Detector trainers: an extension point. A further one is one file with a `DetectorTrainer`, and one entry below.

A trainer gets cached images with boxes (`Job.cache`), a budget (`Job.config.detector`) and a folder (`Job.out`), and
gives a network that obeys the detector's contract of docs/explanation/architecture.md. Inference runs the exported ONNX
file and does not know who trained it.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from posebot.core.deprecation import renamed
from posebot.core.errors import InputError

if TYPE_CHECKING:
    from posebot.training.export import ExportView
    from posebot.training.job import Job
    from posebot.training.loop import Batch, Hooks


class DetectorTrainer(Protocol):
    """Trains detectors of one kind. All of its state is in `job.out`: a killed training continues from there."""

    distributed: bool
    """Whether several workers can train together and samples can be streamed; else one worker trains from the cache."""

    def train(self, job: Job, hooks: Hooks, rank: int = 0, stream: Iterator[Batch] | None = None) -> None:
        """Train until the budget is spent, or continue. `hooks.report` receives progress (0..1) and metrics."""
        ...

    def trained(self, job: Job) -> ExportView:
        """The trained network, ready for `export.export_onnx`: image in; boxes, scores and labels out."""
        ...

    def spent(self, job: Job) -> dict[str, float]:
        """Samples and minutes used, for the bundle's provenance."""
        ...


TRAINERS = {
    "heatmap": "posebot.training.detectors.heatmap:HeatmapTrainer",
    "yolo": "posebot.training.detectors.yolo:YoloTrainer",
}
"""Kind (`detector.kind` of a recipe) to the trainer's class, imported when it is used."""
_RENAMED = {"head": "heatmap"}


def trainer(kind: str) -> DetectorTrainer:
    """The trainer of a kind. Raises InputError for an unknown one."""
    module, _, name = TRAINERS[known_kind(kind)].partition(":")
    made: DetectorTrainer = getattr(import_module(module), name)()
    return made


def known_kind(kind: str) -> str:
    """The kind under its current name. Raises InputError for an unknown one."""
    if kind in _RENAMED:
        renamed("detector.kind", kind, _RENAMED[kind])
        kind = _RENAMED[kind]
    if kind not in TRAINERS:
        raise InputError("detector.kind", f"{kind} is not a trainer", f"one of {', '.join(TRAINERS)}")
    return kind
