"""Score `likelihood`: how likely the network's coordinate distributions make a pose.

Where the network hesitates between two attitudes, each pixel's best guess follows one or the other; the distributions
keep both. Each visible pixel of a drawn pose looks up the probability of the surface point drawn there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.coordinates import facing
from posebot.core.transforms import Array, inverse
from posebot.stages.geometry.compiled import compiled
from posebot.stages.geometry.surface import Surface
from posebot.stages.scoring.inputs import ScoreInputs
from posebot.stages.settings import DEFAULTS
from posebot.stages.settings.scoring import ScoringSettings

Map = NDArray[np.float32]


def likelihood(inputs: ScoreInputs) -> Array:
    """Likelihood (H,), 0..1, see `coordinate_likelihood`."""
    evidence = inputs.evidence
    assert evidence.bins is not None
    return coordinate_likelihood(inputs.poses, inputs.drawn.index, inputs.covered, evidence.visible, evidence.bins,
                                 inputs.surface, inputs.settings)


def coordinate_likelihood(poses: Array, drawn: NDArray[np.int32], covered: NDArray[np.bool_], visible: Map, bins: Map,
                          surface: Surface, settings: ScoringSettings = DEFAULTS.scoring) -> Array:
    """Mean log probability (H,) of the points drawn by poses (H, 4, 4) where the object is visible; 0..1, 1 = certain.

    Args:
        drawn: (H, S, S) index into the surface's points; -1 = none. covered: (H, S, S) where anything is drawn.
        visible: (S, S) probabilities. bins: (M, M, 3, B) probabilities, those of `Localization.bins`.
    """
    fits = np.zeros(len(poses))
    if len(poses):
        _mean_log(drawn, covered, visible, bins, surface.points, _to_coordinates(poses, surface), fits,
                  float(settings.min_visible), float(settings.min_probability))
    return fits


def _to_coordinates(poses: Array, surface: Surface) -> Map:
    """Maps (H, S, 3, 4) from points in metres to the coordinates that a network may predict for them, by symmetry.

    Coordinates on a continuously symmetric object depend on the pose; for others, one map serves all poses.
    """
    maps, model = surface.coordinate_maps, surface.model
    if not model.symmetries_continuous:
        return maps[None].astype(np.float32)
    return np.stack([maps @ inverse(facing(model, pose)) for pose in poses]).astype(np.float32)


@compiled
def _mean_log(drawn: NDArray[np.int32], covered: NDArray[np.bool_], visible: Map, bins: Map, points: Map, maps: Map,
              fits: Array, min_visible: float, floor: float) -> None:
    """Fill `fits` (H,). maps: (H, S, 3, 4), or one for all poses; a pose's best symmetry counts."""
    size, cells, count = len(visible), len(bins), bins.shape[3]
    worst = np.log(floor)
    for h in range(len(drawn)):
        best = worst
        for s in range(maps.shape[1]):
            m = maps[min(h, len(maps) - 1), s]
            total = whole = 0.0
            for v in range(size):
                for u in range(size):
                    index, weight = drawn[h, v, u], visible[v, u]
                    if weight < min_visible or (index < 0 and covered[h, v, u]):  # a filled hole between points
                        continue
                    whole += weight
                    if index < 0:
                        total += weight * worst
                        continue
                    chance = 1.0
                    for axis in range(3):
                        at = m[axis, 3]
                        for k in range(3):
                            at += m[axis, k] * points[index, k]
                        at = min(max(at, 0.0), 1.0) * (count - 1)
                        low = min(int(at), count - 2)
                        values = bins[v * cells // size, u * cells // size, axis]
                        chance *= values[low] + (at - low) * (values[low + 1] - values[low])
                    total += weight * np.log(floor + (1 - floor) * chance)
            best = max(best, total / max(whole, 1e-6)) if whole > 0 else best
        fits[h] = 1 - best / worst
