"""What a worker does with a job: the localizer's training, or the trainer of the detector's kind."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from posebot.training import networks
from posebot.training.detectors import trainer
from posebot.training.export import ExportView
from posebot.training.job import Job, Report
from posebot.training.loop import Batch, Hooks


def run(job: Job, hooks: Hooks, rank: int = 0, stream: Iterator[Batch] | None = None) -> None:
    """Train, or continue, until the budget is spent. `stream` replaces the cache."""
    torch.manual_seed(job.config.seed)
    if hooks.first:
        hooks.report = _written(job.out, hooks.report)
    if job.network == "detector":
        trainer(job.config.detector.kind).train(job, hooks, rank, stream)
    else:
        networks.train(job, hooks, rank, stream)


def trained(job: Job) -> ExportView:
    """The trained network as it is exported, from the files in `job.out`."""
    if job.network == "detector":
        return trainer(job.config.detector.kind).trained(job)
    return networks.trained(job)


def spent(job: Job) -> dict[str, float]:
    """Samples seen and minutes used, as far as the trainer knows them, for the bundle's provenance."""
    if job.network == "detector":
        return trainer(job.config.detector.kind).spent(job)
    return networks.spent(job)


def _written(out: Path, report: Report) -> Report:
    """`report` that also adds a line to `metrics.jsonl`, from which command line and MLflow learn of the progress."""
    out.mkdir(parents=True, exist_ok=True)

    def write(progress: float, metrics: dict[str, float]) -> None:
        line = json.dumps({"time": time.time(), "progress": progress, "metrics": metrics})
        with (out / "metrics.jsonl").open("a") as file:
            file.write(line + "\n")
        report(progress, metrics)

    return write
