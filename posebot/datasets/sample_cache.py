"""On-disk cache of training samples: memory-mapped arrays in shards, one shard per BOP scene.

Cropping images costs more than a training step; cached, samples are read from the page cache. A shard is a folder of
`.npy` files with equal first axes. It is written to a temporary folder and renamed, so that an interrupted run leaves
no partial shard, and a growing dataset is cached scene by scene.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


def write_shard(folder: Path, arrays: Arrays) -> None:
    """Write arrays (N, ...) as one shard, atomically."""
    temporary = folder.with_name(folder.name + ".part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(temporary / f"{name}.npy", array)
    temporary.rename(folder)


class SampleCache:
    """All shards of a folder as one sequence; `sample(i)` returns views of the memory-mapped arrays."""

    def __init__(self, root: Path) -> None:
        folders = sorted(path for path in root.glob("*") if path.is_dir() and path.suffix != ".part")
        self._shards = [
            {file.stem: np.load(file, mmap_mode="r") for file in folder.glob("*.npy")} for folder in folders
        ]
        self._shards = [shard for shard in self._shards if shard and len(next(iter(shard.values())))]
        self._ends = np.cumsum([len(next(iter(shard.values()))) for shard in self._shards], dtype=int)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def column(self, name: str) -> NDArray[Any]:
        """One array of all samples, concatenated in memory."""
        return np.concatenate([np.asarray(shard[name]) for shard in self._shards])

    def sample(self, index: int) -> dict[str, NDArray[Any]]:
        """The arrays of one sample, without the first axis."""
        shard = int(np.searchsorted(self._ends, index, side="right"))
        start = 0 if shard == 0 else self._ends[shard - 1]
        return {name: array[index - start] for name, array in self._shards[shard].items()}
