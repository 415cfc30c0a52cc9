"""Score `contour`: share of the silhouette's rim that lies where the colours change from the object's to others."""

from __future__ import annotations

import numpy as np

from posebot.core.transforms import Array
from posebot.stages.geometry.surface import Surface
from posebot.stages.observation.contour_lines import contour_lines, measure
from posebot.stages.observation.region import Region
from posebot.stages.scoring.inputs import ScoreInputs

_HALF_LENGTH = 6  # of the lines across the contour, pixels
_TOLERANCE = 1.4  # pixels: sigma of a contour that fits


def contour(inputs: ScoreInputs) -> Array:
    """Share (H,), 0..1, see `contour_agreement`."""
    assert inputs.evidence.region is not None
    return contour_agreement(inputs.poses, inputs.evidence.region, inputs.surface)


def contour_agreement(poses: Array, region: Region, surface: Surface) -> Array:
    """Share (H,) of the lines, hidden ones excluded, that find the contour where it is drawn, 0..1."""
    lines = contour_lines(poses, region, surface)
    offset, _ = measure(lines, region, _HALF_LENGTH)
    fits = np.exp(-0.5 * (offset / _TOLERANCE) ** 2)
    return np.asarray((lines.trust * fits).sum(axis=1) / np.maximum(lines.trust.sum(axis=1), 1e-6))
