"""One network to be trained, as plain data that can be sent to any worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from posebot.datasets.sample_source import Kind, SampleSource, open_dataset
from posebot.training.config import TrainConfig
from posebot.training.detectors import trainer

Report = Callable[[float, dict[str, float]], None]
"""Receives progress, 0 to 1, and metrics."""
Name = Literal["detector", "localizer"]


@dataclass(frozen=True)
class Job:
    """Which network to train, on what, and where.

    Attributes:
        network: which. config: of the whole run. source: the images. cache: folder of shards cut from them.
        out: folder of the checkpoint and of `metrics.jsonl`. start: bundle to begin with; None: ImageNet weights.
        focus: classes of which the localizer gets as many crops from the cache as of all others together.
    """

    network: Name
    config: TrainConfig
    source: SampleSource
    cache: Path
    out: Path
    start: Path | None = None
    focus: tuple[int, ...] = ()

    @property
    def distributed(self) -> bool:
        """Whether several workers can train this network, and its samples can be streamed."""
        return self.network == "localizer" or trainer(self.config.detector.kind).distributed

    @property
    def kind(self) -> Kind:
        """Which samples it learns from."""
        return "frames" if self.network == "detector" else "crops"

    @property
    def labels(self) -> list[str]:
        """Names of the objects in class order."""
        objects = open_dataset(self.source).objects
        return [objects[obj_id].label for obj_id, _ in self.source.labels]
