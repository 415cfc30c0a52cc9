"""Upright prior: the up direction that an image's objects have in common, and its term in each refinement.

Each upright object votes for a direction, and most are right. What they agree on fixes two of the three rotations of
objects whose own evidence is ambiguous or a few degrees off. No table need be visible, and the camera may be held at
any angle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from posebot.core.transforms import Array
from posebot.stages.geometry.compiled import compiled
from posebot.stages.observation.upright import (
    LEAN_SIGMA,
    OTHER_DENSITY,
    Upright,
    lean_likelihood,
    up_directions,
)
from posebot.stages.settings import DEFAULTS
from posebot.stages.settings.refinement import UprightSettings

_STIFFNESS = float(1 / np.radians(2) ** 2)  # cost of a squared radian of lean, relative to pixels of the contour


class UprightVote(NamedTuple):
    """One object's candidates: poses (H, 4, 4), totals (H,), `Surface.up_axes` (U, 3), and how likely the object is
    there at all."""

    poses: Array
    totals: Array
    up_axes: Array
    trust: float


def common_upright(votes: Sequence[UprightVote], share: float, settings: UprightSettings = DEFAULTS.upright
                   ) -> Upright | None:
    """The direction that is up for most objects; None where fewer than two objects agree, or too few of all.

    share: of the objects that are upright, 0..1; 0: unknown.
    """
    votes = [vote for vote in votes if len(vote.poses)]
    if share <= 0 or len(votes) < 2:
        return None
    directions = [up_directions(vote.poses, vote.up_axes) for vote in votes]
    weights = [_softmax(vote.totals, settings.sharpness) for vote in votes]
    trust = np.array([vote.trust for vote in votes])
    up = _best_seed(directions, weights, trust, share, settings)
    for _ in range(3):
        closest = [_closest(each, up) for each in directions]
        along = [weight * lean_likelihood(each @ up) for each, weight in zip(closest, weights, strict=True)]
        up = sum(own * weight @ each for own, weight, each in zip(trust, along, closest, strict=True))
        up = up / np.linalg.norm(up)
    within = float(np.cos(settings.agreement_sigmas * LEAN_SIGMA))
    agree = np.array([weight[each @ up > within].sum() for weight, each in zip(weights, closest, strict=True)]) > 0.5
    accepted = agree.sum() > 1 and trust[agree].sum() > settings.min_agreement * trust.sum()
    return Upright(up, share) if accepted else None


def _best_seed(directions: Sequence[Array], weights: Sequence[Array], trust: Array, share: float,
               settings: UprightSettings) -> Array:
    """Of the best candidates' directions, the one (3,) that is most likely up for all objects."""
    seeds = np.concatenate([_seeds(each, weight, settings) for each, weight in zip(directions, weights, strict=True)])
    support = np.stack([weight @ lean_likelihood(np.einsum("hui,si->hsu", each, seeds).max(axis=2))
                        for each, weight in zip(directions, weights, strict=True)])
    return np.asarray(seeds[int(np.argmax(trust @ np.log(share * support + (1 - share) * OTHER_DENSITY)))])


def _softmax(totals: Array, sharpness: float) -> Array:
    weights = np.exp(sharpness * (totals - totals.max()))
    return np.asarray(weights / weights.sum())


def _seeds(directions: Array, weights: Array, settings: UprightSettings) -> Array:
    """Directions (S, 3) of the best candidates, of (H, U, 3)."""
    axes = directions.shape[1]
    return directions[np.argsort(-weights)[:settings.seeds], ::-(-axes // settings.seed_axes)].reshape(-1, 3)


def _closest(directions: Array, up: Array) -> Array:
    """Of each candidate's directions (H, U, 3), the one (H, 3) closest to up."""
    return directions[np.arange(len(directions)), (directions @ up).argmax(axis=1)]


@compiled
def add_upright(pose: Array, up_axes: Array, upright: Upright, matrix: Array, right: Array) -> None:
    """Add the cost of a pose's lean to normal equations (6, 6) and (6,), chart of `transforms.perturb`.

    The more likely the object is not upright at all, the less it costs; nothing if no object is known to be.
    """
    if upright.share == 0:
        return
    up, own, best, highest = upright.up, np.empty(3), 0, -2.0
    for u in range(len(up_axes)):
        cosine = 0.0
        for i in range(3):
            for k in range(3):
                cosine += up[i] * pose[i, k] * up_axes[u, k]
        if cosine > highest:
            best, highest = u, cosine
    for i in range(3):
        own[i] = pose[i, 0] * up_axes[best, 0] + pose[i, 1] * up_axes[best, 1] + pose[i, 2] * up_axes[best, 2]
    likelihood = upright.share * np.exp(-0.5 * (np.arccos(min(max(highest, -1.0), 1.0)) / LEAN_SIGMA) ** 2)
    stiffness = _STIFFNESS * likelihood / (likelihood + (1 - upright.share) * OTHER_DENSITY)
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        right[3 + i] += stiffness * (own[j] * up[k] - own[k] * up[j])
        for j in range(3):
            matrix[3 + i, 3 + j] += stiffness * ((1.0 if i == j else 0.0) - own[i] * own[j])
