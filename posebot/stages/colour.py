"""Pose hypotheses from colour alone: PnP on the coordinates, then size and place of the mask."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.stages import pnp
from posebot.stages.climb import climb
from posebot.stages.depth import distinct
from posebot.stages.evidence import SIZE, Evidence
from posebot.stages.score import Scores, score
from posebot.stages.splat import splat
from posebot.stages.surface import Surface
from posebot.stages.templates import guess

_DRAWN = 800
_GUESSES, _KEPT, _CLIMBERS = 32, 6, 4
_SAME = 0.03  # scores that differ by less do not tell two close poses apart
_STEPS, _LAST = (0.06, 0.04, 0.025), (0.012,)


def search(evidence: Evidence, surface: Surface) -> tuple[Array, Scores]:
    """Candidate poses (H, 4, 4) and their scores.

    Coordinates of an unsure network are too small or too large by some percent, and PnP then puts the object too near
    or too far. The mask's size does not share that error, so each pose is also placed by it and solved again there.
    """
    diameter = surface.model.diameter
    rough = evidence.halved()
    prior = pnp.Prior(evidence.origin)
    solved = [pnp.refine(pose, evidence, prior)[0][None] for pose in pnp.ransac(evidence)]
    seeds = np.concatenate([guess(surface.templates, evidence, False, _GUESSES), *solved])
    placed = fit_mask(seeds, rough, surface, 3, _DRAWN)
    placed = placed[distinct(placed, score(placed, rough, surface, _DRAWN).total, diameter)[:_KEPT]]
    settled = np.stack([pnp.refine(pose, evidence, _by_mask(pose))[0] for pose in placed])
    found = np.concatenate([placed, settled, *solved])
    found = found[distinct(found, score(found, rough, surface, _DRAWN).total, diameter)[:_CLIMBERS]]
    found = np.concatenate([found, climb(found, rough, surface, _STEPS, _DRAWN)])
    scores = score(found, evidence, surface)
    best = found[[int(np.argmax(scores.total))]]
    turned = best @ surface.ambiguities[1:]
    if len(turned):
        found, scores = np.concatenate([found, turned]), scores.joined(score(turned, evidence, surface))
    best = climb(found[distinct(found, scores.total, diameter)[:2]], evidence, surface, _LAST, _DRAWN)
    found, scores = np.concatenate([found, best]), scores.joined(score(best, evidence, surface))
    return _settled(found, scores, evidence, surface)


def _settled(found: Array, scores: Scores, evidence: Evidence, surface: Surface) -> tuple[Array, Scores]:
    """The candidates, the best of them solved by its coordinates once more, unless the score gets clearly worse.

    Small drawings are some percent too large. Of the solutions near the best, one from the place that the mask gives at
    full resolution and one from the network's guess of the origin, the one whose coordinates fit best is taken:
    coordinates that a network is sure of tell more than drawings of 64 pixels can.
    """
    best = int(np.argmax(scores.total))
    placed = fit_mask(found[[best]], evidence, surface)[0]
    priors = (_by_mask(placed), pnp.Prior(evidence.origin))
    trials = np.stack([found[best], *[pnp.refine(placed, evidence, prior)[0] for prior in priors]])
    after = score(trials, evidence, surface)
    costs = np.array([pnp.cost(pose, evidence) for pose in trials])
    costs[after.total < scores.total[best] - _SAME] = np.inf
    costs[0] = min(costs[0], 1e12)
    chosen = int(np.argmin(costs))
    total = np.where(np.arange(len(trials)) == chosen, np.maximum(after.total[chosen], scores.total[best]), after.total)
    return np.concatenate([trials, found]), replace(after, total=total).joined(scores)


def _by_mask(pose: Array) -> pnp.Prior:
    return pnp.Prior(pose[:3, 3], 0.02 * SIZE, 0.02, 2.0)


def fit_mask(poses: Array, evidence: Evidence, surface: Surface, rounds: int = 2, count: int | None = None) -> Array:
    """Move poses (H, 4, 4) so that their silhouettes have the amodal mask's place and area."""
    area = float(evidence.amodal.sum())
    if not area:
        return poses
    goal = _centroids(evidence.amodal[None])[0]
    focal = np.array([evidence.K[0, 0], evidence.K[1, 1]])
    poses = poses.copy()
    for _ in range(rounds):
        cover = splat(poses, surface, evidence.K, len(evidence.visible), count).cover
        growth = np.sqrt(np.maximum(cover.sum(axis=(1, 2)), 1) / area)
        poses[:, :3, 3] *= np.clip(growth, 0.7, 1.4)[:, None]
        poses[:, :2, 3] += (goal - _centroids(cover)) / focal * poses[:, 2:3, 3]
    return poses


def _centroids(masks: NDArray[np.float32]) -> Array:
    """Centroids (H, 2), x and y, of masks (H, S, S)."""
    total = np.maximum(masks.sum(axis=(1, 2)), 1e-6)
    steps = np.arange(masks.shape[1])
    return np.stack([masks.sum(axis=1) @ steps / total, masks.sum(axis=2) @ steps / total], axis=1)
