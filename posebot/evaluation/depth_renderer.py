"""Depth images of a mesh by a z-buffer in NumPy: no window, no driver, identical on all machines.

Pixel centres are integers (`core.camera`): pixel (u, v) holds the depth where its central ray hits, in float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import project
from posebot.core.objects import Mesh
from posebot.core.transforms import Array, apply

_NEAR = 1e-3  # metres: near plane; faces that cross it are not drawn
_CHUNK = 2_000_000  # candidate pixels in flight

Window = tuple[slice, slice]
"""Rows and columns of an image."""


def render_depth(mesh: Mesh, cam_from_obj: Array, K: Array, width: int, height: int) -> tuple[Array, Window]:
    """Depth (height, width) along z in metres, 0 = background, and the window outside which all is 0.

    No back-face culling, as in the renderers of BOP: a mesh need not be closed.
    """
    points = apply(cam_from_obj, mesh.vertices)
    faces = mesh.faces[(points[mesh.faces, 2] > _NEAR).all(axis=1)]
    corners = project(K, points[faces])
    low = np.clip(np.ceil(corners.min(axis=1)), 0, (width, height)).astype(np.int64)
    high = np.clip(np.floor(corners.max(axis=1)) + 1, 0, (width, height)).astype(np.int64)
    size = np.clip(high - low, 0, None)
    drawn = np.flatnonzero(size.prod(axis=1))
    if not drawn.size:
        return np.zeros((height, width)), (slice(0, 0), slice(0, 0))
    corners, inverse_z, low, size = corners[drawn], 1 / points[faces[drawn], 2], low[drawn], size[drawn]
    nearest = np.zeros(height * width)  # 1 / z: larger is nearer, and linear in the image
    for part in _parts(size.prod(axis=1)):
        index, value = _fill(corners[part], inverse_z[part], low[part], size[part], width)
        np.maximum.at(nearest, index, value)
    depth = np.divide(1.0, nearest, out=np.zeros_like(nearest), where=nearest > 0).reshape(height, width)
    (x0, y0), (x1, y1) = low.min(axis=0), (low + size).max(axis=0)
    return depth, (slice(int(y0), int(y1)), slice(int(x0), int(x1)))


def distances(depth: NDArray[np.floating], K: Array) -> Array:
    """Length of the ray from the camera centre to the surface (H, W), metres, from depth along z; 0 stays 0."""
    height, width = depth.shape
    x = (np.arange(width) - K[0, 2]) / K[0, 0]
    y = (np.arange(height) - K[1, 2]) / K[1, 1]
    return depth * np.sqrt(1 + x**2 + (y**2)[:, None])


def _parts(areas: NDArray[np.int64]) -> list[slice]:
    """Runs of triangles that cover at most _CHUNK candidate pixels together (or a single larger triangle)."""
    cuts, start, total = [], 0, np.concatenate([[0], np.cumsum(areas)])
    while start < len(areas):
        stop = max(start + 1, int(np.searchsorted(total, total[start] + _CHUNK, side="right")) - 1)
        cuts.append(slice(start, stop))
        start = stop
    return cuts


def _fill(corners: Array, inverse_z: Array, low: NDArray[np.int64], size: NDArray[np.int64],
          width: int) -> tuple[NDArray[np.int64], Array]:
    """Pixels (flat index) whose centre lies in a triangle of corners (F, 3, 2), and 1 / z there.

    `low`, `size` (F, 2): bounding box (column, row) of each triangle.
    """
    areas = size.prod(axis=1)
    face = np.repeat(np.arange(len(areas)), areas)
    order = np.arange(len(face)) - np.repeat(np.cumsum(areas) - areas, areas)
    column, row = low[face, 0] + order % size[face, 0], low[face, 1] + order // size[face, 0]
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    doubled = _cross(b - a, c - a)  # twice the signed area
    with np.errstate(divide="ignore", invalid="ignore"):  # a triangle seen edge-on has no inside
        gradient_b = np.stack([(c - a)[:, 1], -(c - a)[:, 0]], axis=1) / doubled[:, None]
        gradient_c = np.stack([-(b - a)[:, 1], (b - a)[:, 0]], axis=1) / doubled[:, None]
        x, y = column - a[face, 0], row - a[face, 1]
        weight_b = gradient_b[face, 0] * x + gradient_b[face, 1] * y
        weight_c = gradient_c[face, 0] * x + gradient_c[face, 1] * y
        inside = (weight_b >= 0) & (weight_c >= 0) & (weight_b + weight_c <= 1)
    face, weight_b, weight_c = face[inside], weight_b[inside], weight_c[inside]
    slope_b, slope_c = inverse_z[:, 1] - inverse_z[:, 0], inverse_z[:, 2] - inverse_z[:, 0]
    value = inverse_z[face, 0] + weight_b * slope_b[face] + weight_c * slope_c[face]
    return row[inside] * width + column[inside], value


def _cross(a: Array, b: Array) -> Array:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
