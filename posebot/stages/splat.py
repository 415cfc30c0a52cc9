"""A tiny renderer: many poses of one object at once, as clouds of surface points in a z-buffer."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array

Map = NDArray[np.float32]


@dataclass(frozen=True)
class Splats:
    """depth: float32 (H, S, S) metres along z, 0 = nothing there.

    cover: float32 (H, S, S) share of each pixel that is covered, 0..1. index: int32 (H, S, S) of the point seen, -1 =
    none or filled in between points.
    """

    depth: Map
    cover: Map
    index: NDArray[np.int32]


def splat(points_cam: Map, K: Array, size: int) -> Splats:
    """Draw H poses, given as points (H, P, 3) in the camera frame, into size x size pixels; small holes are closed."""
    poses, count = points_cam.shape[:2]
    z = points_cam[..., 2]
    safe = np.maximum(z, 1e-6)
    u = np.rint(points_cam[..., 0] / safe * np.float32(K[0, 0]) + np.float32(K[0, 2])).astype(np.int32)
    v = np.rint(points_cam[..., 1] / safe * np.float32(K[1, 1]) + np.float32(K[1, 2])).astype(np.int32)
    inside = (z > 1e-3) & (u >= 0) & (u < size) & (v >= 0) & (v < size)
    cell = (np.arange(poses, dtype=np.int32)[:, None] * size + v) * size + u
    cell, near = cell[inside], z[inside]
    buffer = np.full(poses * size * size, np.inf, dtype=np.float32)
    np.minimum.at(buffer, cell, near)
    index = np.full(buffer.shape, -1, dtype=np.int32)
    seen = near <= buffer[cell]
    index[cell[seen]] = np.broadcast_to(np.arange(count, dtype=np.int32), inside.shape)[inside][seen]
    closed = _closed((1 / buffer).reshape(poses, size, size).astype(np.float32))
    filled = closed > 1.02 / buffer.reshape(closed.shape)  # a hole, or a far side that shone through one
    depth = np.where(closed > 0, 1 / np.maximum(closed, 1e-9), 0).astype(np.float32)
    return Splats(depth, _cover(depth > 0), np.where(filled, -1, index.reshape(closed.shape)))


def _closed(nearness: Map) -> Map:
    """Morphological closing (3x3) of each picture of 1/z: holes between points take the value of their surroundings."""
    kernel = np.ones((3, 3), np.uint8)
    return np.stack([cv2.morphologyEx(picture, cv2.MORPH_CLOSE, kernel) for picture in nearness])


def _cover(drawn: NDArray[np.bool_]) -> Map:
    """Share of each pixel that is covered.

    A pixel counts as drawn when any point falls into it, which makes silhouettes half a pixel too wide all round. The
    mean with the mask one pixel narrower has the right size on average (within 0.3 %).
    """
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    masks = drawn.astype(np.uint8)
    return np.stack([mask + cv2.erode(mask, cross) for mask in masks]).astype(np.float32) * np.float32(0.5)
