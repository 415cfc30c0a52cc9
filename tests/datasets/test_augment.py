"""Augmentation: same seed same picture, uint8 RGB of the same size, and it does change something."""

from __future__ import annotations

import numpy as np
import pytest

from posebot.datasets import augment


def picture(size: tuple[int, int] = (48, 64)) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (*size, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    "step",
    [augment.color_jitter, augment.cast_shadows, augment.blur, augment.unsharp_mask, augment.sensor_noise,
     augment.jpeg_compression, augment.photometric,
     lambda image, rng: augment.relight(image, rng, picture((30, 20)))],
)
def test_steps_keep_shape_and_type_and_repeat(step) -> None:  # type: ignore[no-untyped-def]
    for seed in range(12):
        before = picture()
        first = step(before, np.random.default_rng(seed))
        again = step(picture(), np.random.default_rng(seed))
        assert first.shape == before.shape and first.dtype == np.uint8
        assert np.array_equal(first, again)
        assert np.array_equal(before, picture()), "the input is not touched"


@pytest.mark.parametrize("shape", [(40, 60, 3), (7, 5, 1), (1700, 900, 3)])  # the last is more than is drawn ahead
def test_grain_is_normal_noise_of_spread_1(shape: tuple[int, ...]) -> None:
    first, again = (augment.gaussian_noise(shape, np.random.default_rng(3)) for _ in range(2))
    assert first.shape == shape and first.dtype == np.float32
    assert np.array_equal(first, again)
    assert not np.array_equal(first, augment.gaussian_noise(shape, np.random.default_rng(4)))
    assert abs(first.mean()) < 4 / first.size**0.5 and abs(first.std() - 1) < 4 / first.size**0.5


@pytest.mark.parametrize("seed", range(6))
def test_noise_leaves_the_mean_alone(seed: int) -> None:
    grey = np.full((200, 300, 3), 120, np.uint8)
    noisy = augment.sensor_noise(grey, np.random.default_rng(seed)).astype(float)
    assert 1 < noisy.std() < 15
    assert np.abs(noisy.mean(axis=(0, 1)) - 120).max() < 0.7


def test_pictures_differ_between_draws() -> None:
    rng = np.random.default_rng(0)
    results = [augment.photometric(picture(), rng) for _ in range(20)]
    assert len({result.tobytes() for result in results}) >= 15  # one in ten stays as it is


@pytest.mark.parametrize("shape", [(3, 3), (128, 128), (5, 90)])
def test_relighting_takes_parts_of_any_size(shape: tuple[int, int]) -> None:
    for seed in range(30):
        lit = augment.relight(picture(shape), np.random.default_rng(seed), picture((9, 300)))
        assert lit.shape == (*shape, 3) and lit.dtype == np.uint8


@pytest.mark.parametrize("seed", range(6))
def test_a_print_is_the_other_pictures_detail_and_not_its_brightness(seed: int) -> None:
    plain = augment.texture_overlay(np.full((60, 80, 3), 40 * seed, np.uint8), (50, 50), np.random.default_rng(seed))
    light = augment.texture_overlay(picture((60, 80)), (50, 50), np.random.default_rng(seed))
    assert plain == pytest.approx(1.0, abs=1e-5)
    assert light.shape == (50, 50, 1) and light.std() > 0.03
    assert abs(float(np.log(light).mean())) < 0.1


def test_shadows_are_darker_and_leave_a_part_alone() -> None:
    grey = np.full((64, 64, 3), 150, np.uint8)
    shares = []
    for seed in range(20):
        change = grey.astype(int) - augment.cast_shadows(grey, np.random.default_rng(seed))
        assert change.min() >= -1
        shares.append((change > 10).mean())
    assert 0.02 < float(np.mean(shares)) < 0.6


def test_tone_curves_are_tables() -> None:
    curves = augment.tone_curves(np.random.default_rng(3))
    assert curves.shape == (256, 3) and curves.dtype == np.uint8


def test_occluders_cover_a_part() -> None:
    shares = [augment.random_occluder_mask((64, 64), np.random.default_rng(seed)).mean() for seed in range(30)]
    assert 0.02 < float(np.mean(shares)) < 0.6
