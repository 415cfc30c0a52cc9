"""Batches from this process and from several."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from posebot.training.loading import loaded
from posebot.training.loop import Batch
from posebot.training.networks import loaders


def numbers(rng: np.random.Generator) -> Iterator[Batch]:
    while True:
        yield {"x": rng.random((4, 3), np.float32)}


def check(processes: int) -> None:
    batches = [np.asarray(batch["x"]) for batch in islice(loaded(numbers, [1, 2], processes), 6)]
    assert all(batch.shape == (4, 3) for batch in batches)
    assert len({batch.tobytes() for batch in batches}) == 6


def test_batches_never_end_and_never_repeat() -> None:
    check(0)


def test_batches_of_several_processes() -> None:
    """In a process of its own: torch's loader beside the renderers' threads of other tests has crashed."""
    code = "from tests.training.test_loading import check\nif __name__ == '__main__': check(2)"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr


def test_the_same_seed_gives_the_same_batches() -> None:
    first, second = (next(loaded(numbers, [seed], 0))["x"] for seed in (3, 3))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, next(loaded(numbers, [4], 0))["x"])


def test_a_gpu_gets_processes_and_a_cpu_none() -> None:
    assert loaders(None, "cpu") == 0
    assert loaders(None, "cuda") >= 1
    assert loaders(3, "cpu") == 3
