"""Refinement of hypotheses with depth: ICP, near symmetries, scores; and the information of the result."""

from __future__ import annotations

import numpy as np

from posebot.core.transforms import Array, rotate_covariance
from posebot.stages.geometry.surface import Points, Surface
from posebot.stages.observation.evidence import Evidence
from posebot.stages.refinement import icp, pnp
from posebot.stages.refinement.selection import distinct
from posebot.stages.scoring.total import Scores, score

COARSE_READINGS, FINE_READINGS = 96, 500  # depth readings for many and for few hypotheses
COARSE_WIDTHS = np.array([0.10, 0.08, 0.06, 0.05, 0.04])  # of the robust kernel, diameters
ROUGH_POINTS = 1200  # surface points drawn for a rough score of many poses
_FINE_WIDTHS = np.array([0.04, 0.03, 0.02, 0.015, 0.012, 0.01, 0.01])
_MIN_WIDTH = 0.003  # metres
_BEST, _NEAR_SYMMETRIC = 2, 4  # candidates whose near symmetries are tried, and how many of these are refined


def refine(hypotheses: Array, evidence: Evidence, surface: Surface, points: Points, weights: Points
           ) -> tuple[Array, Scores]:
    """Candidate poses (H, 4, 4) from hypotheses, and their scores.

    Hypotheses are refined; the best two of them are mapped by the object's near symmetries, and the best of those
    refined likewise. What a refinement started from stays a candidate, so that it counts only where the score, which
    ICP does not optimise, improves.

    Args:
        points, weights: see `observation.depth_readings`.
    """
    diameter = surface.model.diameter
    candidates = _refined(hypotheses, surface, points, weights)
    scores = score(candidates, evidence, surface)
    best = candidates[distinct(candidates, scores.total, diameter)[:_BEST]]
    mapped = (best[:, None] @ surface.near_symmetries[1:]).reshape(-1, 4, 4)
    if len(mapped):
        order = np.argsort(-score(mapped, evidence, surface, ROUGH_POINTS).total)[:_NEAR_SYMMETRIC]
        mapped = icp.refine(mapped[order], surface, points[:COARSE_READINGS], weights[:COARSE_READINGS],
                            COARSE_WIDTHS[2:] * diameter)
        mapped = _refined(mapped, surface, points, weights)
        candidates, scores = np.concatenate([candidates, mapped]), scores.joined(score(mapped, evidence, surface))
    return candidates, scores


def _refined(poses: Array, surface: Surface, points: Points, weights: Points) -> Array:
    """Poses, followed by each refined (2 H, 4, 4)."""
    widths = np.maximum(_FINE_WIDTHS * surface.model.diameter, _MIN_WIDTH)
    return np.concatenate([poses, icp.refine(poses, surface, points[:FINE_READINGS], weights[:FINE_READINGS], widths)])


def information(pose: Array, evidence: Evidence, surface: Surface, points: Points, weights: Points) -> Array:
    """Information (6, 6) of depth readings and coordinates together, camera axes."""
    distance = icp.residuals(pose[None], surface, points)[0][0]
    known = np.isfinite(distance).any()
    width = max(_MIN_WIDTH, 1.5 * float(np.nanmedian(np.abs(distance)))) if known else 0.01
    matrix = icp.information(pose[None], surface, points, weights, width)[0] / width**2
    return rotate_covariance(pose[:3, :3], matrix) + pnp.information(pose, evidence, pnp.OriginPrior(evidence.origin))
