"""Score `outline`: mean edge strength of the image along the drawn silhouette, where nothing hides it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.stages.geometry.compiled import compiled
from posebot.stages.scoring.inputs import ScoreInputs

Map = NDArray[np.float32]


def outline(inputs: ScoreInputs) -> Array:
    """Edge strength (H,), 0..1."""
    return _rim_mean(inputs.drawn.cover, inputs.evidence.edges, inputs.hidden)


@compiled
def _rim_mean(cover: Map, edges: Map, hidden: NDArray[np.bool_]) -> Array:
    means = np.zeros(len(cover))
    for h in range(len(cover)):
        total, count = 0.0, 0
        for v in range(cover.shape[1]):
            for u in range(cover.shape[2]):
                if cover[h, v, u] == 0.5 and not hidden[min(h, len(hidden) - 1), v, u]:
                    total, count = total + edges[v, u], count + 1
        means[h] = total / max(count, 1)
    return means
