"""Hypotheses from colour alone: templates, PnP on the coordinates, the mask's size and place, landmarks, contour."""

from __future__ import annotations

import numpy as np

from posebot.core.transforms import Array
from posebot.stages.geometry.surface import Surface
from posebot.stages.hypotheses.landmark_poses import landmark_poses
from posebot.stages.hypotheses.pnp_ransac import pnp_ransac
from posebot.stages.hypotheses.template_matching import match_templates
from posebot.stages.observation.evidence import SIZE, Evidence
from posebot.stages.refinement import contour, pnp
from posebot.stages.refinement.colour import ROUGH_POINTS, ColourHypotheses
from posebot.stages.refinement.mask_fit import fit_mask
from posebot.stages.refinement.selection import distinct
from posebot.stages.scoring.landmarks import landmark_agreement
from posebot.stages.scoring.total import score

_TEMPLATES, _PLACED, _FITTED = 24, 10, 5  # hypotheses, step by step
_UNREFINED = 2  # that are kept as they were before the contour
_MIN_LANDMARK_SCORE = 0.25  # from which landmarks are trusted
_MAX_COORDINATES = 200  # that a pose is fitted to: neighbours are redundant
_MASK_ROUNDS = 3


def generate(evidence: Evidence, surface: Surface) -> ColourHypotheses:
    """Hypotheses fitted to the contour by the colours of the network's mask. The evidence has its `region`.

    Coordinates of an uncertain network are too small or too large by some percent, so that PnP puts the object too near
    or too far. The mask's size does not share that error: each pose is also placed by it and solved again there. The
    contour removes what is left.
    """
    diameter, rough = surface.model.diameter, evidence.half_resolution()
    subsampled = evidence.subsampled(_MAX_COORDINATES)
    solved = pnp.refine(pnp_ransac(evidence), subsampled, pnp.OriginPrior(evidence.origin))[0]
    seeds = np.concatenate([match_templates(surface.templates, evidence, False, _TEMPLATES), solved])
    placed = fit_mask(seeds, rough, surface, _MASK_ROUNDS, ROUGH_POINTS)
    placed = placed[distinct(placed, score(placed, rough, surface, ROUGH_POINTS).total, diameter)[:_PLACED]]
    by_mask = pnp.OriginPrior(placed[:, :3, 3], 0.02 * SIZE, 0.02, 2.0)
    poses = np.concatenate([placed, pnp.refine(placed, subsampled, by_mask)[0], solved])
    poses = poses[distinct(poses, score(poses, rough, surface, ROUGH_POINTS).total, diameter)[:_FITTED]]
    textured, trusted = _by_landmarks(evidence)
    # without trusted landmarks, nearly correct poses are also kept from edges that are far off
    schedules = (contour.COARSE,) if trusted else (contour.COARSE, contour.NEAR)
    fitted = np.concatenate([contour.refine(poses, subsampled, surface, widths) for widths in schedules])
    unrefined = np.concatenate([poses[:_UNREFINED], textured])
    return ColourHypotheses(fitted, score(fitted, evidence, surface).total, unrefined, evidence, subsampled, rough)


def _by_landmarks(evidence: Evidence) -> tuple[Array, bool]:
    """Poses (H, 4, 4) from texture landmarks, and whether they can be trusted."""
    if evidence.matches is None:
        return np.zeros((0, 4, 4)), False
    poses = landmark_poses(evidence.matches, evidence.K)
    return poses, bool((landmark_agreement(poses, evidence.matches, evidence.K) > _MIN_LANDMARK_SCORE).any())
