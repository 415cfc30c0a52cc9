"""A tiny renderer: many poses of one object at once, as clouds of surface points in a z-buffer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.stages.posing.compiled import compiled

if TYPE_CHECKING:
    from posebot.stages.posing.surface import Surface

Map = NDArray[np.float32]
_NEAREST = np.float32(1e-3)  # metres: what is nearer is behind the camera
_HOLE = np.float32(1.02)  # a point this much farther than those around it was seen through a hole between them


@dataclass(frozen=True)
class Splats:
    """depth: float32 (H, S, S) metres along z, 0 = nothing there.

    cover: float32 (H, S, S) share of each pixel that is covered, 0..1. index: int32 (H, S, S) of the point seen, -1 =
    none or filled in between points.
    """

    depth: Map
    cover: Map
    index: NDArray[np.int32]


def splat(poses: Array, surface: Surface, K: Array, size: int, count: int | None = None) -> Splats:
    """Draw poses (H, 4, 4) of an object into size x size pixels of a camera K, with its first `count` surface points.

    Points that look away are left out where the surface is closed; small holes between points are filled.
    """
    points, normals = surface.points[:count], surface.normals[:count]
    eyes = -np.einsum("hij,hi->hj", poses[:, :3, :3], poses[:, :3, 3]).astype(np.float32)
    cameras = np.asarray(K @ poses[:, :3], np.float32)
    depth, cover = (np.zeros((len(poses), size, size), np.float32) for _ in range(2))
    index = np.full(depth.shape, -1, np.int32)
    _draw(cameras, eyes, points, normals, surface.closed, depth, cover, index)
    return Splats(depth, cover, index)


@compiled
def _draw(cameras: Map, eyes: Map, points: Map, normals: Map, closed: bool, depth: Map, cover: Map,
          index: NDArray[np.int32]) -> None:
    """Fill depth, cover and index (H, S, S). cameras: (H, 3, 4) pixel from object. eyes: (H, 3) in the object frame."""
    size = depth.shape[1]
    for h in range(len(cameras)):
        m, eye, nearness = cameras[h], eyes[h], np.zeros((size, size), np.float32)
        for i in range(len(points)):
            x, y, z = points[i]
            if closed:
                nx, ny, nz = normals[i]
                if (eye[0] - x) * nx + (eye[1] - y) * ny + (eye[2] - z) * nz <= 0:
                    continue
            far = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]
            if far <= _NEAREST:
                continue
            near = np.float32(1) / far
            u = (m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]) * near + np.float32(0.5)
            v = (m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]) * near + np.float32(0.5)
            if 0 <= u < size and 0 <= v < size and near > nearness[int(v), int(u)]:
                nearness[int(v), int(u)] = near
                index[h, int(v), int(u)] = i
        filled = _spread(_spread(nearness, 1), -1)  # holes take the value of their surroundings
        for v in range(size):
            for u in range(size):
                value = filled[v, u]
                if value <= 0:
                    index[h, v, u] = -1
                    continue
                depth[h, v, u] = np.float32(1) / value
                if value > _HOLE * nearness[v, u]:
                    index[h, v, u] = -1
                # A pixel counts as drawn when any point falls into it, which makes silhouettes half a pixel too wide
                # all round. The mean with the mask one pixel narrower has the right size on average (within 0.3 %).
                inner = ((v == 0 or filled[v - 1, u] > 0) and (v == size - 1 or filled[v + 1, u] > 0)
                         and (u == 0 or filled[v, u - 1] > 0) and (u == size - 1 or filled[v, u + 1] > 0))
                cover[h, v, u] = 1.0 if inner else 0.5


@compiled
def _spread(picture: Map, sign: int) -> Map:
    """Maximum (sign 1) or minimum (-1) of each 3x3 neighbourhood of a picture (S, S)."""
    size = len(picture)
    rows, both = picture.copy(), np.empty_like(picture)
    for v in range(size):
        for w in (v - 1, v + 1):
            if 0 <= w < size:
                for u in range(size):
                    if sign * picture[w, u] > sign * rows[v, u]:
                        rows[v, u] = picture[w, u]
    for v in range(size):
        for u in range(size):
            best = rows[v, u]
            if u > 0 and sign * rows[v, u - 1] > sign * best:
                best = rows[v, u - 1]
            if u < size - 1 and sign * rows[v, u + 1] > sign * best:
                best = rows[v, u + 1]
            both[v, u] = best
    return both
