"""Hypotheses with depth: templates and Kabsch, coarse ICP, texture landmarks."""

from __future__ import annotations

import numpy as np

from posebot.core.transforms import Array
from posebot.stages.geometry.surface import Points, Surface
from posebot.stages.hypotheses.kabsch import kabsch
from posebot.stages.hypotheses.landmark_poses import landmark_poses
from posebot.stages.hypotheses.template_matching import match_templates
from posebot.stages.observation.evidence import Evidence
from posebot.stages.refinement.depth import coarse_icp
from posebot.stages.refinement.selection import distinct
from posebot.stages.scoring.total import score


def generate(evidence: Evidence, surface: Surface, points: Points, weights: Points) -> Array:
    """Hypotheses (H, 4, 4): the best of templates and Kabsch after ICP on few readings, then those of landmarks.

    points, weights: see `observation.depth_readings`.
    """
    settings, coarse = evidence.settings, evidence.settings.refinement.depth
    seeds = np.concatenate([match_templates(surface.templates, evidence, True), *kabsch(evidence)])
    moved = coarse_icp(seeds, surface, points, weights, coarse)
    rough = score(moved, evidence.half_resolution(), surface, coarse.rough_points).total
    best = distinct(moved, rough, surface.model.diameter, settings.refinement)[:settings.hypotheses.kept]
    if evidence.matches is None:
        return moved[best]
    return np.concatenate([
        moved[best], landmark_poses(evidence.matches, evidence.K, settings.observation.landmarks)])
