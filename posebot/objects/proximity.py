"""Closest-point queries: distance from points to the surface of a mesh."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Mesh
from posebot.core.transforms import Array
from posebot.objects.geometry import sample_surface


class ProximityQuery:
    """A mesh prepared for many closest-point queries.

    The candidate triangles are those of the nearest surface samples (k-d tree), to which exact distances are computed.
    The result is exact if the closest triangle is among them, and never below the true distance. `every_face` adds a
    sample to each triangle that has none.
    """

    def __init__(self, mesh: Mesh, samples: int = 20_000, neighbours: int = 4, every_face: bool = False) -> None:
        from scipy.spatial import cKDTree

        points, self._faces, _ = sample_surface(mesh, samples)
        if every_face:
            missed = np.setdiff1d(np.arange(len(mesh.faces)), self._faces)
            points = np.concatenate([points, mesh.vertices[mesh.faces[missed]].mean(axis=1)])
            self._faces = np.concatenate([self._faces, missed])
        self.mesh, self._triangles = mesh, mesh.vertices[mesh.faces]
        self._tree, self._neighbours = cKDTree(points), neighbours

    def closest(self, points: Array, neighbours: int | None = None) -> tuple[Array, NDArray[np.int64], Array]:
        """Closest surface points to points (N, 3): distances (N,), faces (N,) and barycentric weights (N, 3)."""
        _, near = self._tree.query(points, k=neighbours or self._neighbours)
        faces = self._faces[near]
        weights = closest_barycentric(points[:, None], self._triangles[faces])
        positions = np.einsum("nkc,nkcd->nkd", weights, self._triangles[faces])
        distances = np.linalg.norm(positions - points[:, None], axis=-1)
        best = distances.argmin(axis=1)
        rows = np.arange(len(points))
        return distances[rows, best], faces[rows, best], weights[rows, best]


def closest_barycentric(points: Array, triangles: Array) -> Array:
    """Barycentric weights (..., 3) of the closest points on triangles (..., 3, 3) to points (..., 3).

    This is the orthogonal projection if it falls inside the triangle, else the closest point on an edge.
    """
    a, b, c = (triangles[..., i, :] for i in range(3))
    inside = _projection_weights(points - a, b - a, c - a)
    best = inside
    distance = np.where((inside >= 0).all(axis=-1), 0.0, np.inf)  # the projection is closer than any edge
    for start, end in ((0, 1), (1, 2), (2, 0)):
        p, q = triangles[..., start, :], triangles[..., end, :]
        along = np.clip(_dot(points - p, q - p) / np.maximum(_dot(q - p, q - p), 1e-30), 0.0, 1.0)
        weights = np.zeros_like(inside)
        weights[..., start], weights[..., end] = 1 - along, along
        gap = np.linalg.norm(p + along[..., None] * (q - p) - points, axis=-1)
        nearer = gap < distance
        best, distance = np.where(nearer[..., None], weights, best), np.where(nearer, gap, distance)
    return best


def _projection_weights(offset: Array, ab: Array, ac: Array) -> Array:
    """Barycentric weights of the orthogonal projection; negative outside the triangle, or if it is degenerate."""
    normal = np.cross(ab, ac)
    square = _dot(normal, normal)
    safe = np.where(square > 0, square, 1.0)
    v, w = _dot(np.cross(offset, ac), normal) / safe, _dot(np.cross(ab, offset), normal) / safe
    u = np.where(square > 0, 1 - v - w, -1.0)
    return np.stack([u, v, w], axis=-1)


def _dot(one: Array, other: Array) -> Array:
    return np.einsum("...d,...d->...", one, other)
