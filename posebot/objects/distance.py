"""Distance from points to a mesh's surface."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Mesh
from posebot.core.transforms import Array
from posebot.objects.geometry import sample_surface


class Surface:
    """A mesh made ready for many questions about the nearest point of its surface.

    Looks at the faces of the nearest few of many points spread over the surface, then measures to those triangles:
    exact where the right triangle is among them, and never less than the true distance.
    """

    def __init__(self, mesh: Mesh, samples: int = 20_000, neighbours: int = 4) -> None:
        from scipy.spatial import cKDTree

        points, self._faces, _ = sample_surface(mesh, samples)
        self.mesh, self._triangles = mesh, mesh.vertices[mesh.faces]
        self._tree, self._neighbours = cKDTree(points), neighbours

    def nearest(self, points: Array) -> tuple[Array, NDArray[np.int64], Array]:
        """For points (N, 3): distances (N,), and where the nearest surface points are: faces (N,), weights (N, 3)."""
        _, near = self._tree.query(points, k=self._neighbours)
        faces = self._faces[near]
        weights = closest_weights(points[:, None], self._triangles[faces])
        spots = np.einsum("nkc,nkcd->nkd", weights, self._triangles[faces])
        distances = np.linalg.norm(spots - points[:, None], axis=-1)
        best = distances.argmin(axis=1)
        rows = np.arange(len(points))
        return distances[rows, best], faces[rows, best], weights[rows, best]


def closest_weights(points: Array, triangles: Array) -> Array:
    """Barycentric weights (..., 3) of the point of each triangle (..., 3, 3) nearest to points (..., 3).

    Inside, it is the foot of the perpendicular; else the nearest of the nearest points of the three edges.
    """
    a, b, c = (triangles[..., i, :] for i in range(3))
    inside = _foot_weights(points - a, b - a, c - a)
    best = inside
    distance = np.where((inside >= 0).all(axis=-1), 0.0, np.inf)  # the foot beats any edge
    for start, end in ((0, 1), (1, 2), (2, 0)):
        p, q = triangles[..., start, :], triangles[..., end, :]
        along = np.clip(_dot(points - p, q - p) / np.maximum(_dot(q - p, q - p), 1e-30), 0.0, 1.0)
        weights = np.zeros_like(inside)
        weights[..., start], weights[..., end] = 1 - along, along
        gap = np.linalg.norm(p + along[..., None] * (q - p) - points, axis=-1)
        nearer = gap < distance
        best, distance = np.where(nearer[..., None], weights, best), np.where(nearer, gap, distance)
    return best


def _foot_weights(offset: Array, ab: Array, ac: Array) -> Array:
    """Barycentric weights of the perpendicular's foot; negative where it lies outside (or the triangle has no area)."""
    normal = np.cross(ab, ac)
    square = _dot(normal, normal)
    safe = np.where(square > 0, square, 1.0)
    v, w = _dot(np.cross(offset, ac), normal) / safe, _dot(np.cross(ab, offset), normal) / safe
    u = np.where(square > 0, 1 - v - w, -1.0)
    return np.stack([u, v, w], axis=-1)


def _dot(one: Array, other: Array) -> Array:
    return np.einsum("...d,...d->...", one, other)
