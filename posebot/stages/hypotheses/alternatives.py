"""Ambiguity: other poses that the evidence leaves possible.

Where two clearly different poses fit about equally well (a mug whose handle is hidden), no score can choose between
them: the others are reported beside the one that is given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.results import Alternative
from posebot.core.transforms import Array, apply, skew
from posebot.stages.geometry.surface import Surface
from posebot.stages.geometry.symmetry import canonical, symmetries
from posebot.stages.observation.evidence import Evidence
from posebot.stages.scoring.total import score

AMBIGUOUS_MARGIN = 0.02  # of the total: closer than this, the better pose is wrong in half of the cases
_MIN_DISTANCE = 0.1  # of the diameter, somewhere on the surface: makes two poses clearly different
_MAX_ALTERNATIVES = 4
_STEP = 0.14  # of the diameter, at the point that moves most
_STEPS = np.array([-4.0, -3, -2, -1, 1, 2, 3, 4])


def alternative_poses(candidates: Array, totals: Array, best: int, covariance: Array, evidence: Evidence,
                      surface: Surface) -> tuple[float, tuple[Alternative, ...]]:
    """Margin of the best of the candidates (H, 4, 4) over any clearly different one, and the alternatives to it.

    Alternatives are listed where the margin is below `AMBIGUOUS_MARGIN`: at most four that score within it, each
    clearly different from all others modulo symmetry. They are sought among the candidates, the best pose mapped by
    every near symmetry, and the best pose moved along the direction that the evidence constrains least (`covariance`,
    6x6, of the best pose).
    """
    gaps, free = totals[best] - totals, _different(candidates, candidates[best], surface)
    margin = float(gaps[free].min()) if free.any() else 1.0
    if margin >= AMBIGUOUS_MARGIN:
        return margin, ()
    more = np.concatenate([candidates[best] @ surface.near_symmetries[1:],
                           _least_constrained(candidates[best], covariance, surface)])
    gaps = np.concatenate([gaps, totals[best] - score(more, evidence, surface).total])
    candidates = np.concatenate([candidates, more])
    free = _different(candidates, candidates[best], surface)
    alternatives: list[Alternative] = []
    while len(alternatives) < _MAX_ALTERNATIVES and (free & (gaps < AMBIGUOUS_MARGIN)).any():
        chosen = int(np.argmin(np.where(free, gaps, np.inf)))
        alternatives.append(Alternative(canonical(candidates[chosen], surface.model), max(0.0, float(gaps[chosen]))))
        free &= _different(candidates, candidates[chosen], surface)
    return margin, tuple(alternatives)


def _least_constrained(pose: Array, covariance: Array, surface: Surface) -> Array:
    """The pose (8, 4, 4) moved back and forth along its least certain screw, in steps that can just be told apart."""
    from scipy.linalg import expm

    diameter, points = surface.model.diameter, apply(pose, surface.points[:100].astype(float))
    units = np.array([diameter] * 3 + [1.0] * 3)
    shift, rotation = np.split(np.linalg.eigh(covariance / np.outer(units, units))[1][:, -1] * units, 2)
    screw = np.zeros((4, 4))  # of the camera's frame; `shift` is that of the object's origin
    screw[:3, :3], screw[:3, 3] = skew(rotation), shift - np.cross(rotation, pose[:3, 3])
    speed = np.linalg.norm(points @ screw[:3, :3].T + screw[:3, 3], axis=1).max()
    return np.asarray(expm(_STEPS[:, None, None] * (_STEP * diameter / speed) * screw) @ pose)


def _different(poses: Array, other: Array, surface: Surface) -> NDArray[np.bool_]:
    """Which of the poses (H, 4, 4) move some point of the surface away from every equivalent of the other pose."""
    points = surface.points[:20].astype(float)
    images = apply(symmetries(surface.model), points)  # (S, 20, 3)
    equal = apply(other, images.reshape(-1, 3)).reshape(images.shape)
    distance = np.linalg.norm(apply(poses, points)[:, None] - equal[None], axis=-1).max(axis=2).min(axis=1)
    return np.asarray(distance > _MIN_DISTANCE * surface.model.diameter)
