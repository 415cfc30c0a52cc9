from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posebot.core.camera import project
from posebot.core.transforms import apply, difference, inverse, perturb, rotation_angle
from posebot.stages.geometry.normal_equations import pixel_jacobian
from posebot.stages.hypotheses.pnp_ransac import pnp_ransac
from posebot.stages.observation.evidence import gather
from posebot.stages.refinement import pnp
from posebot.stages.settings import DEFAULTS


def evidence_of(scenes, seed, noise=0.0, outliers=0.0):
    pose = scenes.pose(seed)
    frame = scenes.frame(pose, depth=False)
    localization = scenes.localization(frame, pose, noise=noise, outliers=outliers, seed=seed)
    return gather(frame, localization, scenes.model), pose


@pytest.mark.parametrize("seed", range(5))
def test_exact_coordinates_give_the_exact_pose(scenes, seed):
    evidence, pose = evidence_of(scenes, seed)
    found, _ = pnp.refine(pnp_ransac(evidence)[:1], evidence, pnp.OriginPrior(evidence.origin))
    assert scenes.error(found[0], pose) < 0.003


@pytest.mark.parametrize("seed", range(5))
def test_outliers_do_no_harm(scenes, seed):
    evidence, pose = evidence_of(scenes, seed, outliers=0.4)
    found, _ = pnp.refine(pnp_ransac(evidence)[:1], evidence, pnp.OriginPrior(evidence.origin))
    assert scenes.error(found[0], pose) < 0.01


def test_the_result_does_not_depend_on_the_object_frame(scenes):
    """Another origin and other axes of the mesh give the same place in the world."""
    evidence, _ = evidence_of(scenes, 2, noise=0.01)
    turn = scenes.pose(7)
    moved = replace(evidence, coordinates=evidence.coordinates @ turn[:3, :3].T + turn[:3, 3])
    weak = pnp.OriginPrior(evidence.origin, weight=0.0)
    first, _ = pnp.refine(pnp_ransac(evidence)[:1], evidence, weak, steps=30)
    second, _ = pnp.refine(first @ inverse(turn), moved, weak, steps=30)
    np.testing.assert_allclose(second @ turn, first, atol=1e-4)


def test_covariance_explains_the_errors(scenes):
    """Squared errors in units of the covariance are chi-square with 6 degrees of freedom: their mean is 6."""
    evidence, pose = evidence_of(scenes, 1)
    rng, squares = np.random.default_rng(0), []
    sigma = 0.5 * evidence.focal / pose[2, 3] * 0.01 * scenes.model.diameter
    scale = np.hypot(sigma, DEFAULTS.refinement.pixel_error_px)
    for _ in range(60):
        noisy = replace(evidence, pixels=evidence.pixels + rng.normal(scale=scale, size=(
            len(evidence.pixels), 2)), sigma=np.full(len(evidence.sigma), 0.5 * 0.01 * scenes.model.diameter))
        found, information = pnp.refine(pose[None], noisy, pnp.OriginPrior(evidence.origin, weight=0.0))
        step = difference(found[0], pose)
        squares.append(step @ information[0] @ step)
    assert 3 < np.mean(squares) < 12


def test_the_prior_holds_what_coordinates_do_not(scenes):
    """With coordinates shrunk by a tenth, a trusted origin keeps the distance right."""
    evidence, pose = evidence_of(scenes, 3)
    middle = evidence.coordinates.mean(axis=0)
    shrunk = replace(evidence, coordinates=middle + 0.9 * (evidence.coordinates - middle))
    trusted = pnp.OriginPrior(pose[:3, 3], 0.6, 0.01, 1000.0)
    free = pnp.OriginPrior(pose[:3, 3], weight=0.0)
    loose, held = (pnp.refine(pose[None], shrunk, prior)[0][0] for prior in (free, trusted))
    assert abs(loose[2, 3] / pose[2, 3] - 1) > 0.05
    assert abs(held[2, 3] / pose[2, 3] - 1) < 0.02
    assert np.degrees(rotation_angle(held[:3, :3], pose[:3, :3])) < 5


def test_too_few_pixels_give_nothing(scenes):
    evidence, _ = evidence_of(scenes, 0)
    few = replace(evidence, pixels=evidence.pixels[:5], coordinates=evidence.coordinates[:5])
    assert pnp_ransac(few).shape == (0, 4, 4)


def test_refine_goes_downhill_from_far_away(scenes):
    evidence, pose = evidence_of(scenes, 4)
    start = perturb(pose, np.array([0.02, -0.02, 0.08, 0.4, -0.3, 0.3]))
    found, _ = pnp.refine(start[None], evidence, pnp.OriginPrior(evidence.origin), steps=30)
    assert scenes.error(found[0], pose) < 0.01


def test_without_any_coordinates_only_the_place_moves(scenes):
    """A faint mask, sharpened by colour, may be large enough for a pose and yet hold no coordinate."""
    evidence, pose = evidence_of(scenes, 3)
    empty = replace(evidence, pixels=evidence.pixels[:0], coordinates=evidence.coordinates[:0],
                    sigma=evidence.sigma[:0], weight=evidence.weight[:0])
    start = perturb(pose, [0.02, 0, 0.05, 0.3, 0, 0])
    found, _ = pnp.refine(start[None], empty, pnp.OriginPrior(pose[:3, 3]))
    np.testing.assert_allclose(found[0, :3, :3], start[:3, :3], atol=1e-9)
    np.testing.assert_allclose(found[0, :3, 3], pose[:3, 3], atol=0.005)


def test_many_poses_at_once_are_as_each_alone(scenes):
    evidence, pose = evidence_of(scenes, 1, noise=0.01)
    starts = perturb(pose, np.random.default_rng(0).normal(scale=[0.01] * 3 + [0.2] * 3, size=(6, 6)))
    prior = pnp.OriginPrior(starts[:, :3, 3], 2.0, 0.02, 2.0)  # each has its own
    together, information = pnp.refine(starts, evidence, prior)
    for number, start in enumerate(starts):
        alone, its = pnp.refine(start[None], evidence, pnp.OriginPrior(start[:3, 3], 2.0, 0.02, 2.0))
        np.testing.assert_allclose(alone[0], together[number], atol=1e-8)
        np.testing.assert_allclose(its[0], information[number], rtol=1e-5)


def test_the_information_is_that_of_the_residuals(scenes):
    """Rows of the Jacobian against differences of the projection."""
    pose = scenes.pose(2)
    K = np.array([[500.0, 0, 30], [0, 480, 35], [0, 0, 1]])
    points = np.random.default_rng(1).normal(scale=0.03, size=(20, 3))
    arms = pose[:3, :3] @ points.T
    rows = np.empty((len(points), 2, 6))
    for arm, row in zip(arms.T, rows):
        pixel_jacobian(K, tuple(arm + pose[:3, 3]), tuple(arm), row)
    for axis in range(6):
        step = np.eye(6)[axis] * 1e-6
        ahead, behind = (project(K, apply(perturb(pose, side * step), points)) for side in (1, -1))
        np.testing.assert_allclose(rows[..., axis], (ahead - behind) / 2e-6, rtol=1e-4, atol=1e-2)
