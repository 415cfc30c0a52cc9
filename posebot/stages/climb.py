"""Uphill on the score itself: for what neither ICP nor PnP sees, such as outlines and print."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posebot.core.transforms import Array, inverse, make, perturb
from posebot.stages.evidence import Evidence
from posebot.stages.score import score
from posebot.stages.surface import Surface

_AXES = np.concatenate([np.eye(6), -np.eye(6)])


def climb(poses: Array, evidence: Evidence, surface: Surface, steps: Sequence[float], count: int) -> Array:
    """Move poses (H, 4, 4) to where they score better; where none of the steps does, a pose stays.

    In each round the score is taken one step to each side in all six directions; a parabola through the three values
    of each direction gives a common step, which is taken if it is better than the best of the thirteen.

    Args:
        steps: one for each round, of the diameter; turns are as much in radians. count: surface points to draw.
    """
    diameter = surface.model.diameter
    middle = make(translation=surface.model.center)
    moved = poses @ middle  # turned about the middle of the box, not about the object's origin
    back = inverse(middle)
    here = score(poses, evidence, surface, count).total
    for step in steps:
        size = step * np.array([diameter, diameter, diameter, 2.0, 2.0, 2.0])
        around = perturb(moved[:, None], _AXES * size)  # (H, 12, 4, 4)
        values = score((around @ back).reshape(-1, 4, 4), evidence, surface, count).total.reshape(-1, 12)
        common = perturb(moved, _summit(here, values[:, :6], values[:, 6:]) * size)
        trials = np.concatenate([moved[:, None], around, common[:, None]], axis=1)
        last = score(common @ back, evidence, surface, count).total
        values = np.concatenate([here[:, None], values, last[:, None]], axis=1)
        best = values.argmax(axis=1)
        moved, here = trials[np.arange(len(moved)), best], values.max(axis=1)
    return np.asarray(moved @ back)


def _summit(here: Array, ahead: Array, behind: Array) -> Array:
    """Where (H, 6) the parabolas through three values each are highest, in steps, -1..1."""
    bend = np.maximum(2 * here[:, None] - ahead - behind, 1e-6)
    return np.clip((ahead - behind) / (2 * bend), -1, 1)
