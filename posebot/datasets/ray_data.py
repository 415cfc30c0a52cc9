"""Training samples with Ray Data: filled into the sample cache in parallel, or streamed to the trainer.

The only module below `posebot.training` that uses Ray.

- `fill_caches` samples every scene once, with one task per core, into the shards of `datasets.sample_cache`. Workers
  then read samples from the page cache, which is by far the faster way on a small machine.
- `streaming_dataset` writes nothing: images are read, cropped and augmented by Ray tasks while the trainer runs, for
  datasets whose samples do not fit on the disk of a worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posebot.datasets.bop import ImageKey
from posebot.datasets.detector_samples import BOX_DTYPE
from posebot.datasets.localizer_samples import CROP_META
from posebot.datasets.sample_source import (
    Batch,
    Kind,
    SampleSource,
    fill_cache,
    image_samples,
    missing_scenes,
    open_dataset,
)

if TYPE_CHECKING:
    import ray.data

_RECORD_DTYPES = {"meta": CROP_META, "boxes": BOX_DTYPE}
"""Columns with structured dtypes, which Arrow does not support: they are streamed as bytes."""


def fill_caches(source: SampleSource, caches: dict[Kind, Path]) -> Iterator[int]:
    """Fill the caches on the connected Ray cluster; yields each scene ID when it is done."""
    import ray

    silence_ray_data()
    scenes = ray.data.from_items([{"scene": scene} for scene in missing_scenes(source, caches)])

    def fill(row: dict[str, Any]) -> dict[str, Any]:
        fill_cache(source, int(row["scene"]), caches)
        return row

    if scenes.count():
        blocks = scenes.repartition(scenes.count())  # one block, and so one task, per scene
        yield from (int(row["scene"]) for row in blocks.map(fill).iter_rows())


def streaming_dataset(
    source: SampleSource, kind: Kind, augment: Callable[[Batch], Batch], batch: int = 64
) -> ray.data.Dataset:
    """The samples of a source as a lazy Ray dataset: shuffled images -> samples -> augmented arrays.

    Args:
        augment: maps a batch of cached samples (`rgb`, `maps`, `meta` or `image`, `boxes`, `owner`; structured dtypes
            restored) to arrays for the network; runs in Ray tasks. batch: its batch size.
    """
    import ray

    silence_ray_data()
    scenes = set(source.scenes)
    keys = [key for key in open_dataset(source).keys() if key.scene_id in scenes]  # noqa: SIM118
    images = ray.data.from_items([{"scene": key.scene_id, "image": key.im_id} for key in keys])

    def sample_images(batch: Batch) -> Batch:
        return pack_records([sample for scene, image in zip(batch["scene"], batch["image"], strict=True)
                             for sample in image_samples(source, kind, ImageKey(int(scene), int(image)))])

    def augment_samples(batch: Batch) -> Batch:
        return augment(unpack_records(batch))

    samples = images.random_shuffle().map_batches(sample_images, batch_size=8)
    return samples.map_batches(augment_samples, batch_size=batch)


def pack_records(samples: list[Batch]) -> Batch:
    """Stack samples, with structured columns as bytes; without samples, an empty dictionary."""
    if not samples:
        return {}
    columns = {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}
    return {name: _to_bytes(array) if name in _RECORD_DTYPES else array for name, array in columns.items()}


def unpack_records(batch: Batch) -> Batch:
    """The inverse of `pack_records`."""
    return {name: _from_bytes(array, _RECORD_DTYPES[name]) if name in _RECORD_DTYPES else array
            for name, array in batch.items()}


def _to_bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint8)


def _from_bytes(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    records = np.ascontiguousarray(array).view(dtype)
    return records[:, 0] if records.shape[1] == 1 else records


def silence_ray_data() -> None:
    """Turn off the progress bars and execution plans of Ray Data."""
    import logging

    from ray.data import DataContext

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    for name in ("ray.data", "ray.data._internal.progress"):
        logging.getLogger(name).setLevel(logging.ERROR)
