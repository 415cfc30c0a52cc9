"""Poses from exact and from spoiled localizations, with and without depth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from posebot.stages.blas_threads import SINGLE_THREADED_BLAS
from posebot.stages.observation.evidence import gather
from posebot.stages.pose import PoseSolver, solve


@pytest.fixture(scope="module")
def solver(scenes):
    return PoseSolver([scenes.model])


@pytest.mark.parametrize("seed", range(4))
def test_colour_alone_with_exact_coordinates(scenes, solver, seed):
    pose = scenes.pose(seed)
    frame = scenes.frame(pose, depth=False)
    solution = solver(frame, scenes.localization(frame, pose))
    assert scenes.error(solution.pose, pose) < 0.02
    assert not solution.with_depth


def test_colour_alone_with_outliers_noise_and_occlusion(scenes, solver):
    """At least 8 of 10 within a tenth of the diameter, and none turned over."""
    errors = []
    for seed in range(10):
        pose = scenes.pose(seed)
        frame = scenes.frame(pose, hidden=0.3, depth=False)
        solution = solver(frame, scenes.localization(frame, pose, hidden=0.3, noise=0.03, outliers=0.3, seed=seed))
        errors.append(scenes.error(solution.pose, pose))
    assert (np.array(errors) < 0.1).sum() >= 8
    assert max(errors) < 0.25  # turned over it would be 1


@pytest.mark.parametrize("seed", range(4))
def test_depth_with_noise_and_occlusion(scenes, solver, seed):
    pose = scenes.pose(seed)
    frame = scenes.frame(pose, hidden=0.3, noise=0.001, seed=seed)
    solution = solver(frame, scenes.localization(frame, pose, hidden=0.3, noise=0.1, outliers=0.2, seed=seed))
    assert solution.with_depth
    assert scenes.error(solution.pose, pose) < 0.05


@pytest.mark.parametrize("seed", range(4))
def test_depth_needs_no_coordinates(scenes, solver, seed):
    """The mask alone is enough where the shape or the colours of the faces tell."""
    pose = scenes.pose(seed)
    frame = scenes.frame(pose, noise=0.001, seed=seed)
    blind = scenes.localization(frame, pose)
    blind = replace(blind, coordinates=np.full_like(blind.coordinates, 0.5), scale=np.full_like(blind.scale, 0.5))
    assert scenes.error(solver(frame, blind).pose, pose) < 0.06


def test_the_same_crop_gives_the_same_pose(scenes, solver):
    pose = scenes.pose(1)
    frame = scenes.frame(pose, noise=0.001)
    localization = scenes.localization(frame, pose, noise=0.1)
    first, second = solver(frame, localization), solver(frame, localization)
    np.testing.assert_array_equal(first.pose, second.pose)


def test_depth_is_left_alone_when_told(scenes, solver):
    pose = scenes.pose(1)
    frame = scenes.frame(pose)
    assert not solver(frame, scenes.localization(frame, pose), use_depth=False).with_depth


def test_depth_without_readings_falls_back_to_colour(scenes, solver):
    pose = scenes.pose(2)
    frame = scenes.frame(pose, depth=False)
    blind = replace(frame, depth=np.zeros((480, 640), np.float32))
    solution = solver(blind, scenes.localization(frame, pose))
    assert not solution.with_depth
    assert scenes.error(solution.pose, pose) < 0.02


def test_an_empty_mask_gives_a_reason_instead_of_a_pose(scenes, solver):
    pose = scenes.pose(3)
    frame = scenes.frame(pose)
    localization = scenes.localization(frame, pose)
    solution = solver(frame, replace(localization, visible=np.zeros_like(localization.visible)))
    assert solution.pose is None
    assert "too few" in solution.reason


@pytest.mark.parametrize("seed", range(3))
def test_garbage_never_raises(scenes, solver, seed):
    rng = np.random.default_rng(seed)
    pose = scenes.pose(seed)
    frame = scenes.frame(pose, noise=0.02)
    maps = {name: rng.random((32, 32)).astype(np.float32) for name in ("visible", "amodal", "scale")}
    wild = replace(scenes.localization(frame, pose), **maps, coordinates=rng.random((3, 32, 32)).astype(np.float32),
                   center=rng.normal(size=3).astype(np.float32))
    for use_depth in (True, False):
        solution = solver(frame, wild, use_depth)
        assert solution.pose is None or np.isfinite(solution.pose).all()


def test_half_hidden_lowers_visibility_and_says_so(scenes):
    pose = scenes.pose(0)
    frame = scenes.frame(pose, hidden=0.5)
    localization = scenes.localization(frame, pose, hidden=0.5)
    solution = solve(gather(frame, localization, scenes.model), scenes.surface, localization)
    assert solution.visibility < 0.8


def test_objects_solved_in_threads_are_as_each_alone(scenes):
    poses = [scenes.pose(seed) for seed in range(3)]
    frame = scenes.frame(poses[0])
    localizations = [scenes.localization(frame, pose, noise=0.02, seed=1) for pose in poses]
    together = PoseSolver([scenes.model], threads=3).all(frame, localizations)
    alone = PoseSolver([scenes.model], threads=1).all(frame, localizations)
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.pose, other.pose, atol=1e-9)


def test_linear_algebra_gets_its_threads_back():
    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = threads()
    with SINGLE_THREADED_BLAS, SINGLE_THREADED_BLAS:
        assert set(threads()) <= {1}
    assert threads() == before
