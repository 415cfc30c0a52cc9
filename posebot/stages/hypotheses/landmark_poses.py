"""Poses from matches of texture landmarks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array, make, rotation_from_vector
from posebot.stages.observation.texture_landmarks import LandmarkMatches
from posebot.stages.settings import DEFAULTS
from posebot.stages.settings.observation import LandmarkSettings

_MIN_Z = 0.01  # metres


def landmark_poses(matches: LandmarkMatches, K: Array, settings: LandmarkSettings = DEFAULTS.observation.landmarks
                   ) -> Array:
    """Poses (H, 4, 4) that enough of the unique matches agree on; a second one from those that the first leaves."""
    rest = np.flatnonzero(matches.unique)
    poses: list[Array] = []
    while len(rest) >= settings.min_matches and len(poses) < settings.max_poses:
        cv2.setRNGSeed(len(poses) + 1)  # the same image gives the same pose
        solved, _, _, inside = cv2.solvePnPRansac(
            matches.points[rest], matches.pixels[rest], K, None, iterationsCount=settings.iterations,
            reprojectionError=matches.tolerance, confidence=0.999, flags=cv2.SOLVEPNP_AP3P)
        if not solved or inside is None or len(inside) < settings.min_matches:
            break
        inliers = rest[inside[:, 0]]
        poses += _solved(matches, inliers, K)
        rest = np.setdiff1d(rest, inliers)
    return np.stack(poses) if poses else np.zeros((0, 4, 4))


def _solved(matches: LandmarkMatches, inliers: NDArray[np.int64], K: Array) -> list[Array]:
    """The pose of the inliers, unless it is degenerate. RANSAC itself ends with EPnP, which fails on planar textures
    (one side of a box)."""
    points, pixels = matches.points[inliers], matches.pixels[inliers]
    rotation, shift = cv2.solvePnP(points, pixels, K, None, flags=cv2.SOLVEPNP_SQPNP)[1:]
    rotation, shift = cv2.solvePnPRefineLM(points, pixels, K, None, rotation, shift)
    if np.isfinite(rotation).all() and np.isfinite(shift).all() and shift[2, 0] > _MIN_Z:
        return [make(rotation_from_vector(rotation[:, 0]), shift[:, 0])]
    return []
