"""Texture landmarks: keypoints of the image matched with those of the object's texture.

A network has seen a texture some ten thousand times, small and blurred; a keypoint is compared with the texture itself.
Half a dozen keypoints that agree on a pose are seldom wrong, and accurate to a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Landmarks
from posebot.core.transforms import Array
from posebot.objects.texture_landmarks import detect_and_compute, normalise_descriptors
from posebot.stages.localize import Localization
from posebot.stages.settings import DEFAULTS
from posebot.stages.settings.observation import LandmarkSettings

_MIN_SIDE = 8  # pixels of the image


@dataclass(frozen=True)
class LandmarkMatches:
    """M matches of keypoints and landmarks, sorted by keypoint.

    Attributes:
        keypoint: (M,) its index. pixels: (M, 2) its position. points, directions: (M, 3) of the landmark, object frame.
        unique: (M,) whether the ratio test holds: nothing elsewhere on the object is nearly as similar.
        tolerance: of the reprojection error, pixels.
    """

    keypoint: NDArray[np.int64]
    pixels: Array
    points: Array
    directions: Array
    unique: NDArray[np.bool_]
    tolerance: float

    def resampled(self, matrix: Array) -> LandmarkMatches:
        """The same in pixels of another image. matrix: 3x3, scale and shift only."""
        return replace(self, pixels=self.pixels * np.diag(matrix)[:2] + matrix[:2, 2],
                       tolerance=self.tolerance * float(matrix[0, 0]))


def match_landmarks(rgb: NDArray[np.uint8], localization: Localization, landmarks: Landmarks,
                    settings: LandmarkSettings = DEFAULTS.observation.landmarks) -> LandmarkMatches | None:
    """Matches inside a localization's box, in image pixels; None where there are too few keypoints."""
    part, corner, longer = _searched(rgb, localization.detection.box_xyxy, settings.margin)
    if min(part.shape[:2]) < _MIN_SIDE:
        return None
    scale = min(settings.max_scale, settings.max_side_px / max(part.shape[:2]))
    method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    resized = cv2.resize(part, None, fx=scale, fy=scale, interpolation=method)
    pixels, _, descriptors = detect_and_compute(resized, settings.max_keypoints)
    if len(pixels) < settings.min_matches:
        return None
    similarity = normalise_descriptors(descriptors) @ normalise_descriptors(landmarks.descriptors).T
    matched = similarity.max(axis=1) > settings.min_similarity
    similarity, places = similarity[matched], (pixels[matched].astype(float) + 0.5) / scale - 0.5 + corner
    if not len(similarity):
        return None
    keypoint, landmark = np.nonzero(similarity > settings.min_similarity)
    unique = _unique(similarity, landmarks.points, settings)[keypoint, landmark]
    return LandmarkMatches(
        keypoint, places[keypoint], landmarks.points[landmark].astype(float),
        landmarks.directions[landmark].astype(float), unique,
        max(settings.tolerance_px, settings.tolerance_share * float(longer)))


def _searched(rgb: NDArray[np.uint8], box: Array, margin: float) -> tuple[NDArray[np.uint8], list[int], float]:
    """The part of an image in and around a box, its left upper corner (x, y), and the box's longer side."""
    x0, y0, x1, y1 = box
    longer = max(x1 - x0, y1 - y0)
    margin, (height, width) = margin * longer, rgb.shape[:2]
    left, top = max(int(x0 - margin), 0), max(int(y0 - margin), 0)
    part = rgb[top:max(min(int(y1 + margin), height), top), left:max(min(int(x1 + margin), width), left)]
    return part, [left, top], longer


def _unique(similarity: NDArray[np.float32], points: NDArray[np.float32], settings: LandmarkSettings
            ) -> NDArray[np.bool_]:
    """Which matches (N, K) pass the ratio test against landmarks elsewhere on the object."""
    best = similarity.argmax(axis=1)
    radius = settings.elsewhere * float(np.linalg.norm(np.ptp(points, axis=0)))
    elsewhere = np.linalg.norm(points[None] - points[best][:, None], axis=2) > radius
    first, second = similarity.max(axis=1), np.where(elsewhere, similarity, 0).max(axis=1)
    passed = np.sqrt(np.maximum(1 - first, 0)) < settings.ratio_test * np.sqrt(np.maximum(1 - second, 0))
    unique = np.zeros(similarity.shape, bool)
    unique[np.flatnonzero(passed), best[passed]] = True
    return unique
