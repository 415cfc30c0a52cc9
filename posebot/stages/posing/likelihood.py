"""How likely the network holds a pose to be: its whole distributions, not only the best guess of each coordinate.

Where it is torn between two ways an object may be turned, each pixel's best guess is of the one or the other; the
distributions keep both. Each seen pixel of a drawn pose asks for the probability of the surface point drawn there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.coordinates import facing
from posebot.core.transforms import Array, inverse
from posebot.stages.posing.compiled import compiled
from posebot.stages.posing.surface import Surface

Map = NDArray[np.float32]
_LEAST = 1e-3  # probability that any point lies anywhere, whatever the network says
_SEEN = 0.35  # probability from which a pixel counts


def likelihood(poses: Array, drawn: NDArray[np.int32], covered: NDArray[np.bool_], visible: Map, bins: Map,
               surface: Surface) -> Array:
    """Mean log-probability (H,) of the points that poses (H, 4, 4) show where the object is seen; 0..1, 1 = certain.

    Args:
        drawn: (H, S, S) index into the surface's points; -1 = none. covered: (H, S, S) where anything is drawn.
            visible: (S, S) probabilities. bins: (M, M, 3, B) probabilities, those of `Localization.bins`.
    """
    fits = np.zeros(len(poses))
    if len(poses):
        _mean_log(drawn, covered, visible, bins, surface.points, _to_coordinates(poses, surface), fits)
    return fits


def _to_coordinates(poses: Array, surface: Surface) -> Map:
    """Maps (H, S, 3, 4) from points in metres to the coordinates that a network may give them, by symmetry.

    Which side of a continuously symmetric object has which coordinates depends on the pose; of others, one for all.
    """
    maps, model = surface.coordinate_maps, surface.model
    if not model.symmetries_continuous:
        return maps[None].astype(np.float32)
    return np.stack([maps @ inverse(facing(model, pose)) for pose in poses]).astype(np.float32)


@compiled
def _mean_log(drawn: NDArray[np.int32], covered: NDArray[np.bool_], visible: Map, bins: Map, points: Map, maps: Map,
              fits: Array) -> None:
    """Fill `fits` (H,). maps: (H, S, 3, 4), or one for all poses; the best of a pose's S counts."""
    size, cells, count = len(visible), len(bins), bins.shape[3]
    worst = np.log(_LEAST)
    for h in range(len(drawn)):
        best = worst
        for s in range(maps.shape[1]):
            m = maps[min(h, len(maps) - 1), s]
            total = whole = 0.0
            for v in range(size):
                for u in range(size):
                    index, weight = drawn[h, v, u], visible[v, u]
                    if weight < _SEEN or (index < 0 and covered[h, v, u]):  # filled in between points
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
                        told = bins[v * cells // size, u * cells // size, axis]
                        chance *= told[low] + (at - low) * (told[low + 1] - told[low])
                    total += weight * np.log(_LEAST + (1 - _LEAST) * chance)
            best = max(best, total / max(whole, 1e-6)) if whole > 0 else best
        fits[h] = 1 - best / worst
