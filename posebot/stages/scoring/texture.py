"""Score `texture`: correlation of the surface's colours with the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.stages.geometry.compiled import compiled
from posebot.stages.scoring.inputs import ScoreInputs

Map = NDArray[np.float32]


def texture(inputs: ScoreInputs) -> Array:
    """Correlation (H,) of drawn and observed colours over the pixels where the object is seen, mapped to 0..1.

    Each channel's covariance is divided by the geometric mean of the two variances plus a floor, so that plain
    surfaces, whose colours vary with light and shade alone, give 0.5.
    """
    result = np.full(len(inputs.seen), 0.5)
    if inputs.surface.colors is not None:
        _correlate(inputs.drawn.index, inputs.seen, inputs.surface.colors, inputs.evidence.rgb, result,
                   inputs.settings.min_texture_pixels, float(inputs.settings.shading_variance))
    return result


@compiled
def _correlate(index: NDArray[np.int32], where: NDArray[np.bool_], colors: Map, rgb: Map, result: Array,
               min_pixels: int, floor: float) -> None:
    """Fill `result` (H,) for those poses of which enough pixels are seen."""
    for h in range(len(index)):
        count, sums = 0, np.zeros((5, 3))
        for v in range(index.shape[1]):
            for u in range(index.shape[2]):
                if where[h, v, u] and index[h, v, u] >= 0:
                    count += 1
                    for c in range(3):
                        model, seen = float(colors[index[h, v, u], c]), float(rgb[v, u, c])
                        sums[0, c] += model
                        sums[1, c] += seen
                        sums[2, c] += model * seen
                        sums[3, c] += model * model
                        sums[4, c] += seen * seen
        if count < min_pixels:
            continue
        sums /= count
        total = 0.0
        for c in range(3):
            model, seen = sums[0, c], sums[1, c]
            spread = np.sqrt((sums[3, c] - model**2 + floor) * (sums[4, c] - seen**2 + floor))
            total += (sums[2, c] - model * seen) / spread
        result[h] = 0.5 + 0.5 * total / 3
