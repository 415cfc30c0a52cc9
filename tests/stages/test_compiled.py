"""The compiled loops against plain array code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posebot.core.camera import project
from posebot.core.transforms import apply, make, perturb, rotation_from_vector
from posebot.stages.geometry.normal_equations import add_residual, perturb_pose, solve_cholesky, symmetrize
from posebot.stages.geometry.splat import coverage, splat
from posebot.stages.geometry.surface import nearest

seeds = st.integers(0, 10_000)


@settings(deadline=None, max_examples=30)
@given(seed=seeds, size=st.sampled_from([0.0, 1e-9, 1e-4, 1.0, 3.1]))
def test_perturb_pose_is_perturb(seed, size):
    rng = np.random.default_rng(seed)
    pose = make(rotation_from_vector(rng.normal(size=3)), rng.normal(size=3))
    twist = rng.normal(size=6) * size
    result = np.empty((4, 4))
    perturb_pose(pose, twist, result)
    np.testing.assert_allclose(result, perturb(pose, twist), atol=1e-9)


@settings(deadline=None, max_examples=30)
@given(seed=seeds, size=st.integers(1, 6))
def test_equations_are_solved_as_numpy_does(seed, size):
    rng = np.random.default_rng(seed)
    rows, right, solution = rng.normal(size=(size + 2, size)), rng.normal(size=size), np.empty(size)
    matrix = rows.T @ rows + 1e-3 * np.eye(size)
    solve_cholesky(matrix.copy(), right, solution)
    np.testing.assert_allclose(matrix @ solution, right, atol=1e-8)


@settings(deadline=None, max_examples=30)
@given(seed=seeds)
def test_added_rows_are_normal_equations(seed):
    rng = np.random.default_rng(seed)
    rows, weights, residuals = rng.normal(size=(9, 6)), rng.uniform(size=9), rng.normal(size=9)
    matrix, right = np.zeros((6, 6)), np.zeros(6)
    for row, weight, residual in zip(rows, weights, residuals):
        add_residual(row, weight, residual, matrix, right)
    symmetrize(matrix)
    np.testing.assert_allclose(matrix, (rows * weights[:, None]).T @ rows, atol=1e-12)
    np.testing.assert_allclose(right, (rows * weights[:, None]).T @ residuals, atol=1e-12)


def test_the_nearest_sample_of_one_point_is_that_of_many(scenes):
    points = np.random.default_rng(0).uniform(-0.2, 0.2, (100, 3)).astype(np.float32)  # some beyond the table
    many = scenes.surface.nearest(points)
    assert [nearest(scenes.surface.table, point.astype(float)) for point in points] == list(many)


@pytest.mark.parametrize("seed", range(3))
def test_a_drawing_shows_the_nearest_points(scenes, seed):
    """Each pixel that got a point has that of the least distance, as a plain sort finds it."""
    pose, size = scenes.pose(seed), 48
    K = np.array([[400.0, 0, 24], [0, 400, 24], [0, 0, 1]])
    K[:2, 2] -= project(K, pose[None, :3, 3])[0] - 24  # in the middle
    surface = scenes.surface
    drawn = splat(pose[None], surface, K, size)
    camera = apply(pose, surface.points.astype(float))
    at = np.floor(project(K, camera) + 0.5).astype(int)
    towards = ((-pose[:3, :3].T @ pose[:3, 3] - surface.points) * surface.normals).sum(axis=1) > 0
    kept = ((at >= 0) & (at < size)).all(axis=1) & (towards if surface.closed else True)
    expected = np.full((size, size), np.inf)
    np.minimum.at(expected, (at[kept, 1], at[kept, 0]), camera[kept, 2])
    shown = drawn.index[0] >= 0
    assert shown.sum() > 100
    assert (np.abs(camera[drawn.index[0][shown], 2] - expected[shown]) < 1e-5).mean() > 0.99  # rounding apart
    assert (drawn.cover[0] > 0)[np.isfinite(expected)].mean() > 0.99
    coarse = K * [[0.5], [0.5], [1.0]]  # without holes
    cover, other = coverage(pose[None], surface, coarse, size // 2), splat(pose[None], surface, coarse, size // 2).cover
    assert (cover != other).mean() < 0.08  # at the rim, where the one has more points


@pytest.mark.parametrize("shift", [0.05, 5.0, -1.0])
def test_what_is_beside_the_picture_is_not_drawn_in_it(scenes, shift):
    """Partly beside it, wholly, and behind the camera."""
    pose, size = scenes.pose(0), 64
    K = np.array([[400.0, 0, 0], [0, 400, 32], [0, 0, 1]])
    pose[:3, 3] = [-shift, 0, 0.5] if shift > 0 else [0, 0, shift]
    cover, drawn = coverage(pose[None], scenes.surface, K, size)[0], splat(pose[None], scenes.surface, K, size)
    assert (cover[drawn.depth[0] == 0] > 0).sum() < 20  # holes
    if shift != 0.05:
        assert not cover.any() and not drawn.cover.any() and (drawn.index == -1).all()
