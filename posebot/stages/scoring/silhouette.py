"""Score `silhouette`: soft IoU of the drawn pose and the amodal mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.stages.geometry.compiled import compiled
from posebot.stages.scoring.inputs import ScoreInputs

Map = NDArray[np.float32]


def silhouette(inputs: ScoreInputs) -> Array:
    """IoU (H,), 0..1."""
    amodal = inputs.evidence.amodal
    areas = _areas(inputs.drawn.cover, amodal)
    return areas[:, 0] / np.maximum(areas[:, 1] + amodal.sum() - areas[:, 0], 1e-6)


@compiled
def _areas(cover: Map, amodal: Map) -> Array:
    """Intersection of silhouettes (H, S, S) and a mask (S, S), and area of the silhouettes (H, 2)."""
    areas = np.zeros((len(cover), 2))
    for h in range(len(cover)):
        both = own = 0.0
        for v in range(cover.shape[1]):
            for u in range(cover.shape[2]):
                both, own = both + min(cover[h, v, u], amodal[v, u]), own + cover[h, v, u]
        areas[h, 0], areas[h, 1] = both, own
    return areas
