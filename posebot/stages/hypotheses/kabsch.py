"""A pose from predicted coordinates and the depth readings at their pixels, by the Kabsch algorithm.

Kabsch, "A solution for the best rotation to relate two sets of vectors", 1976.
"""

from __future__ import annotations

import numpy as np

from posebot.core.transforms import Array, apply, orthonormal
from posebot.stages.observation.evidence import Evidence


def kabsch(evidence: Evidence) -> list[Array]:
    """Pose (1, 4, 4) from random triples, then reweighted fits. Empty with too few readings."""
    assert evidence.points is not None
    settings = evidence.settings.hypotheses.ransac
    at = np.clip(np.rint(evidence.pixels).astype(int), 0, len(evidence.visible) - 1)
    camera = evidence.points[at[:, 1], at[:, 0]].astype(float)
    read = camera[:, 2] > 0
    camera, points = camera[read], evidence.coordinates[read]
    if len(camera) < evidence.settings.observation.min_readings:
        return []
    trust = (evidence.weight / evidence.sigma**2)[read]
    sigma = np.maximum(evidence.sigma[read], settings.kabsch_min_error * evidence.model.diameter)
    rng = np.random.default_rng(0)
    picks = rng.choice(len(camera), size=(settings.kabsch_samples, 3), p=trust / trust.sum())
    poses = fit_rigid(points[picks], camera[picks], np.ones(picks.shape))
    errors = np.linalg.norm(apply(poses, points) - camera, axis=-1) / sigma
    pose = poses[np.argmax((trust / (1 + errors**2)).sum(axis=1))]
    for _ in range(settings.kabsch_rounds):
        error = np.linalg.norm(apply(pose, points) - camera, axis=-1) / sigma
        pose = fit_rigid(points, camera, trust / (1 + error**2) ** 2)
    return [pose[None]]


def fit_rigid(points_b: Array, points_a: Array, weights: Array) -> Array:
    """Least-squares rigid transforms `a_from_b` (..., 4, 4) of pairs of points (..., N, 3), weights (..., N)."""
    share = (weights / np.maximum(weights.sum(axis=-1, keepdims=True), 1e-12))[..., None]
    mean_a, mean_b = (points_a * share).sum(axis=-2), (points_b * share).sum(axis=-2)
    spread = np.swapaxes((points_a - mean_a[..., None, :]) * share, -1, -2) @ (points_b - mean_b[..., None, :])
    poses = np.zeros((*points_b.shape[:-2], 4, 4))
    poses[..., 3, 3] = 1
    poses[..., :3, :3] = orthonormal(spread)
    poses[..., :3, 3] = mean_a - (poses[..., :3, :3] @ mean_b[..., None])[..., 0]
    return poses
