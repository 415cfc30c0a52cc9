"""Refinement of hypotheses with depth: ICP, near symmetries, scores; and the information of the result."""

from __future__ import annotations

import numpy as np

from posebot.core.transforms import Array, rotate_covariance
from posebot.stages.geometry.surface import Points, Surface
from posebot.stages.observation.evidence import Evidence
from posebot.stages.refinement import icp, pnp
from posebot.stages.refinement.selection import distinct
from posebot.stages.scoring.total import Scores, score
from posebot.stages.settings.refinement import DepthRefinementSettings


def refine(hypotheses: Array, evidence: Evidence, surface: Surface, points: Points, weights: Points
           ) -> tuple[Array, Scores]:
    """Candidate poses (H, 4, 4) from hypotheses, and their scores.

    Hypotheses are refined; the best two of them are mapped by the object's near symmetries, and the best of those
    refined likewise. What a refinement started from stays a candidate, so that it counts only where the score, which
    ICP does not optimise, improves.

    Args:
        points, weights: see `observation.depth_readings`.
    """
    diameter, own = surface.model.diameter, evidence.settings.refinement.depth
    candidates = _refined(hypotheses, surface, points, weights, own)
    scores = score(candidates, evidence, surface)
    best = candidates[distinct(candidates, scores.total, diameter, evidence.settings.refinement)[:own.best]]
    mapped = (best[:, None] @ surface.near_symmetries[1:]).reshape(-1, 4, 4)
    if len(mapped):
        order = np.argsort(-score(mapped, evidence, surface, own.rough_points).total)[:own.near_symmetric]
        mapped = coarse_icp(mapped[order], surface, points, weights, own, 2)
        mapped = _refined(mapped, surface, points, weights, own)
        candidates, scores = np.concatenate([candidates, mapped]), scores.joined(score(mapped, evidence, surface))
    return candidates, scores


def coarse_icp(poses: Array, surface: Surface, points: Points, weights: Points, settings: DepthRefinementSettings,
               skipped: int = 0) -> Array:
    """Poses (H, 4, 4) after ICP on few readings. skipped: number of first steps that are left out."""
    widths, count = np.array(settings.coarse_widths)[skipped:] * surface.model.diameter, settings.coarse_readings
    return icp.refine(poses, surface, points[:count], weights[:count], widths, True, settings)


def _refined(poses: Array, surface: Surface, points: Points, weights: Points, settings: DepthRefinementSettings
             ) -> Array:
    """Poses, followed by each refined (2 H, 4, 4)."""
    widths = np.maximum(np.array(settings.fine_widths) * surface.model.diameter, settings.min_width_m)
    count = settings.fine_readings
    return np.concatenate([poses, icp.refine(poses, surface, points[:count], weights[:count], widths, True, settings)])


def information(pose: Array, evidence: Evidence, surface: Surface, points: Points, weights: Points) -> Array:
    """Information (6, 6) of depth readings and coordinates together, camera axes."""
    distance = icp.residuals(pose[None], surface, points)[0][0]
    known, min_width = np.isfinite(distance).any(), evidence.settings.refinement.depth.min_width_m
    width = max(min_width, 1.5 * float(np.nanmedian(np.abs(distance)))) if known else 0.01
    matrix = icp.information(pose[None], surface, points, weights, width)[0] / width**2
    return rotate_covariance(pose[:3, :3], matrix) + pnp.information(pose, evidence, pnp.OriginPrior.of(evidence))
