"""Pose hypotheses from colour alone: PnP on the coordinates, then size and place of the mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.stages import pnp
from posebot.stages.depth import distinct, rotation_grid
from posebot.stages.evidence import SIZE, Evidence
from posebot.stages.score import score
from posebot.stages.splat import splat
from posebot.stages.surface import Surface

_DRAWN = 800
_KEPT = 8


def colour_hypotheses(evidence: Evidence, surface: Surface) -> Array:
    """Poses (H, 4, 4), best first. Empty where there are too few coordinates.

    Coordinates of an unsure network are too small or too large by some percent, and PnP then puts the object too near
    or too far. The mask's size does not share that error, so each pose is also placed by it and solved again there.
    """
    guess = pnp.Prior(evidence.origin)
    solved = [pnp.refine(pose, evidence, guess)[0] for pose in pnp.ransac(evidence)]
    if not solved:
        return np.zeros((0, 4, 4))
    found = np.stack(solved)
    placed = fit_mask(found, evidence, surface)
    settled = np.stack([pnp.refine(pose, evidence, _by_mask(pose))[0] for pose in placed])
    grid = np.tile(np.eye(4), (len(rotation_grid()), 1, 1))
    grid[:, :3, :3] = rotation_grid()
    grid[:, :3, 3] = evidence.origin
    rough = evidence.halved()
    grid = fit_mask(grid, rough, surface, 2, _DRAWN)
    seeds = np.concatenate([settled, grid[distinct(grid, score(grid, rough, surface, _DRAWN).total, 1.0)[:_KEPT]]])
    scores = score(seeds, evidence, surface).total
    return seeds[distinct(seeds, scores, surface.model.diameter)[:_KEPT]]


def _by_mask(pose: Array) -> pnp.Prior:
    return pnp.Prior(pose[:3, 3], 0.02 * SIZE, 0.02)


def fit_mask(poses: Array, evidence: Evidence, surface: Surface, rounds: int = 2, count: int | None = None) -> Array:
    """Move poses (H, 4, 4) so that their silhouettes have the amodal mask's place and area."""
    area = float(evidence.amodal.sum())
    if not area:
        return poses
    goal = _centroids(evidence.amodal[None])[0]
    focal = np.array([evidence.K[0, 0], evidence.K[1, 1]])
    poses = poses.copy()
    for _ in range(rounds):
        rotation, translation = poses[:, :3, :3].astype(np.float32), poses[:, :3, 3].astype(np.float32)
        cloud = surface.points[:count] @ np.swapaxes(rotation, 1, 2) + translation[:, None]
        cover = splat(cloud, evidence.K, len(evidence.visible)).cover
        growth = np.sqrt(np.maximum(cover.sum(axis=(1, 2)), 1) / area)
        poses[:, :3, 3] *= np.clip(growth, 0.7, 1.4)[:, None]
        poses[:, :2, 3] += (goal - _centroids(cover)) / focal * poses[:, 2:3, 3]
    return poses


def _centroids(masks: NDArray[np.float32]) -> Array:
    """Centroids (H, 2), x and y, of masks (H, S, S)."""
    total = np.maximum(masks.sum(axis=(1, 2)), 1e-6)
    steps = np.arange(masks.shape[1])
    return np.stack([masks.sum(axis=1) @ steps / total, masks.sum(axis=2) @ steps / total], axis=1)
