"""BOP folders of any size as Ray Data: crops and pictures cut in parallel, into a cache or straight to the trainer.

The only file below the training that knows Ray. Two ways from the same cutting functions (`crops`, `frames`):

- `fill_caches`: every scene is cut once, by as many tasks as there are cores, into the shards of `datasets.cache`. A
  worker then reads samples from the page cache; on a small machine this is the faster way by far.
- `rows`: nothing is written; pictures are read, cut and augmented by Ray tasks while the trainer runs, for data sets
  that no disk of a worker could hold cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.machine import cores
from posebot.datasets.bop import BopDataset, ImageKey
from posebot.datasets.cache import write_shard
from posebot.datasets.crops import META, image_crops, scene_crops
from posebot.datasets.frames import BOX, image_sample, scene_samples

if TYPE_CHECKING:
    import ray.data

Kind = Literal["crops", "frames"]
Batch = dict[str, NDArray[Any]]
_FEW = 4  # scenes that are cut sooner than a process has started
_RECORDS = {"meta": META, "boxes": BOX}
"""Columns of structured records. Arrow has no such type: in a stream they travel as their bytes."""


@dataclass(frozen=True)
class Source:
    """Scenes of a BOP split, as plain data that a task can be sent.

    Attributes:
        root, split, models_dir: as for `BopDataset`. labels: (object number, class index) pairs. scenes: which of them.
        input_size: (height, width) of the detector's pictures.
    """

    root: str
    split: str
    models_dir: str
    labels: tuple[tuple[int, int], ...]
    scenes: tuple[int, ...]
    input_size: tuple[int, int]



@lru_cache(maxsize=2)
def opened(source: Source) -> BopDataset:
    """The data set of a source, opened once a process: meshes and tables are read once."""
    return BopDataset(source.root, source.split, source.models_dir)


def fill_cache(source: Source, scene: int, caches: dict[Kind, Path]) -> int:
    """Cut one scene into those caches that do not have it yet; returns the number of samples written."""
    dataset, labels, count = opened(source), dict(source.labels), 0
    for kind, root in caches.items():
        shard = root / f"{scene:06d}"
        if shard.exists():
            continue
        arrays = scene_crops(dataset, scene, labels) if kind == "crops" else \
            scene_samples(dataset, scene, labels, source.input_size)
        write_shard(shard, arrays)
        count += len(next(iter(arrays.values())))
    return count


def missing_scenes(source: Source, caches: dict[Kind, Path]) -> list[int]:
    """The scenes that at least one cache lacks."""
    return [scene for scene in source.scenes if not all((root / f"{scene:06d}").exists() for root in caches.values())]


def fill_caches(source: Source, caches: dict[Kind, Path]) -> Iterator[int]:
    """Cut all missing scenes on the Ray cluster this process is connected to; yields each scene when it is done."""
    import ray

    quiet()
    scenes = ray.data.from_items([{"scene": scene} for scene in missing_scenes(source, caches)])

    def fill(row: dict[str, Any]) -> dict[str, Any]:
        fill_cache(source, int(row["scene"]), caches)
        return row

    if scenes.count():
        spread = scenes.repartition(scenes.count())  # a block, and so a task, for each scene
        yield from (int(row["scene"]) for row in spread.map(fill).iter_rows())


def fill_caches_here(source: Source, caches: dict[Kind, Path]) -> Iterator[int]:
    """The same without Ray, by a process for each core of this machine; few scenes are cut in this one."""
    scenes = missing_scenes(source, caches)
    processes = min(cores(), len(scenes) // _FEW)
    if processes < 2:
        for scene in scenes:
            fill_cache(source, scene, caches)
            yield scene
        return
    with ProcessPoolExecutor(processes, get_context("spawn"), cv2.setNumThreads, (1,)) as pool:
        waiting = {pool.submit(fill_cache, source, scene, caches): scene for scene in scenes}
        try:
            for done in as_completed(waiting):
                done.result()
                yield waiting[done]
        finally:
            pool.shutdown(cancel_futures=True)


def rows(source: Source, kind: Kind, augment: Callable[[Batch], Batch], batch: int = 64) -> ray.data.Dataset:
    """The samples of a source as a lazy Ray data set: pictures in random order -> `kind` -> augmented.

    Args:
        augment: turns a batch of cached samples (`rgb`, `maps`, `meta` or `image`, `boxes`, `owner`; records restored)
            into arrays for the network; runs in Ray tasks. batch: samples that it gets at once (they may be mixed).
    """
    import ray

    quiet()
    scenes = set(source.scenes)
    keys = [key for key in opened(source).keys() if key.scene_id in scenes]  # noqa: SIM118
    pictures = ray.data.from_items([{"scene": key.scene_id, "image": key.im_id} for key in keys])

    def cut_pictures(batch: Batch) -> Batch:
        return packed([sample for scene, image in zip(batch["scene"], batch["image"], strict=True)
                       for sample in cut(source, kind, ImageKey(int(scene), int(image)))])

    def augment_samples(batch: Batch) -> Batch:
        return augment(unpacked(batch))

    samples = pictures.random_shuffle().map_batches(cut_pictures, batch_size=8)
    return samples.map_batches(augment_samples, batch_size=batch)


def cut(source: Source, kind: Kind, key: ImageKey) -> list[Batch]:
    """The cached samples of one picture."""
    dataset, labels = opened(source), dict(source.labels)
    if kind == "crops":
        return image_crops(dataset, key, labels)
    return [image_sample(dataset, key, labels, source.input_size)]


def packed(samples: list[Batch]) -> Batch:
    """Samples stacked, records as bytes; no column at all where there is no sample."""
    if not samples:
        return {}
    columns = {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}
    return {name: _bytes(array) if name in _RECORDS else array for name, array in columns.items()}


def unpacked(batch: Batch) -> Batch:
    """The inverse of `packed`."""
    return {name: _records(array, _RECORDS[name]) if name in _RECORDS else array for name, array in batch.items()}


def _bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint8)


def _records(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    found = np.ascontiguousarray(array).view(dtype)
    return found[:, 0] if found.shape[1] == 1 else found


def quiet() -> None:
    """Keep Ray Data's progress bars and plans out of the terminal."""
    import logging

    from ray.data import DataContext

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    for name in ("ray.data", "ray.data._internal.progress"):
        logging.getLogger(name).setLevel(logging.ERROR)
