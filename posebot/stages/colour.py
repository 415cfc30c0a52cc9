"""Pose hypotheses from colour alone: PnP on the coordinates, then size and place of the mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.stages import pnp
from posebot.stages.depth import distinct, mask_center, rotation_grid
from posebot.stages.evidence import SIZE, Evidence
from posebot.stages.score import score
from posebot.stages.splat import splat
from posebot.stages.surface import Surface

_DRAWN = 1500
_KEPT = 8


def colour_hypotheses(evidence: Evidence, surface: Surface) -> Array:
    """Poses (H, 4, 4), best first. Empty where there are too few coordinates."""
    solved = [pnp.refine(pose, evidence)[0] for pose in pnp.ransac(evidence)]
    if not solved:
        return np.zeros((0, 4, 4))
    found = np.stack(solved)
    at_origin = found.copy()
    at_origin[:, :3, 3] = evidence.origin
    grid = np.tile(np.eye(4), (60, 1, 1))
    grid[:, :3, :3] = rotation_grid()
    grid[:, :3, 3] = evidence.origin
    seeds = np.concatenate([found, at_origin, fit_mask(np.concatenate([found, at_origin, grid]), evidence, surface)])
    scores = score(seeds, evidence, surface, _DRAWN).total
    return seeds[distinct(seeds, scores, surface.model.diameter)[:_KEPT]]


def fit_mask(poses: Array, evidence: Evidence, surface: Surface, rounds: int = 2) -> Array:
    """Move poses (H, 4, 4) so that their silhouettes have the amodal mask's place and area."""
    area = float((evidence.amodal > 0.5).sum())
    if not area:
        return poses
    goal = mask_center(evidence)
    poses = poses.copy()
    for _ in range(rounds):
        rotation, translation = poses[:, :3, :3].astype(np.float32), poses[:, :3, 3].astype(np.float32)
        cloud = surface.points[:_DRAWN] @ np.swapaxes(rotation, 1, 2) + translation[:, None]
        drawn = splat(cloud, evidence.K, SIZE).depth > 0
        growth = np.sqrt(np.maximum(drawn.sum(axis=(1, 2)), 1) / area)
        poses[:, :3, 3] *= np.clip(growth, 0.7, 1.4)[:, None]
        rows, columns = drawn.any(axis=2), drawn.any(axis=1)
        middle = np.stack([_middle(np.asarray(columns)), _middle(np.asarray(rows))], axis=1)
        focal = np.array([evidence.K[0, 0], evidence.K[1, 1]])
        poses[:, :2, 3] += (goal - middle) / focal * poses[:, 2:3, 3]
    return poses


def _middle(used: NDArray[np.bool_]) -> Array:
    """Middle (H,) between the first and the last true entry of each row (H, S)."""
    return (np.argmax(used, axis=1) + used.shape[1] - 1 - np.argmax(used[:, ::-1], axis=1)) / 2
