"""What can be taken for what: an object's near-symmetries, and the other poses that a picture leaves possible.

Near-symmetries are turns after which the shape nearly covers itself, whatever the print says. A pose that is wrong by
one of them fits the evidence almost as well as the right one, and a local refinement never gets from the one to the
other: so each good pose is also tried turned by all of them. Where two clearly different poses fit about equally well
(a mug whose handle is hidden), no score can choose between them: the others are told beside the one that is given.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from posebot.core.results import Alternative
from posebot.core.transforms import Array, apply, make, rotation_from_vector, skew
from posebot.stages.posing import icp
from posebot.stages.posing.evidence import Evidence
from posebot.stages.posing.score import score
from posebot.stages.posing.surface import Surface
from posebot.stages.posing.symmetry import canonical, symmetries

NEAR = 0.02  # of the score: where another pose comes this near, the better one is right in fewer than half of the cases

_TURNS = 12  # equal turns about each axis of the bounding box, alone and after a half turn about another
_ALIKE = 0.035  # of the diameter: mean distance under which two poses are easily taken for each other
_FAR = 0.1  # of the diameter: distances count no more than this
_WIDTHS = np.array([0.2, 0.15, 0.1, 0.08, 0.06, 0.05, 0.04])  # of the diameter, see `icp.refine`
_NEW = np.cos(np.radians(14))
_POINTS = 300
_APART = 0.1  # of the diameter, somewhere on the surface: what makes two poses clearly different
_LISTED = 4
_STEP, _SWEEP = 0.14, np.array([-4.0, -3, -2, -1, 1, 2, 3, 4])  # of the diameter, at the point that moves most; steps


def ambiguities(surface: Surface) -> Array:
    """Transforms (A, 4, 4), object frame, the identity first and true symmetries left out. About 0.1 s."""
    model = surface.model
    turns = np.stack([make(turn[:3, :3], model.center - turn[:3, :3] @ model.center) for turn in _turns()])
    # the axis need not go through the middle of the box (a mug's does not): registered to itself, the shape finds it
    points = surface.points[:_POINTS]
    ones = np.ones(len(points), np.float32)
    moved = icp.refine(turns, surface, points, ones, _WIDTHS * model.diameter, front=False)
    there = np.einsum("hji,hnj->hni", moved[:, :3, :3], points[None] - moved[:, None, :3, 3]).astype(np.float32)
    apart = np.linalg.norm(there - surface.points[surface.nearest(there)], axis=-1)
    cost = np.minimum(apart, _FAR * model.diameter).mean(axis=1)
    order = np.argsort(cost)
    return _distinct(moved[order[cost[order] < _ALIKE * model.diameter]], symmetries(model))


def _turns() -> list[Array]:
    axes = np.eye(3)
    turns = [make(rotation_from_vector(axis * 2 * np.pi * k / _TURNS)) for axis in axes for k in range(_TURNS)]
    flips = [make(rotation_from_vector(axis * np.pi)) for axis in axes]
    return turns + [turn @ flip for turn, flip in product(turns, flips)]


def _distinct(poses: Array, same: Array) -> Array:
    """The identity and those poses that are turned from all earlier ones, and from what symmetry makes of them."""
    kept = [np.eye(4)]
    for pose in poses:
        turns = np.stack(kept)[:, None, :3, :3] @ same[None, :, :3, :3]
        cosine = (np.einsum("ksij,ij->ks", turns, pose[:3, :3]) - 1) / 2
        if cosine.max() < _NEW:
            kept.append(pose)
    return np.stack(kept)


def rivals(candidates: Array, totals: Array, best: int, covariance: Array, evidence: Evidence, surface: Surface
           ) -> tuple[float, tuple[Alternative, ...]]:
    """How much better the best of the candidates (H, 4, 4) scores than any that is clearly different; and its rivals.

    Rivals are listed where that margin is below `NEAR`: at most four that score so well, each clearly different from
    all others modulo symmetry. They are sought among the candidates, the best pose turned by every near-symmetry, and
    the best pose moved along what the evidence fixes least (`covariance`, 6x6, of the best pose).
    """
    gaps, free = totals[best] - totals, _different(candidates, candidates[best], surface)
    margin = float(gaps[free].min()) if free.any() else 1.0
    if margin >= NEAR:
        return margin, ()
    more = np.concatenate([candidates[best] @ surface.ambiguities[1:], _loose(candidates[best], covariance, surface)])
    gaps = np.concatenate([gaps, totals[best] - score(more, evidence, surface).total])
    candidates = np.concatenate([candidates, more])
    free = _different(candidates, candidates[best], surface)
    listed: list[Alternative] = []
    while len(listed) < _LISTED and (free & (gaps < NEAR)).any():
        chosen = int(np.argmin(np.where(free, gaps, np.inf)))
        listed.append(Alternative(canonical(candidates[chosen], surface.model), max(0.0, float(gaps[chosen]))))
        free &= _different(candidates, candidates[chosen], surface)
    return margin, tuple(listed)


def _loose(pose: Array, covariance: Array, surface: Surface) -> Array:
    """The pose (8, 4, 4) moved to and fro along the screw that is known least, in steps that can just be told apart."""
    from scipy.linalg import expm

    diameter, points = surface.model.diameter, apply(pose, surface.points[:100].astype(float))
    units = np.array([diameter] * 3 + [1.0] * 3)
    shift, turn = np.split(np.linalg.eigh(covariance / np.outer(units, units))[1][:, -1] * units, 2)
    screw = np.zeros((4, 4))  # of the camera's frame; `shift` is that of the object's origin
    screw[:3, :3], screw[:3, 3] = skew(turn), shift - np.cross(turn, pose[:3, 3])
    speed = np.linalg.norm(points @ screw[:3, :3].T + screw[:3, 3], axis=1).max()
    return np.asarray(expm(_SWEEP[:, None, None] * (_STEP * diameter / speed) * screw) @ pose)


def _different(poses: Array, other: Array, surface: Surface) -> NDArray[np.bool_]:
    """Which of the poses (H, 4, 4) put some point of the surface elsewhere than any equivalent of the other pose."""
    points = surface.points[:20].astype(float)
    images = apply(symmetries(surface.model), points)  # (S, 20, 3)
    equal = apply(other, images.reshape(-1, 3)).reshape(images.shape)
    apart = np.linalg.norm(apply(poses, points)[:, None] - equal[None], axis=-1).max(axis=2).min(axis=1)
    return np.asarray(apart > _APART * surface.model.diameter)
