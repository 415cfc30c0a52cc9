"""Poses placed by the size and position of the amodal mask, which do not share the coordinates' errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.stages.geometry.splat import coverage
from posebot.stages.geometry.surface import Surface
from posebot.stages.observation.evidence import Evidence


def fit_mask(poses: Array, evidence: Evidence, surface: Surface, rounds: int, count: int) -> Array:
    """Translate poses (H, 4, 4) so that their silhouettes have the amodal mask's centroid and area.

    count: number of surface points to draw.
    """
    area = float(evidence.amodal.sum())
    if not area:
        return poses
    goal = _centroids(evidence.amodal[None])[0]
    focal = np.array([evidence.K[0, 0], evidence.K[1, 1]])
    poses, settings = poses.copy(), evidence.settings.refinement
    for _ in range(rounds):
        cover = coverage(poses, surface, evidence.K, len(evidence.visible), count)
        growth = np.sqrt(np.maximum(cover.sum(axis=(1, 2)), 1) / area)
        poses[:, :3, 3] *= np.clip(growth, settings.mask_min_scale, settings.mask_max_scale)[:, None]
        poses[:, :2, 3] += (goal - _centroids(cover)) / focal * poses[:, 2:3, 3]
    return poses


def _centroids(masks: NDArray[np.float32]) -> Array:
    """Centroids (H, 2), x and y, of masks (H, S, S)."""
    total = np.maximum(masks.sum(axis=(1, 2)), 1e-6)
    steps = np.arange(masks.shape[1])
    return np.stack([masks.sum(axis=1) @ steps / total, masks.sum(axis=2) @ steps / total], axis=1)
