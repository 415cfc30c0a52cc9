"""Contours of a mesh, and poses refined by them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posebot.core.transforms import perturb, rotation_angle
from posebot.objects.bop_models import make_object
from posebot.stages.geometry.mesh_edges import contour_edges, mesh_edges
from posebot.stages.observation.evidence import gather
from posebot.stages.observation.region import region_of_crop
from posebot.stages.refinement import contour
from posebot.stages.scoring.contour import contour_agreement
from posebot.stages.scoring.total import score
from posebot.stages.settings import DEFAULTS

START = np.array([0.004, -0.004, 0.03, 0.12, -0.12, 0.12])
NEAR = range(6)


def colour_evidence(scenes, seed, **localization):
    """Evidence with its region, and the truth; the coordinates are useless, so that contour_edges must do."""
    pose = scenes.pose(seed)
    frame = scenes.frame(pose, depth=False)
    found = scenes.localization(frame, pose, **localization)
    evidence = gather(frame, found, scenes.model).for_colour(found)
    return replace(evidence, sigma=np.full(len(evidence.sigma), 0.1), origin=perturb(pose, START)[:3, 3]), pose


def test_an_outline_is_closed_and_seen_from_every_side(scenes):
    edges = mesh_edges(scenes.model.mesh)
    assert (edges.faces >= 0).all()
    rng = np.random.default_rng(0)
    for _ in range(20):
        eye = rng.normal(size=3)
        ends = edges.ends[contour_edges(edges, eye / np.linalg.norm(eye))]
        assert (np.unique(ends, return_counts=True)[1] % 2 == 0).all()  # what comes to a corner leaves it


def test_an_open_mesh_has_outlines_at_its_rims():
    from posebot.core.objects import Mesh

    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    flat = Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32))
    assert contour_edges(mesh_edges(make_object(1, "sheet", flat).mesh), np.array([0.2, 0.3, 5.0])).sum() == 4


@pytest.mark.parametrize("seed", NEAR)
def test_outlines_bring_a_pose_to_the_pixel(scenes, seed):
    evidence, pose = colour_evidence(scenes, seed)
    start = perturb(pose, START)
    found = contour.refine(start[None], evidence, scenes.surface)[0]
    assert scenes.error(found, pose) < 0.35 * scenes.error(start, pose)
    assert np.degrees(rotation_angle(found[:3, :3], pose[:3, :3])) < 5


@pytest.mark.parametrize("seed", NEAR)
def test_a_silhouette_knows_the_colours_that_a_mask_leaves_out(scenes, seed):
    """A mask without the right third of the object draws the pose away; its own colours bring it back."""
    evidence, pose = colour_evidence(scenes, seed)
    frame = scenes.frame(pose, depth=False)
    found = scenes.localization(frame, pose)
    third = np.quantile(np.nonzero(found.visible > 0.5)[1], 0.67)
    masks = (np.where(np.arange(32) > third, np.float32(0), mask) for mask in (found.visible, found.amodal))
    spoiled = replace(found, **dict(zip(("visible", "amodal"), masks, strict=True)))
    evidence = replace(evidence, region=region_of_crop(spoiled, frame.camera.K))
    start = perturb(pose, START / 4)
    by_mask = contour.refine(start[None], evidence, scenes.surface, DEFAULTS.refinement.contour.fine)[0]
    settled = contour.refine_own_colours(start[None], evidence, scenes.surface)[0]
    assert scenes.error(settled, pose) < 0.2 * scenes.error(by_mask, pose)


def test_each_pose_has_the_colours_of_its_own_silhouette(scenes):
    evidence, pose = colour_evidence(scenes, 0)
    starts = perturb(pose, np.random.default_rng(0).normal(size=(3, 6)) * [0.003, 0.003, 0.01, 0.05, 0.05, 0.05])
    together = contour.refine_own_colours(starts, evidence, scenes.surface)
    for start, settled in zip(starts, together, strict=True):
        alone = contour.refine_own_colours(start[None], evidence, scenes.surface)[0]
        np.testing.assert_allclose(alone, settled, atol=1e-9)


@pytest.mark.parametrize("seed", NEAR)
def test_many_poses_at_once_are_refined_as_each_alone(scenes, seed):
    evidence, pose = colour_evidence(scenes, seed)
    starts = perturb(pose, np.random.default_rng(seed).normal(size=(3, 6)) * [0.004, 0.004, 0.01, 0.1, 0.1, 0.1])
    together = contour.refine(starts, evidence, scenes.surface, DEFAULTS.refinement.contour.fine)
    alone = np.stack([contour.refine(start[None], evidence, scenes.surface, DEFAULTS.refinement.contour.fine)[0]
                      for start in starts])
    np.testing.assert_allclose(together, alone, atol=1e-7)


@pytest.mark.parametrize("seed", NEAR)
def test_the_contour_agrees_with_the_truth_more_than_with_what_is_near(scenes, seed):
    evidence, pose = colour_evidence(scenes, seed)
    poses = np.stack([pose, perturb(pose, START)])
    right, wrong = score(poses, evidence, scenes.surface).values["contour"]
    assert right > 0.6
    assert right > wrong


def test_a_pose_out_of_sight_stays_where_it_is(scenes):
    evidence, pose = colour_evidence(scenes, 0)
    away = perturb(pose, [3.0, 0, 0, 0, 0, 0])
    evidence = replace(evidence, weight=np.zeros(len(evidence.weight)), origin=away[:3, 3])
    moved = contour.refine(away[None], evidence, scenes.surface)[0]
    np.testing.assert_allclose(moved, away, atol=1e-3)
    assert contour_agreement(away[None], evidence.region, scenes.surface)[0] == 0
