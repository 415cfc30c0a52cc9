"""An object's near-symmetries: the turns after which its shape nearly covers itself, whatever the print says.

A pose that is wrong by one of them fits the evidence almost as well as the right one, and a local refinement never gets
from the one to the other: so each good pose is also tried turned by all of them.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from posebot.core.transforms import Array, make, rotation_from_vector
from posebot.stages import icp
from posebot.stages.surface import Surface
from posebot.stages.symmetry import symmetries

_TURNS = 12  # equal turns about each axis of the bounding box, alone and after a half turn about another
_ALIKE = 0.035  # of the diameter: mean distance under which two poses are easily taken for each other
_FAR = 0.1  # of the diameter: distances count no more than this
_WIDTHS = np.array([0.2, 0.15, 0.1, 0.08, 0.06, 0.05, 0.04])  # of the diameter, see `icp.refine`
_NEW = np.cos(np.radians(14))
_POINTS = 300


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
    return _different(moved[order[cost[order] < _ALIKE * model.diameter]], symmetries(model))


def _turns() -> list[Array]:
    axes = np.eye(3)
    turns = [make(rotation_from_vector(axis * 2 * np.pi * k / _TURNS)) for axis in axes for k in range(_TURNS)]
    flips = [make(rotation_from_vector(axis * np.pi)) for axis in axes]
    return turns + [turn @ flip for turn, flip in product(turns, flips)]


def _different(poses: Array, same: Array) -> Array:
    """The identity and those poses that are turned from all earlier ones, and from what symmetry makes of them."""
    kept = [np.eye(4)]
    for pose in poses:
        turns = np.stack(kept)[:, None, :3, :3] @ same[None, :, :3, :3]
        cosine = (np.einsum("ksij,ij->ks", turns, pose[:3, :3]) - 1) / 2
        if cosine.max() < _NEW:
            kept.append(pose)
    return np.stack(kept)
