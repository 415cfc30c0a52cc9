from __future__ import annotations

import itertools

import numpy as np
import pytest

from posebot.core.transforms import Array, apply, inverse, is_transform
from posebot.synth.physics import Body, drop_bodies, extreme_points

SIZES = [(0.08, 0.05, 0.12), (0.2, 0.03, 0.02), (0.06, 0.06, 0.06), (0.1, 0.1, 0.01), (0.04, 0.07, 0.15)]


def cuboid(size: tuple[float, float, float]) -> Array:
    """Vertices (27, 3): corners and middles."""
    return np.array(list(itertools.product((-0.5, 0, 0.5), repeat=3))) * size


@pytest.fixture(scope="module", params=[1, 2])
def settled(request: pytest.FixtureRequest) -> list[Array]:
    poses = drop_bodies([Body(cuboid(size)) for size in SIZES], np.random.default_rng(request.param), 0.2)
    return [pose for pose in poses if pose is not None]


def test_nearly_all_stay_in_the_bin(settled: list[Array]) -> None:
    assert len(settled) >= len(SIZES) - 1
    for pose in settled:
        assert is_transform(pose, 1e-6)
        assert np.linalg.norm(pose[:2, 3]) < 0.3


def test_nothing_is_in_the_table_or_above_where_it_could_lie(settled: list[Array]) -> None:
    for pose, size in zip(settled, SIZES, strict=False):
        lowest = apply(pose, cuboid(size))[:, 2].min()
        assert -1e-9 <= lowest < 0.25


def test_something_touches_the_table(settled: list[Array]) -> None:
    lowest = [apply(pose, cuboid(size))[:, 2].min() for pose, size in zip(settled, SIZES, strict=False)]
    assert min(lowest) < 0.002


def test_things_do_not_lie_inside_each_other() -> None:
    poses = drop_bodies([Body(cuboid(size)) for size in SIZES], np.random.default_rng(5), 0.2)
    for (pose_a, size_a), (pose_b, size_b) in itertools.permutations(zip(poses, SIZES, strict=True), 2):
        if pose_a is None or pose_b is None:
            continue
        points = apply(inverse(pose_b) @ pose_a, cuboid(size_a))
        deep = (0.5 * np.array(size_b) - np.abs(points)).min(axis=1)
        assert deep.max() < 0.004


def test_the_same_generator_gives_the_same_poses() -> None:
    bodies = [Body(cuboid(size)) for size in SIZES[:3]]
    first, second = (drop_bodies(bodies, np.random.default_rng(3)) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert np.array_equal(a, b)


def test_upright_things_start_upright() -> None:
    (pose,) = drop_bodies([Body(cuboid((0.1, 0.1, 0.05)), upright=True)], np.random.default_rng(0))
    assert pose is not None
    assert pose[2, 2] > 0.99
    assert pose[2, 3] == pytest.approx(0.025, abs=0.002)


def test_what_is_steady_stands_whatever_falls_beside_it() -> None:
    tall = Body(cuboid((0.03, 0.03, 0.2)), upright=True, keep_upright=True)
    poses = drop_bodies([tall, *[Body(cuboid((0.08, 0.05, 0.05))) for _ in range(6)]], np.random.default_rng(2), 0.08)
    assert poses[0] is not None
    assert poses[0][2, 2] > 1 - 1e-6
    assert poses[0][2, 3] == pytest.approx(0.1, abs=0.003)


def test_a_crush_of_things_that_cannot_fall_over_ends_quietly(capfd: pytest.CaptureFixture[str]) -> None:
    crush = [Body(cuboid((0.06, 0.05, 0.12)), upright=True, keep_upright=True) for _ in range(8)]
    poses = drop_bodies([*crush, *[Body(cuboid(size)) for size in SIZES]], np.random.default_rng(1), 0.06)
    assert all(pose is None or (np.isfinite(pose).all() and pose[2, 3] > 0) for pose in poses)
    assert "WARNING" not in "".join(capfd.readouterr())


def test_a_hull_has_the_outermost_vertices() -> None:
    hull = extreme_points(cuboid((1, 1, 1)))
    assert len(hull) >= 8
    assert np.allclose(np.abs(hull).max(axis=0), 0.5)
