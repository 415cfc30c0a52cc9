"""Hypotheses from colour alone: templates, PnP on the coordinates, the mask's size and place, landmarks, contour."""

from __future__ import annotations

import numpy as np

from posebot.core.transforms import Array
from posebot.stages.geometry.surface import Surface
from posebot.stages.hypotheses.landmark_poses import landmark_poses
from posebot.stages.hypotheses.pnp_ransac import pnp_ransac
from posebot.stages.hypotheses.template_matching import match_templates
from posebot.stages.observation.evidence import Evidence
from posebot.stages.refinement import contour, pnp
from posebot.stages.refinement.colour import ColourHypotheses
from posebot.stages.refinement.mask_fit import fit_mask
from posebot.stages.refinement.selection import distinct
from posebot.stages.scoring.landmarks import landmark_agreement
from posebot.stages.scoring.total import score


def generate(evidence: Evidence, surface: Surface) -> ColourHypotheses:
    """Hypotheses fitted to the contour by the colours of the network's mask. The evidence has its `region`.

    Coordinates of an uncertain network are too small or too large by some percent, so that PnP puts the object too near
    or too far. The mask's size does not share that error: each pose is also placed by it and solved again there. The
    contour removes what is left.
    """
    own, refinement = evidence.settings.hypotheses, evidence.settings.refinement
    rough, subsampled = evidence.half_resolution(), evidence.subsampled(own.max_coordinates)

    def best(poses: Array, count: int) -> Array:
        totals = score(poses, rough, surface, refinement.rough_points).total
        return poses[distinct(poses, totals, surface.model.diameter, refinement)[:count]]

    solved = pnp.refine(pnp_ransac(evidence), subsampled, pnp.OriginPrior.of(evidence))[0]
    seeds = np.concatenate([match_templates(surface.templates, evidence, False), solved])
    placed = best(fit_mask(seeds, rough, surface, own.mask_rounds, refinement.rough_points), own.placed)
    by_mask = pnp.OriginPrior(placed[:, :3, 3], own.mask_prior_shift_px, own.mask_prior_depth, own.mask_prior_weight)
    poses = best(np.concatenate([placed, pnp.refine(placed, subsampled, by_mask)[0], solved]), own.fitted)
    textured, trusted = _by_landmarks(evidence)
    # without trusted landmarks, nearly correct poses are also kept from edges that are far off
    lines = refinement.contour
    schedules = (lines.coarse,) if trusted else (lines.coarse, lines.near)
    fitted = np.concatenate([contour.refine(poses, subsampled, surface, widths) for widths in schedules])
    unrefined = np.concatenate([poses[:own.unrefined], textured])
    return ColourHypotheses(fitted, score(fitted, evidence, surface).total, unrefined, evidence, subsampled, rough)


def _by_landmarks(evidence: Evidence) -> tuple[Array, bool]:
    """Poses (H, 4, 4) from texture landmarks, and whether they can be trusted."""
    if evidence.matches is None:
        return np.zeros((0, 4, 4)), False
    settings = evidence.settings
    poses = landmark_poses(evidence.matches, evidence.K, settings.observation.landmarks)
    scores = landmark_agreement(poses, evidence.matches, evidence.K, settings.scoring)
    return poses, bool((scores > settings.hypotheses.min_landmark_score).any())
