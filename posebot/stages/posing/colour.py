"""Poses from colour alone: drawings and PnP on the coordinates, size and place of the mask, the outline, the print."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.stages.posing import contour, landmarks, pnp
from posebot.stages.posing.depth import distinct
from posebot.stages.posing.evidence import SIZE, Evidence
from posebot.stages.posing.score import Scores, score
from posebot.stages.posing.splat import covered
from posebot.stages.posing.standing import Upright, rated
from posebot.stages.posing.surface import Surface
from posebot.stages.posing.templates import guess

_DRAWN = 1600  # surface points, in a halved picture
_GUESSES, _PLACED, _OUTLINED, _FINISHED, _TURNED = 24, 10, 5, 3, 2  # candidates, step by step
_UNMOVED = 2  # that stay in the race as they were before the outline
_TOLD = 0.25  # agreement of landmarks, see there, from which the print is believed
_COORDINATES = 200  # most that a pose is fitted to: neighbours say the same


@dataclass(frozen=True)
class Draft:
    """Candidates of one object before it is known which way is up.

    Attributes:
        poses, totals: (H, 4, 4) and scores (H,), moved to the outline by the colours of the network's mask. others:
            (N, 4, 4) that stay in the race as they are. evidence: all of it. thinned: that of few coordinates. rough:
            in a quarter of the pixels.
    """

    poses: Array
    totals: Array
    others: Array
    evidence: Evidence
    thinned: Evidence
    rough: Evidence


def draft(evidence: Evidence, surface: Surface) -> Draft:
    """The first half of the search. The evidence has its `region`.

    Coordinates of an unsure network are too small or too large by some percent, and PnP then puts the object too near
    or too far. The mask's size does not share that error, so each pose is also placed by it and solved again there.
    What is left of the error, the outline in the picture takes away, here by the colours of the network's mask.
    """
    diameter, rough, thinned = surface.model.diameter, evidence.halved(), evidence.thinned(_COORDINATES)
    solved = pnp.refine(pnp.ransac(evidence), thinned, pnp.Prior(evidence.origin))[0]
    seeds = np.concatenate([guess(surface.templates, evidence, False, _GUESSES), solved])
    placed = fit_mask(seeds, rough, surface, 3, _DRAWN)
    placed = placed[distinct(placed, score(placed, rough, surface, _DRAWN).total, diameter)[:_PLACED]]
    by_mask = pnp.Prior(placed[:, :3, 3], 0.02 * SIZE, 0.02, 2.0)
    found = np.concatenate([placed, pnp.refine(placed, thinned, by_mask)[0], solved])
    found = found[distinct(found, score(found, rough, surface, _DRAWN).total, diameter)[:_OUTLINED]]
    printed, told = _printed(evidence)
    # where no print says how it lies, what is nearly right already is also kept from edges that are far off
    reaches = (contour.COARSE,) if told else (contour.COARSE, contour.NEAR)
    moved = np.concatenate([contour.refine(found, thinned, surface, reach) for reach in reaches])
    others = np.concatenate([found[:_UNMOVED], printed])
    return Draft(moved, score(moved, evidence, surface).total, others, evidence, thinned, rough)


def finish(begun: Draft, surface: Surface, upright: Upright | None = None) -> tuple[Array, Scores]:
    """The second half: candidate poses (H, 4, 4) and their scores. The best few are refined by the colours of their own
    silhouettes and, where it is known which way is up, upright."""
    full, thinned, rough = (replace(each, upright=upright) for each in (begun.evidence, begun.thinned, begun.rough))
    totals = rated(begun.totals, begun.poses, surface.uprights, upright)
    found = begun.poses[distinct(begun.poses, totals, surface.model.diameter)[:_FINISHED]]
    found = np.concatenate([contour.settle(found, thinned, surface), begun.others])
    scores = score(found, full, surface)
    turned = found[int(np.argmax(scores.total))] @ surface.ambiguities[1:]
    if len(turned):
        likely = np.argsort(-score(turned, rough, surface, _DRAWN).total)[:_TURNED]
        turned = contour.refine(turned[likely], thinned, surface, contour.FINEST)
        found, scores = np.concatenate([found, turned]), scores.joined(score(turned, full, surface))
    return found, scores


def _printed(evidence: Evidence) -> tuple[Array, bool]:
    """Poses (H, 4, 4) that the print speaks for, and whether it does so clearly."""
    if evidence.pairs is None:
        return np.zeros((0, 4, 4)), False
    poses = landmarks.poses(evidence.pairs, evidence.K)
    return poses, bool((landmarks.agreement(poses, evidence.pairs, evidence.K) > _TOLD).any())


def fit_mask(poses: Array, evidence: Evidence, surface: Surface, rounds: int, count: int) -> Array:
    """Move poses (H, 4, 4) so that their silhouettes have the amodal mask's place and area."""
    area = float(evidence.amodal.sum())
    if not area:
        return poses
    goal = _centroids(evidence.amodal[None])[0]
    focal = np.array([evidence.K[0, 0], evidence.K[1, 1]])
    poses = poses.copy()
    for _ in range(rounds):
        cover = covered(poses, surface, evidence.K, len(evidence.visible), count)
        growth = np.sqrt(np.maximum(cover.sum(axis=(1, 2)), 1) / area)
        poses[:, :3, 3] *= np.clip(growth, 0.7, 1.4)[:, None]
        poses[:, :2, 3] += (goal - _centroids(cover)) / focal * poses[:, 2:3, 3]
    return poses


def _centroids(masks: NDArray[np.float32]) -> Array:
    """Centroids (H, 2), x and y, of masks (H, S, S)."""
    total = np.maximum(masks.sum(axis=(1, 2)), 1e-6)
    steps = np.arange(masks.shape[1])
    return np.stack([masks.sum(axis=1) @ steps / total, masks.sum(axis=2) @ steps / total], axis=1)
