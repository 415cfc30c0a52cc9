"""Batches for training, made in the trainer's process or ahead of it in several others.

On a CPU a training step takes far longer than its batch; a GPU needs more batches than one process can augment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from posebot.training.loop import Batch

AHEAD = 4  # batches that each process keeps ready
Make = Callable[[np.random.Generator], Iterator[Batch]]


class _Batches(IterableDataset[Batch]):
    """The batches of `make`, from another seed in each process."""

    def __init__(self, make: Make, seed: list[int]) -> None:
        self.make, self.seed = make, seed

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        if worker is not None:
            cv2.setNumThreads(1)  # as there is a process for each core
        return self.make(np.random.default_rng([*self.seed, 0 if worker is None else worker.id + 1]))


def loaded(make: Make, seed: list[int], processes: int, pinned: bool = False) -> Iterator[Any]:
    """Endless batches: arrays made here (processes = 0), or tensors made by that many processes.

    Args:
        make: endless batches from a random generator; must be picklable.
        pinned: in memory that a GPU can fetch from by itself.
    """
    if not processes:
        return iter(_Batches(make, seed))
    return iter(DataLoader(_Batches(make, seed), batch_size=None, num_workers=processes, prefetch_factor=AHEAD,
                           pin_memory=pinned, multiprocessing_context="spawn"))  # a fork of threads may crash
