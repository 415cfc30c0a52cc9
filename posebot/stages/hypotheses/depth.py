"""Hypotheses with depth: templates and Kabsch, coarse ICP, texture landmarks."""

from __future__ import annotations

import numpy as np

from posebot.core.transforms import Array
from posebot.stages.geometry.surface import Points, Surface
from posebot.stages.hypotheses.kabsch import kabsch
from posebot.stages.hypotheses.landmark_poses import landmark_poses
from posebot.stages.hypotheses.template_matching import match_templates
from posebot.stages.observation.evidence import Evidence
from posebot.stages.refinement import icp
from posebot.stages.refinement.depth import COARSE_READINGS, COARSE_WIDTHS, ROUGH_POINTS
from posebot.stages.refinement.selection import distinct
from posebot.stages.scoring.total import score

_TEMPLATES, _KEPT = 32, 6


def generate(evidence: Evidence, surface: Surface, points: Points, weights: Points) -> Array:
    """Hypotheses (H, 4, 4): the best of templates and Kabsch after ICP on few readings, then those of landmarks.

    points, weights: see `observation.depth_readings`.
    """
    diameter = surface.model.diameter
    seeds = np.concatenate([match_templates(surface.templates, evidence, True, _TEMPLATES), *kabsch(evidence)])
    moved = icp.refine(seeds, surface, points[:COARSE_READINGS], weights[:COARSE_READINGS], COARSE_WIDTHS * diameter)
    rough = score(moved, evidence.half_resolution(), surface, ROUGH_POINTS).total
    chosen = moved[distinct(moved, rough, diameter)[:_KEPT]]
    if evidence.matches is None:
        return chosen
    return np.concatenate([chosen, landmark_poses(evidence.matches, evidence.K)])
