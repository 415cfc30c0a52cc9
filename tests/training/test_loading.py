"""Batches from this process and from several."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from posebot.training.jobs import loaders
from posebot.training.loading import loaded
from posebot.training.loop import Batch


def numbers(rng: np.random.Generator) -> Iterator[Batch]:
    while True:
        yield {"x": rng.random((4, 3), np.float32)}


@pytest.mark.parametrize("processes", [0, 2])
def test_batches_never_end_and_never_repeat(processes: int) -> None:
    batches = [np.asarray(batch["x"]) for batch in islice(loaded(numbers, [1, 2], processes), 6)]
    assert all(batch.shape == (4, 3) for batch in batches)
    assert len({batch.tobytes() for batch in batches}) == 6


def test_the_same_seed_gives_the_same_batches() -> None:
    first, second = (next(loaded(numbers, [seed], 0))["x"] for seed in (3, 3))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, next(loaded(numbers, [4], 0))["x"])


def test_a_gpu_gets_processes_and_a_cpu_none() -> None:
    assert loaders(None, "cpu") == 0
    assert loaders(None, "cuda") >= 1
    assert loaders(3, "cpu") == 3
