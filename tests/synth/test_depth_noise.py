from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from posebot.synth.depth_noise import DepthNoise, simulate_depth_sensor

K = np.array([[300.0, 0, 79.5], [0, 300.0, 59.5], [0, 0, 1]])
CALM = DepthNoise(scale_error=0, dropout=1e-9, flying_pixels=0, min_cosine=0)


def flat(z: float) -> NDArray[np.float32]:
    return np.full((120, 160), z, np.float32)


def step() -> NDArray[np.float32]:
    """A near block in front of a wall."""
    depth = flat(1.0)
    depth[40:80, 60:100] = 0.5
    return depth


def read(depth: NDArray[np.float32], seed: int = 0, noise: DepthNoise | None = None) -> NDArray[np.float32]:
    return simulate_depth_sensor(depth, K, np.random.default_rng(seed), noise)


@given(z=st.floats(0.3, 4.0), seed=st.integers(0, 1000))
def test_readings_are_near_the_truth_or_missing(z: float, seed: int) -> None:
    found = read(flat(z), seed)
    assert found.dtype == np.float32
    assert found.shape == (120, 160)
    seen = found > 0
    assert seen.mean() > 0.8
    assert abs(np.median(found[seen]) / z - 1) < 0.012
    assert (np.abs(found[seen] - z) < 0.02 * z + 0.05 * z**2).all()


def test_noise_grows_with_the_square_of_the_distance() -> None:
    near, far = (read(flat(z), 1, DepthNoise(scale_error=0, disparity_step=0)) for z in (0.5, 1.5))
    assert far[far > 0].std() / near[near > 0].std() == pytest.approx(9, rel=0.25)


def test_the_same_generator_gives_the_same_reading() -> None:
    assert np.array_equal(read(step(), 4), read(step(), 4))
    assert not np.array_equal(read(step(), 4), read(step(), 5))


def test_the_input_is_left_alone() -> None:
    depth = step()
    read(depth)
    assert np.array_equal(depth, step())


def test_nothing_is_read_where_nothing_is_or_out_of_range() -> None:
    depth = flat(1.0)
    depth[:, :50], depth[:, 50:100] = 0.0, 0.1
    found = read(depth)
    assert not found[:, :50].any()
    assert not found[:, 52:98].any()
    assert not read(flat(7.0)).any()


def test_there_is_a_shadow_on_one_side_of_a_near_thing() -> None:
    found = read(step(), noise=CALM)
    rows = slice(45, 75)
    width = 300 * CALM.baseline * (1 / 0.5 - 1 / 1.0)
    left, right = (found[rows, 60 - 30:60] == 0).sum(axis=1).mean(), (found[rows, 100:130] == 0).sum(axis=1).mean()
    assert left == pytest.approx(width, abs=3)
    assert right <= 2


def test_steep_surfaces_are_not_read() -> None:
    """Planes through (0, 0, 1 m) turned about the vertical: z = 1 / (1 - x tan(angle)) along the ray (x, y, 1)."""
    x = (np.arange(160) - 79.5) / 300
    shares = []
    for angle in (0, 60, 72):
        slope = np.tile((1 / (1 - x * np.tan(np.deg2rad(angle)))).astype(np.float32), (120, 1))
        shares.append((read(slope, noise=DepthNoise(min_cosine=0.4)) > 0).mean())
    assert shares[0] > 0.95
    assert shares[2] < 0.6 * shares[1] < 0.6 * shares[0]


def test_disparity_comes_in_steps() -> None:
    found = read(flat(2.0), noise=DepthNoise(scale_error=0, dropout=1e-9, disparity_step=0.5))
    disparity = 300 * 0.05 / found[found > 0]
    np.testing.assert_allclose(disparity / 0.5, np.rint(disparity / 0.5), atol=1e-3)


def test_flying_pixels_lie_between_front_and_back() -> None:
    noise = DepthNoise(scale_error=0, disparity_rms=0, disparity_step=0, dropout=1e-9, flying_pixels=1.0, min_cosine=0)
    found = read(step(), noise=noise)
    between = (found > 0.55) & (found < 0.95)
    assert between.sum() > 20
    assert not between[:35].any()
