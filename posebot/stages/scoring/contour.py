"""Score `contour`: share of the silhouette's rim that lies where the colours change from the object's to others."""

from __future__ import annotations

import numpy as np

from posebot.core.transforms import Array
from posebot.stages.geometry.surface import Surface
from posebot.stages.observation.contour_lines import contour_lines, measure
from posebot.stages.observation.region import Region
from posebot.stages.scoring.inputs import ScoreInputs
from posebot.stages.settings import DEFAULTS, PoseSettings


def contour(inputs: ScoreInputs) -> Array:
    """Share (H,), 0..1, see `contour_agreement`."""
    assert inputs.evidence.region is not None
    return contour_agreement(inputs.poses, inputs.evidence.region, inputs.surface, inputs.evidence.settings)


def contour_agreement(poses: Array, region: Region, surface: Surface, settings: PoseSettings = DEFAULTS) -> Array:
    """Share (H,) of the lines, hidden ones excluded, that find the contour where it is drawn, 0..1."""
    lines = contour_lines(poses, region, surface, settings.refinement.contour)
    offset, _ = measure(lines, region, settings.scoring.contour_half_length_px, settings.refinement.contour)
    fits = np.exp(-0.5 * (offset / settings.scoring.contour_tolerance_px) ** 2)
    return np.asarray((lines.trust * fits).sum(axis=1) / np.maximum(lines.trust.sum(axis=1), 1e-6))
