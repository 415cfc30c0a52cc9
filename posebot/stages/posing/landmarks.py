"""An object's print in the picture: key points that look like landmarks of the object, and the poses they speak for.

A network has seen a print some ten thousand times, small and blurred; a key point is compared with the print itself.
Where an object has a print, half a dozen key points that agree on a pose are seldom wrong, and exact to a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Landmarks
from posebot.core.transforms import Array, make, rotation_from_vector
from posebot.objects.texture_landmarks import detect_and_compute, normalise_descriptors
from posebot.stages.localize import Localization

_MARGIN = 0.1  # of the box, around it
_SIDE, _LARGER = 320, 2.0  # pixels of the picture that is looked at: at most, and how much it is enlarged at most
_MOST = 600  # key points
_LIKE = 0.88  # similarity from which a key point may be a landmark
_SURE = 0.85  # distance of the best, in those of the best that lies elsewhere
_ELSEWHERE = 0.2  # of the object's reach
_OFF, _SHARE = 4.0, 0.02  # tolerance: picture pixels, and share of the box's longer side
_FEWEST = 6  # that agree
_POSES = 2
_TRIES = 400
_FACING = 0.4  # cosine between the side that is seen and the one that was described
_HALF = 25.0  # key points in agreement that are worth half of all


@dataclass(frozen=True)
class Pairs:
    """Key points and landmarks that look alike, M pairs, sorted by key point.

    Attributes:
        key: (M,) number of the key point. pixels: (M, 2) where it is. points, directions: (M, 3) of the landmark.
        sure: (M,) whether nothing elsewhere on the object looks nearly as like. tolerance: pixels.
    """

    key: NDArray[np.int64]
    pixels: Array
    points: Array
    directions: Array
    sure: NDArray[np.bool_]
    tolerance: float

    def moved(self, matrix: Array) -> Pairs:
        """The same in another picture: matrix 3x3, without turn."""
        return replace(self, pixels=self.pixels * np.diag(matrix)[:2] + matrix[:2, 2],
                       tolerance=self.tolerance * float(matrix[0, 0]))


def matched(rgb: NDArray[np.uint8], localization: Localization, landmarks: Landmarks) -> Pairs | None:
    """Pairs of a localization's box in the picture; None where there are too few."""
    x0, y0, x1, y1 = localization.detection.box_xyxy
    longer = max(x1 - x0, y1 - y0)
    margin, (height, width) = _MARGIN * longer, rgb.shape[:2]
    left, top = max(int(x0 - margin), 0), max(int(y0 - margin), 0)
    part = rgb[top:max(min(int(y1 + margin), height), top), left:max(min(int(x1 + margin), width), left)]
    if min(part.shape[:2]) < 8:
        return None
    scale = min(_LARGER, _SIDE / max(part.shape[:2]))
    method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    pixels, _, descriptors = detect_and_compute(cv2.resize(part, None, fx=scale, fy=scale, interpolation=method), _MOST)
    if len(pixels) < _FEWEST:
        return None
    alike = normalise_descriptors(descriptors) @ normalise_descriptors(landmarks.descriptors).T
    like = alike.max(axis=1) > _LIKE
    alike, places = alike[like], (pixels[like].astype(float) + 0.5) / scale - 0.5 + [left, top]
    if not len(alike):
        return None
    key, number = np.nonzero(alike > _LIKE)
    return Pairs(key, places[key], landmarks.points[number].astype(float), landmarks.directions[number].astype(float),
                 _sure(alike, landmarks.points)[key, number], max(_OFF, _SHARE * float(longer)))


def _sure(alike: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which landmark (N, K) is surely the key point: much more like it than any in another place."""
    best = alike.argmax(axis=1)
    reach = _ELSEWHERE * float(np.linalg.norm(np.ptp(points, axis=0)))
    far = np.linalg.norm(points[None] - points[best][:, None], axis=2) > reach
    first, second = alike.max(axis=1), np.where(far, alike, 0).max(axis=1)
    sure = np.sqrt(np.maximum(1 - first, 0)) < _SURE * np.sqrt(np.maximum(1 - second, 0))
    chosen = np.zeros(alike.shape, bool)
    chosen[np.flatnonzero(sure), best[sure]] = True
    return chosen


def poses(pairs: Pairs, K: Array) -> Array:
    """Poses (H, 4, 4) that enough of the sure pairs agree on; a second one from those that the first leaves over."""
    left = np.flatnonzero(pairs.sure)
    found: list[Array] = []
    while len(left) >= _FEWEST and len(found) < _POSES:
        cv2.setRNGSeed(len(found) + 1)  # the same picture gives the same pose
        solved, _, _, inside = cv2.solvePnPRansac(
            pairs.points[left], pairs.pixels[left], K, None, iterationsCount=_TRIES,
            reprojectionError=pairs.tolerance, confidence=0.999, flags=cv2.SOLVEPNP_AP3P)
        if not solved or inside is None or len(inside) < _FEWEST:
            break
        agreed = left[inside[:, 0]]
        # solved again: RANSAC ends with EPnP, which a flat print (one side of a box) leads astray
        turn, shift = cv2.solvePnP(pairs.points[agreed], pairs.pixels[agreed], K, None, flags=cv2.SOLVEPNP_SQPNP)[1:]
        turn, shift = cv2.solvePnPRefineLM(pairs.points[agreed], pairs.pixels[agreed], K, None, turn, shift)
        if np.isfinite(turn).all() and np.isfinite(shift).all() and shift[2, 0] > 0.01:
            found.append(make(rotation_from_vector(turn[:, 0]), shift[:, 0]))
        left = np.setdiff1d(left, agreed)
    return np.stack(found) if found else np.zeros((0, 4, 4))


def agreement(candidates: Array, pairs: Pairs, K: Array) -> Array:
    """How many key points lie where poses (H, 4, 4) have a landmark like them, as a number 0..1, 0.5 at `_HALF`."""
    seen = candidates[:, :3, :3] @ pairs.points.T + candidates[:, :3, 3:]
    across = (K @ seen)[:, :2] / np.maximum(seen[:, 2:], 1e-3)
    off = np.linalg.norm(across - pairs.pixels.T, axis=1)
    eyes = -np.einsum("hij,hi->hj", candidates[:, :3, :3], candidates[:, :3, 3])
    towards = eyes[:, None] - pairs.points
    facing = (towards * pairs.directions).sum(axis=2) > _FACING * np.linalg.norm(towards, axis=2)
    fits = (off < pairs.tolerance) & facing
    starts = np.flatnonzero(np.diff(pairs.key, prepend=-1))
    count = np.logical_or.reduceat(fits, starts, axis=1).sum(axis=1).astype(float)
    return np.asarray(count**2 / (count**2 + _HALF**2))
