"""PnP RANSAC on the predicted coordinates."""

from __future__ import annotations

import cv2
import numpy as np

from posebot.core.transforms import Array, make, rotation_from_vector
from posebot.stages.observation.evidence import Evidence

MIN_PIXELS = 12
_MAX_PIXELS = 300  # that poses are drawn from and verified by: neighbours are redundant
_TOLERANCE = 2.0  # working pixels of reprojection error, one more at each attempt
_MIN_Z = 0.01  # metres


def pnp_ransac(evidence: Evidence, attempts: int = 3, iterations: int = 80) -> Array:
    """Poses (H, 4, 4) from random minimal sets, for several tolerances. Empty with too few pixels."""
    poses = []
    if len(evidence.pixels) < MIN_PIXELS:
        return np.zeros((0, 4, 4))
    order = np.argsort(evidence.sigma / evidence.weight)
    for attempt in range(attempts):
        best = order[:max(MIN_PIXELS, len(order) >> attempt)]
        best = best[::1 + len(best) // _MAX_PIXELS]
        cv2.setRNGSeed(attempt + 1)  # the same crop gives the same pose
        solved, rotation, shift, _ = cv2.solvePnPRansac(
            evidence.coordinates[best], evidence.pixels[best], evidence.K, None, iterationsCount=iterations,
            reprojectionError=_TOLERANCE + attempt, confidence=0.99, flags=cv2.SOLVEPNP_AP3P)
        if solved and np.isfinite(rotation).all() and np.isfinite(shift).all() and shift[2, 0] > _MIN_Z:
            poses.append(make(rotation_from_vector(rotation[:, 0]), shift[:, 0]))
    return np.stack(poses) if poses else np.zeros((0, 4, 4))
