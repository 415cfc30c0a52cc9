"""Training samples of a BOP split, per image or per scene, and the sample caches filled with them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import cv2
from numpy.typing import NDArray

from posebot.core.machine import cores
from posebot.datasets.bop import BopDataset, ImageKey
from posebot.datasets.detector_samples import detector_sample, scene_detector_samples
from posebot.datasets.localizer_samples import image_localizer_samples, scene_localizer_samples
from posebot.datasets.sample_cache import write_shard

Kind = Literal["crops", "frames"]
"""Samples of the localizer (crops) or of the detector (frames)."""
Batch = dict[str, NDArray[Any]]
_MIN_SCENES_PER_PROCESS = 4  # fewer are sampled faster than a process starts


@dataclass(frozen=True)
class SampleSource:
    """Scenes of a BOP split, as plain data that can be sent to another process.

    Attributes:
        root, split, models_dir: as for `BopDataset`. labels: (object ID, class index) pairs. scenes: scene IDs.
        input_size: (height, width) of the detector input.
    """

    root: str
    split: str
    models_dir: str
    labels: tuple[tuple[int, int], ...]
    scenes: tuple[int, ...]
    input_size: tuple[int, int]


@lru_cache(maxsize=2)
def open_dataset(source: SampleSource) -> BopDataset:
    """The dataset of a source, opened once per process."""
    return BopDataset(source.root, source.split, source.models_dir)


def image_samples(source: SampleSource, kind: Kind, key: ImageKey) -> list[Batch]:
    """The samples of one image."""
    dataset, labels = open_dataset(source), dict(source.labels)
    if kind == "crops":
        return image_localizer_samples(dataset, key, labels)
    return [detector_sample(dataset, key, labels, source.input_size)]


def missing_scenes(source: SampleSource, caches: dict[Kind, Path]) -> list[int]:
    """The scenes that are missing in at least one cache."""
    return [scene for scene in source.scenes if not all((root / f"{scene:06d}").exists() for root in caches.values())]


def fill_cache(source: SampleSource, scene: int, caches: dict[Kind, Path]) -> int:
    """Write the shards of one scene that are missing; returns the number of samples written."""
    dataset, labels, count = open_dataset(source), dict(source.labels), 0
    for kind, root in caches.items():
        shard = root / f"{scene:06d}"
        if shard.exists():
            continue
        arrays = scene_localizer_samples(dataset, scene, labels) if kind == "crops" else \
            scene_detector_samples(dataset, scene, labels, source.input_size)
        write_shard(shard, arrays)
        count += len(next(iter(arrays.values())))
    return count


def fill_caches_locally(source: SampleSource, caches: dict[Kind, Path]) -> Iterator[int]:
    """Fill the caches without Ray, with one process per core; yields each scene ID when it is done.

    Few scenes are sampled in the calling process.
    """
    scenes = missing_scenes(source, caches)
    processes = min(cores(), len(scenes) // _MIN_SCENES_PER_PROCESS)
    if processes < 2:
        for scene in scenes:
            fill_cache(source, scene, caches)
            yield scene
        return
    with ProcessPoolExecutor(processes, get_context("spawn"), cv2.setNumThreads, (1,)) as pool:
        futures = {pool.submit(fill_cache, source, scene, caches): scene for scene in scenes}
        try:
            for future in as_completed(futures):
                future.result()
                yield futures[future]
        finally:
            pool.shutdown(cancel_futures=True)
