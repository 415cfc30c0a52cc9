"""The default trainer of the detector: a centre-heatmap head on the ImageNet encoder (`models.detector_net`)."""

from __future__ import annotations

from collections.abc import Iterator

from posebot.training import networks
from posebot.training.export import ExportView
from posebot.training.job import Job
from posebot.training.loop import Batch, Hooks


class HeatmapTrainer:
    """Trains `DetectorNet` with the loop that the localizer uses as well."""

    distributed = True

    def train(self, job: Job, hooks: Hooks, rank: int = 0, stream: Iterator[Batch] | None = None) -> None:
        networks.train(job, hooks, rank, stream)

    def trained(self, job: Job) -> ExportView:
        return networks.trained(job)

    def spent(self, job: Job) -> dict[str, float]:
        return networks.spent(job)
