"""Things that stand on common ground: which way is up in a picture, how far down the ground is, and what both say of
each thing's pose.

Where several things stand on a table, each of them tells which way is up, and most are right. What they agree on
settles two of the three turns of those whose own evidence is torn between attitudes, or a few degrees off. Likewise
each tells how far below the camera it stands; from colour alone some percent too near or too far, and what they agree
on is better. No table need be seen, and the camera may be held anyhow. It is no use where parts lie in a bin:
`Manifest.standing` says of a bundle whether its objects stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.stages.posing.compiled import compiled

Points = NDArray[np.float32]
_WEIGHT = 0.02  # of the log-probability of a pose's lean, in its total score
_SPREAD = float(np.radians(6))  # sigma of how far a thing that stands seems to lean
_ELSE = _SPREAD**2 / 2  # density of all other attitudes, evenly over the sphere, as a share of the peak of those
_FIRM = float(1 / np.radians(2) ** 2)  # what a squared radian of lean costs beside pixels of the outline
_SURE = 30.0  # of scores: a candidate that is worse by one over this counts a third
_SEEDS, _SIDES = 3, 8  # candidates of each object, and of their directions, that are tried as the one
_CLEARLY = float(np.cos(2.5 * _SPREAD))  # half of an object's candidates within this stand for it to agree
_AGREED = 0.2  # share of what was seen, half of which may be nothing at all, that must
_SCALE = 0.04  # sigma of a distance, as a share of it, from colour alone
_UNEVEN = 0.05  # of the diameter: sigma of where a thing that stands has its lowest point
_OFF = 3.0  # sigmas from which a thing stands on something else
_FEWEST = 3  # things that make a ground


class Upright(NamedTuple):
    """up: (3,) unit vector, camera frame, from the ground upwards. standing: share of the objects that stand, 0..1."""

    up: Array
    standing: float


NOTHING = Upright(np.array([0.0, 0.0, 1.0]), 0.0)  # stands, as far as is known


class Vote(NamedTuple):
    """One object's candidates: poses (H, 4, 4) and their scores (H,); `Surface.uprights` (U, 3); and how likely it is
    there at all."""

    poses: Array
    totals: Array
    uprights: Array
    trust: float


def agreed(votes: Sequence[Vote], standing: float) -> Upright | None:
    """The direction that is up for most of the objects; None where fewer than two objects agree, or too few of all."""
    votes = [vote for vote in votes if len(vote.poses)]
    if standing <= 0 or len(votes) < 2:
        return None
    directions = [_directions(vote.poses, vote.uprights) for vote in votes]
    shares = [_shares(vote.totals) for vote in votes]
    trust = np.array([vote.trust for vote in votes])
    seeds = np.concatenate([_seeds(each, share) for each, share in zip(directions, shares, strict=True)])
    support = np.stack([share @ _stands(np.einsum("hui,si->hsu", each, seeds).max(axis=2))
                        for each, share in zip(directions, shares, strict=True)])
    up = seeds[int(np.argmax(trust @ np.log(standing * support + (1 - standing) * _ELSE)))]
    for _ in range(3):
        nearest = [_nearest(each, up) for each in directions]
        along = [share * _stands(each @ up) for each, share in zip(nearest, shares, strict=True)]
        up = sum(weight * share @ each for weight, share, each in zip(trust, along, nearest, strict=True))
        up = up / np.linalg.norm(up)
    agree = np.array([share[each @ up > _CLEARLY].sum() for share, each in zip(shares, nearest, strict=True)]) > 0.5
    return Upright(up, standing) if agree.sum() > 1 and trust[agree].sum() > _AGREED * trust.sum() else None


def _directions(poses: Array, uprights: Array) -> Array:
    """Which ways (H, U, 3), camera frame, may be up for poses (H, 4, 4)."""
    return np.einsum("hij,uj->hui", poses[:, :3, :3], uprights)


def _shares(totals: Array) -> Array:
    weights = np.exp(_SURE * (totals - totals.max()))
    return np.asarray(weights / weights.sum())


def _seeds(directions: Array, shares: Array) -> Array:
    """Directions (S, 3) of the best candidates, of (H, U, 3)."""
    sides = directions.shape[1]
    return directions[np.argsort(-shares)[:_SEEDS], ::-(-sides // _SIDES)].reshape(-1, 3)


def _nearest(directions: Array, up: Array) -> Array:
    """Of each candidate's directions (H, U, 3), the one (H, 3) that is nearest to up."""
    return directions[np.arange(len(directions)), (directions @ up).argmax(axis=1)]


def _stands(cosine: Array) -> Array:
    """How well leans of these cosines go with standing, 0..1."""
    return np.asarray(np.exp(-0.5 * (np.arccos(np.clip(cosine, -1, 1)) / _SPREAD) ** 2))


def cosines(poses: Array, uprights: Array, up: Array) -> Array:
    """Cosine (H,) of how far poses (H, 4, 4) lean from a direction (3,), the least over `Surface.uprights` (U, 3)."""
    return np.asarray((_directions(poses, uprights) @ up).max(axis=1))


def log_chance(poses: Array, uprights: Array, upright: Upright) -> Array:
    """Log-probability (H,) of how poses (H, 4, 4) lean, that of one upright being 0."""
    stands = _stands(cosines(poses, uprights, upright.up))
    other = (1 - upright.standing) * _ELSE
    return np.asarray(np.log((upright.standing * stands + other) / (upright.standing + other)))


def rated(totals: Array, poses: Array, uprights: Array, upright: Upright | None) -> Array:
    """Scores (H,) of poses (H, 4, 4), less for those that lean where it is known which way is up."""
    return totals if upright is None else totals + _WEIGHT * log_chance(poses, uprights, upright)


class Thing(NamedTuple):
    """One thing of a picture. level, lowest: of its origin and of its lowest point, metres along `up` from the camera.
    lean: radians. diameter: metres. trust: how likely it is there at all."""

    level: float
    lowest: float
    lean: float
    diameter: float
    trust: float

    @classmethod
    def of(cls, pose: Array, points: Points, uprights: Array, diameter: float, trust: float, up: Array) -> Thing:
        """points: (P, 3) of its surface, metres, object frame."""
        level = float(pose[:3, 3] @ up)
        lean = float(np.arccos(np.clip(cosines(pose[None], uprights, up)[0], -1, 1)))
        return cls(level, level + float((points @ (up @ pose[:3, :3])).min()), lean, diameter, trust)


class Move(NamedTuple):
    """farther: along its ray, as a share of its distance. sure: how much of its distance's variance that takes away.
    stands: how well attitude and height go with standing on the ground, 0..1; 0 where there is none."""

    farther: float = 0.0
    sure: float = 0.0
    stands: float = 0.0


def on_ground(things: Sequence[Thing]) -> list[Move]:
    """How the ground that things have in common moves each of them; not at all those that do not stand on it.

    The ground is the weighted median of the lowest points of those that stand. Own distances err by a share of
    themselves (`_SCALE`), so that a camera that looks along the ground learns nothing of it.
    """
    level, lowest, lean, diameter, trust = np.array(things, float).reshape(-1, 5).T
    own = (_SCALE * level) ** 2
    spread = own + (_UNEVEN * diameter) ** 2
    weight = np.where(lean < 2 * _SPREAD, trust / np.maximum(spread, 1e-12), 0.0)
    if (weight > 0).sum() < _FEWEST:
        return [Move()] * len(things)
    order = np.argsort(lowest)
    along = np.cumsum(weight[order])
    off = lowest[order[np.searchsorted(along, along[-1] / 2)]] - lowest
    spread = spread + np.pi / 2 * (weight**2 @ spread) / weight.sum() ** 2  # and that of a median
    there = (weight > 0) & (np.abs(off) < _OFF * np.sqrt(spread)) & (level != 0)
    sure = np.where(there, own / spread, 0.0)
    stands = np.exp(-0.5 * ((lean / _SPREAD) ** 2 + off**2 / spread))
    return [Move(float(share * far / height) if share else 0.0, float(share), float(well))
            for share, far, height, well in zip(sure, off, level, stands, strict=True)]


@compiled
def add_upright(pose: Array, uprights: Array, upright: Upright, matrix: Array, right: Array) -> None:
    """Add to normal equations (6, 6) and (6,), chart of `transforms.perturb`, what the lean of a pose costs: the less,
    the more likely it does not stand at all. Nothing if nothing stands."""
    if upright.standing == 0:
        return
    up, own, best, most = upright.up, np.empty(3), 0, -2.0
    for u in range(len(uprights)):
        cosine = 0.0
        for i in range(3):
            for k in range(3):
                cosine += up[i] * pose[i, k] * uprights[u, k]
        if cosine > most:
            best, most = u, cosine
    for i in range(3):
        own[i] = pose[i, 0] * uprights[best, 0] + pose[i, 1] * uprights[best, 1] + pose[i, 2] * uprights[best, 2]
    stands = upright.standing * np.exp(-0.5 * (np.arccos(min(max(most, -1.0), 1.0)) / _SPREAD) ** 2)
    firm = _FIRM * stands / (stands + (1 - upright.standing) * _ELSE)
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        right[3 + i] += firm * (own[j] * up[k] - own[k] * up[j])
        for j in range(3):
            matrix[3 + i, 3 + j] += firm * ((1.0 if i == j else 0.0) - own[i] * own[j])

