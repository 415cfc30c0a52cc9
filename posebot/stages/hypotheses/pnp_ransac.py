"""PnP RANSAC on the predicted coordinates."""

from __future__ import annotations

import cv2
import numpy as np

from posebot.core.transforms import Array, make, rotation_from_vector
from posebot.stages.observation.evidence import Evidence

_MIN_Z = 0.01  # metres


def pnp_ransac(evidence: Evidence) -> Array:
    """Poses (H, 4, 4) from random minimal sets, for several tolerances. Empty with too few pixels."""
    poses, settings = [], evidence.settings.hypotheses.ransac
    if len(evidence.pixels) < settings.min_pixels:
        return np.zeros((0, 4, 4))
    order = np.argsort(evidence.sigma / evidence.weight)
    for attempt in range(settings.attempts):
        best = order[:max(settings.min_pixels, len(order) >> attempt)]
        best = best[::1 + len(best) // settings.max_pixels]
        cv2.setRNGSeed(attempt + 1)  # the same crop gives the same pose
        solved, rotation, shift, _ = cv2.solvePnPRansac(
            evidence.coordinates[best], evidence.pixels[best], evidence.K, None, iterationsCount=settings.iterations,
            reprojectionError=settings.tolerance_px + attempt, confidence=0.99, flags=cv2.SOLVEPNP_AP3P)
        if solved and np.isfinite(rotation).all() and np.isfinite(shift).all() and shift[2, 0] > _MIN_Z:
            poses.append(make(rotation_from_vector(rotation[:, 0]), shift[:, 0]))
    return np.stack(poses) if poses else np.zeros((0, 4, 4))
