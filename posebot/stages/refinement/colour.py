"""Refinement of hypotheses from colour alone: contour, upright prior, near symmetries, scores."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from posebot.core.transforms import Array
from posebot.stages.geometry.surface import Surface
from posebot.stages.observation.evidence import Evidence
from posebot.stages.observation.upright import Upright, with_upright_prior
from posebot.stages.refinement import contour
from posebot.stages.refinement.selection import distinct
from posebot.stages.scoring.total import Scores, score


@dataclass(frozen=True)
class ColourHypotheses:
    """Hypotheses of one object, before the up direction is known.

    Attributes:
        poses, totals: (H, 4, 4) and scores (H,), fitted to the contour by the colours of the network's mask. unrefined:
            (N, 4, 4) that are kept as they are. evidence: all of it. subsampled: that of few coordinates. rough: at
            half resolution.
    """

    poses: Array
    totals: Array
    unrefined: Array
    evidence: Evidence
    subsampled: Evidence
    rough: Evidence


def refine(hypotheses: ColourHypotheses, surface: Surface, upright: Upright | None = None) -> tuple[Array, Scores]:
    """Candidate poses (H, 4, 4) and their scores. The best few hypotheses are refined by the colours of their own
    silhouettes and, where the up direction is known, by the upright prior."""
    full, subsampled, rough = (replace(each, upright=upright) for each in (
        hypotheses.evidence, hypotheses.subsampled, hypotheses.rough))
    settings, diameter = full.settings.refinement, surface.model.diameter
    totals = with_upright_prior(hypotheses.totals, hypotheses.poses, surface.up_axes, upright,
                                full.settings.upright.weight)
    chosen = hypotheses.poses[distinct(hypotheses.poses, totals, diameter, settings)[:settings.refined]]
    candidates = np.concatenate([contour.refine_own_colours(chosen, subsampled, surface), hypotheses.unrefined])
    scores = score(candidates, full, surface)
    mapped = candidates[int(np.argmax(scores.total))] @ surface.near_symmetries[1:]
    if len(mapped):
        order = np.argsort(-score(mapped, rough, surface, settings.rough_points).total)[:settings.near_symmetric]
        mapped = contour.refine(mapped[order], subsampled, surface, settings.contour.finest)
        candidates, scores = np.concatenate([candidates, mapped]), scores.joined(score(mapped, full, surface))
    return candidates, scores
