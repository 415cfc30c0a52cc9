"""Pose hypotheses from depth: weighted Kabsch and drawings from all sides, refined by ICP on sensed points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array, apply, orthonormal
from posebot.stages.posing import icp, landmarks
from posebot.stages.posing.evidence import Evidence
from posebot.stages.posing.score import Scores, score
from posebot.stages.posing.surface import Points, Surface
from posebot.stages.posing.templates import guess

MIN_POINTS = 30
_COARSE, _FINE = 96, 500  # sensed points used for many and for few hypotheses
_COARSE_WIDTHS = np.array([0.10, 0.08, 0.06, 0.05, 0.04])  # of the diameter
_FINE_WIDTHS = np.array([0.04, 0.03, 0.02, 0.015, 0.012, 0.01, 0.01])
_GUESSES, _KEPT, _KEPT_TURNED = 32, 6, 4
_ROUGH = 1200  # surface points drawn when many poses are judged


def sensed_points(evidence: Evidence) -> tuple[Points, Points]:
    """Depth readings that probably lie on the object: points (N, 3), camera frame, in random order, and trust (N,)."""
    assert evidence.points is not None
    chosen = (evidence.visible > 0.5) & (evidence.points[..., 2] > 0)
    points, trust = evidence.points[chosen], evidence.visible[chosen] ** 2
    if len(points):
        near = np.abs(points[:, 2] - np.median(points[:, 2])) < evidence.model.diameter
        points, trust = points[near], trust[near]
    order = np.random.default_rng(0).permutation(len(points))
    return points[order], trust[order]


def kabsch(evidence: Evidence, tries: int = 64, rounds: int = 4) -> list[Array]:
    """Pose (1, 4, 4) from predicted coordinates and the depth sensed there: random triples, then reweighted fits.

    Kabsch, "A solution for the best rotation to relate two sets of vectors", 1976. Empty with too few readings.
    """
    assert evidence.points is not None
    at = np.clip(np.rint(evidence.pixels).astype(int), 0, len(evidence.visible) - 1)
    camera = evidence.points[at[:, 1], at[:, 0]].astype(float)
    read = camera[:, 2] > 0
    camera, points = camera[read], evidence.coordinates[read]
    if len(camera) < MIN_POINTS:
        return []
    trust = (evidence.weight / evidence.sigma**2)[read]
    sigma = np.maximum(evidence.sigma[read], 0.03 * evidence.model.diameter)
    rng = np.random.default_rng(0)
    picks = rng.choice(len(camera), size=(tries, 3), p=trust / trust.sum())
    poses = fit(points[picks], camera[picks], np.ones(picks.shape))
    errors = np.linalg.norm(apply(poses, points) - camera, axis=-1) / sigma
    pose = poses[np.argmax((trust / (1 + errors**2)).sum(axis=1))]
    for _ in range(rounds):
        error = np.linalg.norm(apply(pose, points) - camera, axis=-1) / sigma
        pose = fit(points, camera, trust / (1 + error**2) ** 2)
    return [pose[None]]


def fit(points_b: Array, points_a: Array, weights: Array) -> Array:
    """The rigid transforms `a_from_b` (..., 4, 4) nearest to pairs of points (..., N, 3), weights (..., N)."""
    share = (weights / np.maximum(weights.sum(axis=-1, keepdims=True), 1e-12))[..., None]
    mean_a, mean_b = (points_a * share).sum(axis=-2), (points_b * share).sum(axis=-2)
    spread = np.swapaxes((points_a - mean_a[..., None, :]) * share, -1, -2) @ (points_b - mean_b[..., None, :])
    poses = np.zeros((*points_b.shape[:-2], 4, 4))
    poses[..., 3, 3] = 1
    poses[..., :3, :3] = orthonormal(spread)
    poses[..., :3, 3] = mean_a - (poses[..., :3, :3] @ mean_b[..., None])[..., 0]
    return poses


def search(evidence: Evidence, surface: Surface, points: Points, trust: Points) -> tuple[Array, Scores]:
    """Candidate poses (H, 4, 4) and their scores.

    Guesses from the templates and from Kabsch are refined on few points and judged roughly; the best are refined on
    more. The best two of all that come out are then turned by the object's ambiguities, and the best of those refined
    likewise. What a refinement started from stays a candidate, so that it counts only where the score, which ICP does
    not look at, gets better.
    """
    diameter = surface.model.diameter
    seeds = np.concatenate([guess(surface.templates, evidence, True, _GUESSES), *kabsch(evidence)])
    moved = icp.refine(seeds, surface, points[:_COARSE], trust[:_COARSE], _COARSE_WIDTHS * diameter)
    rough = score(moved, evidence.halved(), surface, _ROUGH).total
    chosen = moved[distinct(moved, rough, diameter)[:_KEPT]]
    if evidence.pairs is not None:
        chosen = np.concatenate([chosen, landmarks.poses(evidence.pairs, evidence.K)])
    found = _polished(chosen, surface, points, trust)
    scores = score(found, evidence, surface)
    best = found[distinct(found, scores.total, diameter)[:2]]
    turned = (best[:, None] @ surface.ambiguities[1:]).reshape(-1, 4, 4)
    if len(turned):
        order = np.argsort(-score(turned, evidence, surface, _ROUGH).total)[:_KEPT_TURNED]
        turned = icp.refine(turned[order], surface, points[:_COARSE], trust[:_COARSE], _COARSE_WIDTHS[2:] * diameter)
        turned = _polished(turned, surface, points, trust)
        found, scores = np.concatenate([found, turned]), scores.joined(score(turned, evidence, surface))
    return found, scores


def _polished(poses: Array, surface: Surface, points: Points, trust: Points) -> Array:
    """Each pose, then each refined (2 H, 4, 4)."""
    widths = np.maximum(_FINE_WIDTHS * surface.model.diameter, 0.003)
    return np.concatenate([poses, icp.refine(poses, surface, points[:_FINE], trust[:_FINE], widths)])


def distinct(poses: Array, scores: Array, diameter: float) -> NDArray[np.int64]:
    """Indices of the poses, best first, without those that lie within 8 degrees and 4 % of a better one."""
    flat = poses[:, :3, :3].reshape(-1, 9)
    turned = (flat @ flat.T - 1) / 2 > np.cos(np.radians(8))
    apart = np.linalg.norm(poses[:, None, :3, 3] - poses[None, :, :3, 3], axis=-1)
    alike = turned & (apart < 0.04 * diameter)
    kept: list[int] = []
    for i in np.argsort(-scores):
        if not alike[i, kept].any():
            kept.append(int(i))
    return np.array(kept, dtype=np.int64)
