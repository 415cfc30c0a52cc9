"""Selection of distinct poses among many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array

_ROTATION_DEG, _SHIFT = 8, 0.04  # degrees, diameters: poses within both are the same


def distinct(poses: Array, scores: Array, diameter: float) -> NDArray[np.int64]:
    """Indices of poses (H, 4, 4), best first, without those within 8 degrees and 4 % of a diameter of a better one."""
    flat = poses[:, :3, :3].reshape(-1, 9)
    rotation = (flat @ flat.T - 1) / 2 > np.cos(np.radians(_ROTATION_DEG))
    apart = np.linalg.norm(poses[:, None, :3, 3] - poses[None, :, :3, 3], axis=-1)
    same = rotation & (apart < _SHIFT * diameter)
    kept: list[int] = []
    for i in np.argsort(-scores):
        if not same[i, kept].any():
            kept.append(int(i))
    return np.array(kept, dtype=np.int64)
