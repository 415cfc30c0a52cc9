"""Kabsch, ICP, the surface table, the splat renderer and the scores."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posebot.core.transforms import apply, make, perturb, rotation_angle, rotation_from_vector
from posebot.objects.bop_models import make_object
from posebot.stages.geometry.splat import splat
from posebot.stages.hypotheses.kabsch import fit_rigid, kabsch
from posebot.stages.hypotheses.near_symmetries import near_symmetries
from posebot.stages.hypotheses.template_matching import match_templates
from posebot.stages.observation.colour_posterior import colour_posterior
from posebot.stages.observation.depth_readings import depth_readings
from posebot.stages.observation.evidence import SIZE, gather
from posebot.stages.refinement import depth, icp
from posebot.stages.refinement.selection import distinct
from posebot.stages.scoring.total import score
from posebot.stages.settings import DEFAULTS
from posebot.stages.surface_builder import build_surface


@pytest.fixture(scope="module")
def evidence(scenes):
    pose = scenes.pose(1)
    frame = scenes.frame(pose, noise=0.001)
    return gather(frame, scenes.localization(frame, pose, noise=0.02, outliers=0.2), scenes.model), pose


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_fit_finds_the_transform(seed):
    rng = np.random.default_rng(seed)
    pose = make(rotation_from_vector(rng.normal(size=3)), rng.normal(size=3))
    points = rng.normal(size=(2, 10, 3))
    found = fit_rigid(points, apply(pose, points.reshape(-1, 3)).reshape(points.shape), rng.uniform(0.1, 1, (2, 10)))
    np.testing.assert_allclose(found, np.stack([pose, pose]), atol=1e-9)


def test_kabsch_withstands_outliers(scenes, evidence):
    ((pose,),) = kabsch(evidence[0])
    assert scenes.error(pose, evidence[1]) < 0.03


def test_nearest_agrees_with_a_search_of_all_points(scenes):
    surface = scenes.surface
    rng = np.random.default_rng(0)
    points = (surface.points[rng.integers(0, 6000, 200)] + rng.normal(scale=0.005, size=(200, 3))).astype(np.float32)
    exact = np.linalg.norm(points[:, None] - surface.points[None], axis=2).min(axis=1)
    found = np.linalg.norm(points - surface.points[surface.nearest(points)], axis=1)
    assert (found - exact).max() < 2 * surface.table.cell
    assert np.median(found - exact) < 0.3 * surface.table.cell


def test_near_symmetries_of_a_box_are_its_flips(scenes):
    low, high = np.zeros(3), np.array([0.05, 0.08, 0.12])
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * (high - low)
    faces = np.array([[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6],
                      [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]], np.int32)
    from posebot.core.objects import Mesh

    surface = build_surface(make_object(1, "box", Mesh(corners, faces)))
    for flip in np.eye(3) * np.pi:
        angles = [rotation_angle(pose[:3, :3], rotation_from_vector(flip)) for pose in surface.near_symmetries]
        pose = surface.near_symmetries[int(np.argmin(angles))]
        assert np.degrees(min(angles)) < 3
        np.testing.assert_allclose(apply(pose, surface.model.center[None])[0], surface.model.center, atol=2e-3)


def test_near_symmetries_start_with_the_identity(scenes):
    np.testing.assert_allclose(near_symmetries(scenes.surface)[0], np.eye(4))


def test_a_closed_part_is_drawn_without_its_far_side(scenes):
    assert scenes.surface.closed


@pytest.mark.parametrize("seed", range(3))
def test_icp_returns_to_the_surface(scenes, seed):
    surface, pose = scenes.surface, scenes.pose(seed)
    frame = scenes.frame(pose)
    seen = gather(frame, scenes.localization(frame, pose), scenes.model)
    points, trust = depth_readings(seen)
    start = perturb(pose, np.array([0.005, -0.005, 0.01, 0.1, -0.1, 0.1]))
    moved = icp.refine(start[None], surface, points, trust, np.array([0.02, 0.01, 0.01, 0.005, 0.005, 0.005, 0.005]))[0]
    assert scenes.error(moved, pose) < 0.05 < scenes.error(start, pose)


def test_search_keeps_a_pose_that_icp_would_spoil(scenes, evidence):
    seen, pose = evidence
    nowhere = np.zeros((40, 3), np.float32) + np.float32([0, 0, 0.9])  # readings of something else
    kept = depth._refined(pose[None], scenes.surface, nowhere, np.ones(40, np.float32), DEFAULTS.refinement.depth)
    best = kept[np.argmax(score(kept, seen, scenes.surface).total)]
    assert scenes.error(best, pose) < 0.02


@pytest.mark.parametrize("with_depth", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_a_template_is_near_the_truth(scenes, seed, with_depth):
    pose = scenes.pose(seed)
    frame = scenes.frame(pose, noise=0.001)
    seen = gather(frame, scenes.localization(frame, pose, noise=0.05), scenes.model, with_depth)
    guesses = match_templates(scenes.surface.templates, seen, with_depth)[:8]
    turned = [np.degrees(rotation_angle(found[:3, :3], pose[:3, :3])) for found in guesses]
    best = int(np.argmin(turned))
    assert turned[best] < 25
    assert np.linalg.norm(guesses[best, :3, 3] - pose[:3, 3]) < 0.2 * scenes.model.diameter


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_the_colour_posterior_is_a_better_mask(seed):
    rng = np.random.default_rng(seed)
    truth = np.zeros((64, 64), bool)
    truth[rng.integers(8, 24):rng.integers(40, 56), rng.integers(8, 24):rng.integers(40, 56)] = True
    rgb = np.where(truth[..., None], rng.uniform(0, 100, 3), rng.uniform(150, 255, 3)).astype(np.float32)
    blurred = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 4)
    found = colour_posterior(blurred, rgb)
    assert ((found >= 0) & (found <= 1)).all()
    assert np.abs(found - truth).mean() < np.abs(blurred - truth).mean()


def test_splat_has_the_size_of_the_silhouette(scenes, evidence):
    seen, pose = evidence
    drawn = splat(pose[None], scenes.surface, seen.K, SIZE)
    assert drawn.cover[0].sum() == pytest.approx(seen.amodal.sum(), rel=0.05)
    both = (drawn.depth[0] > 0) & (seen.points[..., 2] > 0) & (seen.visible > 0.9)
    assert np.median(np.abs(drawn.depth[0] - seen.points[..., 2])[both]) < 0.003


def test_the_truth_scores_best(scenes, evidence):
    seen, pose = evidence
    rng = np.random.default_rng(0)
    wrong = perturb(pose, rng.normal(scale=[0.02, 0.02, 0.02, 0.5, 0.5, 0.5], size=(20, 6)))
    scores = score(np.concatenate([pose[None], wrong]), seen, scenes.surface)
    assert np.argmax(scores.total) == 0
    for part in (scores.values[name] for name in ("silhouette", "coordinates", "geometry", "texture")):
        assert ((part >= 0) & (part <= 1)).all()
        assert part[0] > np.median(part[1:])


def test_half_resolution_ranks_the_same(scenes, evidence):
    seen, pose = evidence
    rough = seen.half_resolution()
    assert rough.visible.shape == (SIZE // 2, SIZE // 2)
    wrong = perturb(pose, np.array([0.03, 0, 0, 0, 0.5, 0]))
    scores = score(np.stack([pose, wrong]), rough, scenes.surface, 800)
    assert scores.total[0] > scores.total[1]


def test_distinct_leaves_out_near_copies(scenes):
    pose = scenes.pose(0)
    near, far = perturb(pose, np.full(6, 1e-3)), perturb(pose, np.array([0.1, 0, 0, 0, 0, 0]))
    kept = distinct(np.stack([near, pose, far]), np.array([0.5, 0.9, 0.4]), 0.14)
    assert kept.tolist() == [1, 2]
