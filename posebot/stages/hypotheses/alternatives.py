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
from posebot.stages.settings.hypotheses import AlternativeSettings


def alternative_poses(candidates: Array, totals: Array, best: int, covariance: Array, evidence: Evidence,
                      surface: Surface) -> tuple[float, tuple[Alternative, ...]]:
    """Margin of the best of the candidates (H, 4, 4) over any clearly different one, and the alternatives to it.

    Alternatives are listed where the margin is below `AlternativeSettings.margin`: those that score within it, each
    clearly different from all others modulo symmetry. They are sought among the candidates, the best pose mapped by
    every near symmetry, and the best pose moved along the direction that the evidence constrains least (`covariance`,
    6x6, of the best pose).
    """
    settings = evidence.settings.hypotheses.alternatives
    gaps, free = totals[best] - totals, _different(candidates, candidates[best], surface, settings)
    margin = float(gaps[free].min()) if free.any() else 1.0
    if margin >= settings.margin:
        return margin, ()
    more = np.concatenate([candidates[best] @ surface.near_symmetries[1:],
                           _least_constrained(candidates[best], covariance, surface, settings)])
    gaps = np.concatenate([gaps, totals[best] - score(more, evidence, surface).total])
    candidates = np.concatenate([candidates, more])
    free = _different(candidates, candidates[best], surface, settings)
    alternatives: list[Alternative] = []
    while len(alternatives) < settings.max_count and (free & (gaps < settings.margin)).any():
        chosen = int(np.argmin(np.where(free, gaps, np.inf)))
        alternatives.append(Alternative(canonical(candidates[chosen], surface.model), max(0.0, float(gaps[chosen]))))
        free &= _different(candidates, candidates[chosen], surface, settings)
    return margin, tuple(alternatives)


def _least_constrained(pose: Array, covariance: Array, surface: Surface, settings: AlternativeSettings) -> Array:
    """The pose (K, 4, 4) moved back and forth along its least certain screw, in just distinguishable steps."""
    from scipy.linalg import expm

    diameter, points = surface.model.diameter, apply(pose, surface.points[:100].astype(float))
    units = np.array([diameter] * 3 + [1.0] * 3)
    shift, rotation = np.split(np.linalg.eigh(covariance / np.outer(units, units))[1][:, -1] * units, 2)
    screw = np.zeros((4, 4))  # of the camera's frame; `shift` is that of the object's origin
    screw[:3, :3], screw[:3, 3] = skew(rotation), shift - np.cross(rotation, pose[:3, 3])
    speed = np.linalg.norm(points @ screw[:3, :3].T + screw[:3, 3], axis=1).max()
    return np.asarray(expm(np.array(settings.steps)[:, None, None] * (settings.step * diameter / speed) * screw) @ pose)


def _different(poses: Array, other: Array, surface: Surface, settings: AlternativeSettings) -> NDArray[np.bool_]:
    """Which of the poses (H, 4, 4) move some point of the surface away from every equivalent of the other pose."""
    points = surface.points[:20].astype(float)
    images = apply(symmetries(surface.model), points)  # (S, 20, 3)
    equal = apply(other, images.reshape(-1, 3)).reshape(images.shape)
    distance = np.linalg.norm(apply(poses, points)[:, None] - equal[None], axis=-1).max(axis=2).min(axis=1)
    return np.asarray(distance > settings.min_distance * surface.model.diameter)
