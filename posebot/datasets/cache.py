"""A cache of training samples: memory-mapped arrays in shards, one shard a BOP scene.

Cutting crops from pictures costs more than a training step; done once, a worker reads a sample from the page cache. A
shard is a folder of `.npy` files with equal first axes and is renamed into place when whole, so that a killed run
leaves no half shard and a data set that still grows is taken up scene by scene.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
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


def build(root: Path, scenes: list[int], make_shard: Callable[[int], Arrays]) -> None:
    """Make the shards of those scenes that have none yet."""
    for scene in scenes:
        folder = root / f"{scene:06d}"
        if not folder.exists():
            write_shard(folder, make_shard(scene))


class Cache:
    """All shards below a folder as one sequence; `sample(i)` gives views of the memory-mapped arrays."""

    def __init__(self, root: Path, part: slice = slice(None)) -> None:
        """Args: part: which of the sorted shards belong to it, to deal them out to workers."""
        folders = sorted(path for path in root.glob("*") if path.is_dir() and path.suffix != ".part")[part]
        self._shards = [
            {file.stem: np.load(file, mmap_mode="r") for file in folder.glob("*.npy")} for folder in folders
        ]
        self._shards = [shard for shard in self._shards if shard and len(next(iter(shard.values())))]
        self._ends = np.cumsum([len(next(iter(shard.values()))) for shard in self._shards], dtype=int)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def column(self, name: str) -> NDArray[Any]:
        """One small array of all samples, in memory."""
        return np.concatenate([np.asarray(shard[name]) for shard in self._shards])

    def sample(self, index: int) -> dict[str, NDArray[Any]]:
        shard = int(np.searchsorted(self._ends, index, side="right"))
        start = 0 if shard == 0 else self._ends[shard - 1]
        return {name: array[index - start] for name, array in self._shards[shard].items()}
