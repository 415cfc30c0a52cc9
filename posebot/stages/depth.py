"""Pose hypotheses from depth: sensed points in the mask, weighted Kabsch, a grid of rotations, all refined by ICP."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import rays
from posebot.core.transforms import Array, apply, exp, inverse, make, orthonormal, rotation_from_vector
from posebot.stages import icp
from posebot.stages.evidence import Evidence
from posebot.stages.score import score
from posebot.stages.surface import Points, Surface

MIN_POINTS = 30
_COARSE, _FINE = 96, 500  # sensed points used for many and for few hypotheses
_COARSE_WIDTHS = np.array([0.10, 0.08, 0.06, 0.05, 0.04])  # of the diameter
_FINE_WIDTHS = np.array([0.04, 0.03, 0.02, 0.015, 0.012, 0.01, 0.01, 0.01])
_KEPT = 8
_ROUGH = 800  # surface points drawn when many poses are judged
_TILT, _ROUND = np.radians(20.0), 18  # a little turn; equal turns all round


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


@cache
def rotation_grid() -> Array:
    """120 rotations (120, 3, 3): the icosahedral group and the same turned by 36 degrees about one of its axes."""
    from scipy.spatial.transform import Rotation

    group = np.asarray(Rotation.create_group("I").as_matrix())
    return np.concatenate([group, group @ rotation_from_vector([0, 0, np.pi / 5])])


def place(rotations: Array, evidence: Evidence, surface: Surface, points_cam: Points) -> Array:
    """Poses (H, 4, 4) with given rotations (H, 3, 3): sideways by the amodal mask, along z by the sensed depth."""
    relative = surface.points[:400] @ np.swapaxes(rotations, 1, 2)
    facing = (surface.normals[:400] @ np.swapaxes(rotations, 1, 2))[..., 2] < 0
    front = np.nanmedian(np.where(facing, relative[..., 2], np.nan), axis=1) if facing.any(axis=1).all() else 0.0
    z = np.median(points_cam[:, 2]) - front
    middle = (relative.min(axis=1) + relative.max(axis=1))[:, :2] / 2
    poses = np.tile(np.eye(4), (len(rotations), 1, 1))
    poses[:, :3, :3] = rotations
    poses[:, :3, 3] = rays(evidence.K, mask_center(evidence)) * np.asarray(z).reshape(-1, 1)
    poses[:, :2, 3] -= middle
    return poses


def mask_center(evidence: Evidence) -> Array:
    """Centre (2,) of the amodal mask's box, working pixels; of the network's guess where the mask is empty."""
    mask = evidence.amodal > 0.5
    if not mask.any():
        return evidence.K[:2, :2] @ (evidence.origin[:2] / evidence.origin[2]) + evidence.K[:2, 2]
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([columns[0] + columns[-1], rows[0] + rows[-1]]) / 2


def kabsch(evidence: Evidence, tries: int = 64, rounds: int = 4) -> list[Array]:
    """Pose from predicted coordinates and the depth sensed at their pixels: random triples, then reweighted fits.

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
    return [pose]


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


def search(seeds: Array, evidence: Evidence, surface: Surface, points: Points, trust: Points) -> Array:
    """The best few (at most 8) poses near the seeds (H, 4, 4): refined, the best of them turned, and refined again."""
    rough = evidence.halved()
    found = _roughly(seeds, rough, surface, points, trust, 8)
    turned = _roughly(_turned(found, surface), rough, surface, points, trust, _KEPT)
    return polish(turned, evidence, surface, points, trust)


def _roughly(seeds: Array, rough: Evidence, surface: Surface, points: Points, trust: Points, keep: int) -> Array:
    diameter = surface.model.diameter
    moved = icp.refine(seeds, surface, points[:_COARSE], trust[:_COARSE], _COARSE_WIDTHS * diameter)
    return moved[distinct(moved, score(moved, rough, surface, _ROUGH).total, diameter)[:keep]]


def _turned(poses: Array, surface: Surface) -> Array:
    """The poses; each turned a little about every axis; and the best two turned all round about every axis."""
    middle = make(translation=surface.points.mean(axis=0, dtype=float))
    tilts, rounds = _turns()
    near, far = middle @ tilts @ inverse(middle), middle @ rounds @ inverse(middle)
    turned = [(poses @ near[:, None]).reshape(-1, 4, 4), (poses[:2] @ far[:, None]).reshape(-1, 4, 4)]
    return np.concatenate([poses, *turned])


@cache
def _turns() -> tuple[Array, Array]:
    """A little turn each way about each axis (6, 4, 4), and all turns round about each (3 * (_ROUND - 1), 4, 4)."""
    steps = np.concatenate([np.eye(3), -np.eye(3)]) * _TILT
    around = np.concatenate([np.eye(3) * angle for angle in np.arange(1, _ROUND) * 2 * np.pi / _ROUND])
    return exp(np.pad(steps, ((0, 0), (3, 0)))), exp(np.pad(around, ((0, 0), (3, 0))))


def polish(poses: Array, evidence: Evidence, surface: Surface, points: Points, trust: Points) -> Array:
    """Refine each pose; a refinement counts only where the score, which ICP does not look at, gets better."""
    widths = np.maximum(_FINE_WIDTHS * surface.model.diameter, 0.003)
    moved = icp.refine(poses, surface, points[:_FINE], trust[:_FINE], widths)
    better = score(moved, evidence, surface).total > score(poses, evidence, surface).total
    return np.where(better[:, None, None], moved, poses)


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
