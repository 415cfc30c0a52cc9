"""Augmentation: same seed same picture, uint8 RGB of the same size, and it does change something."""

from __future__ import annotations

import numpy as np
import pytest

from posebot.datasets import augment


def picture(size: tuple[int, int] = (48, 64)) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (*size, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    "step", [augment.color, augment.blur, augment.sharpen, augment.noise, augment.jpeg, augment.photometric]
)
def test_steps_keep_shape_and_type_and_repeat(step) -> None:  # type: ignore[no-untyped-def]
    for seed in range(12):
        before = picture()
        first = step(before, np.random.default_rng(seed))
        again = step(picture(), np.random.default_rng(seed))
        assert first.shape == before.shape and first.dtype == np.uint8
        assert np.array_equal(first, again)
        assert np.array_equal(before, picture()), "the input is not touched"


def test_pictures_differ_between_draws() -> None:
    rng = np.random.default_rng(0)
    results = [augment.photometric(picture(), rng) for _ in range(8)]
    assert len({result.tobytes() for result in results}) >= 7


def test_tone_curves_are_tables() -> None:
    curves = augment.tone_curves(np.random.default_rng(3))
    assert curves.shape == (256, 3) and curves.dtype == np.uint8


def test_occluders_cover_a_part() -> None:
    shares = [augment.occluders((64, 64), np.random.default_rng(seed)).mean() for seed in range(30)]
    assert 0.02 < float(np.mean(shares)) < 0.6
