"""Selection of distinct poses among many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.stages.settings import DEFAULTS
from posebot.stages.settings.refinement import RefinementSettings


def distinct(poses: Array, scores: Array, diameter: float, settings: RefinementSettings = DEFAULTS.refinement
             ) -> NDArray[np.int64]:
    """Indices of poses (H, 4, 4), best first, without those that are the same as a better one, by default within 8
    degrees and 4 % of the diameter."""
    flat = poses[:, :3, :3].reshape(-1, 9)
    rotation = (flat @ flat.T - 1) / 2 > np.cos(np.radians(settings.same_rotation_deg))
    apart = np.linalg.norm(poses[:, None, :3, 3] - poses[None, :, :3, 3], axis=-1)
    same = rotation & (apart < settings.same_shift * diameter)
    kept: list[int] = []
    for i in np.argsort(-scores):
        if not same[i, kept].any():
            kept.append(int(i))
    return np.array(kept, dtype=np.int64)
