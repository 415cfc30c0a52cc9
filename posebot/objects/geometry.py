"""Triangle-mesh geometry: bounds, areas, normals, adjacency, surface sampling. Lengths are in mesh units."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posebot.core.objects import Mesh
from posebot.core.transforms import Array

SMOOTHING_ANGLE = np.deg2rad(45.0)


def scaled(mesh: Mesh, factor: float) -> Mesh:
    """The mesh with every length multiplied by `factor`."""
    return replace(mesh, vertices=mesh.vertices * factor)


def translated(mesh: Mesh, offset: ArrayLike) -> Mesh:
    """The mesh translated by `offset` (3,)."""
    return replace(mesh, vertices=mesh.vertices + np.asarray(offset, dtype=float))


def bounds(mesh: Mesh) -> tuple[Array, Array]:
    """Lower corner and size (3,) of the axis-aligned bounding box of all referenced vertices."""
    used = mesh.vertices[mesh.faces.reshape(-1)]
    low = used.min(axis=0)
    return low, used.max(axis=0) - low


def coincident_vertex_ids(vertices: Array, tolerance: float = 0.0) -> NDArray[np.int64]:
    """Cluster IDs (V,), equal for coincident vertices: identical, or connected by steps of at most `tolerance`."""
    positions, ids = np.unique(vertices, axis=0, return_inverse=True)
    ids = ids.reshape(-1)
    if tolerance > 0:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components
        from scipy.spatial import cKDTree

        pairs = cKDTree(positions).query_pairs(tolerance, output_type="ndarray")
        links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(positions), len(positions)))
        ids = connected_components(links, directed=False)[1][ids].astype(np.int64)
    return ids


def merge_vertices(mesh: Mesh) -> tuple[Array, NDArray[np.int64]]:
    """Vertices (V, 3) and faces (F, 3) with coincident vertices merged; texture seams and hard edges are lost."""
    ids = coincident_vertex_ids(mesh.vertices)
    _, first = np.unique(ids, return_index=True)
    return mesh.vertices[first], ids[mesh.faces]


def face_area_vectors(mesh: Mesh) -> Array:
    """Cross products (F, 3) of the edges: face normals whose length is twice the face area."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    return np.cross(b - a, c - a)


def face_areas(mesh: Mesh) -> Array:
    """Face areas (F,)."""
    return np.linalg.norm(face_area_vectors(mesh), axis=1) / 2


def surface_center(mesh: Mesh) -> Array:
    """Centre of the mesh's surface (3,), metres: every axis of symmetry passes it, wherever the origin is."""
    areas = face_areas(mesh)
    return np.asarray(areas @ mesh.vertices[mesh.faces].mean(axis=1) / areas.sum())


def edge_adjacency(faces: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Unique edges of triangles (F, 3): vertices (E, 2) and adjacent faces (E, 2), -1 at a boundary.

    Of a non-manifold edge (more than two faces), two of the faces are returned.
    """
    ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1).astype(np.int64)
    adjacent = np.tile(np.arange(len(faces)), 3)
    order = np.lexsort(ends.T)
    ends, adjacent = ends[order], adjacent[order]
    starts = np.flatnonzero(np.concatenate([np.ones(min(1, len(ends)), bool), (ends[1:] != ends[:-1]).any(axis=1)]))
    shared = np.diff(np.append(starts, len(ends))) > 1
    second = np.where(shared, adjacent[np.minimum(starts + 1, len(ends) - 1)], -1)
    return ends[starts], np.stack([adjacent[starts], second], axis=1)


def diameter(points: Array) -> float:
    """Largest distance between two of the points (N, 3), computed on the vertices of their convex hull."""
    from scipy.spatial import ConvexHull, QhullError
    from scipy.spatial.distance import cdist

    try:
        corners = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):  # degenerate: flat, or fewer than four points
        corners = np.unique(points, axis=0)
    blocks = np.array_split(corners, 1 + len(corners) // 1000)
    return max((float(cdist(block, corners).max()) for block in blocks if len(block)), default=0.0)


def vertex_normals(mesh: Mesh, smoothing: float = SMOOTHING_ANGLE) -> Array:
    """Area-weighted unit vertex normals (V, 3).

    Coincident vertices share a normal where the surface bends by less than `smoothing` (radians): texture seams are
    shaded smooth, while sharp edges whose vertices were split stay sharp.
    """
    vectors = face_area_vectors(mesh)
    own = np.zeros_like(mesh.vertices)
    for corner in range(3):
        np.add.at(own, mesh.faces[:, corner], vectors)
    ids = coincident_vertex_ids(mesh.vertices)
    order = np.argsort(ids, kind="stable")
    total, directions = own.copy(), _unit(own)
    for shift in range(1, int(np.bincount(ids).max())):
        left, right = order[:-shift], order[shift:]
        cosine = np.einsum("ij,ij->i", directions[left], directions[right])
        joined = (ids[left] == ids[right]) & (cosine > np.cos(smoothing))
        total[left[joined]] += own[right[joined]]
        total[right[joined]] += own[left[joined]]
    return _unit(total)


def split_sharp_edges(mesh: Mesh, angle: float = SMOOTHING_ANGLE) -> Mesh:
    """Split vertices along edges with a dihedral angle above `angle` (radians), so that shading keeps them sharp.

    Face corners around a vertex share a vertex if they are connected across smooth edges ("edge split" in Blender).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    directions, faces = _unit(face_area_vectors(mesh)), mesh.faces
    heads, tails = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    order = np.lexsort((np.maximum(heads, tails), np.minimum(heads, tails)))
    one, two = order[:-1], order[1:]  # half-edges, numbered 3 * face + corner
    same = (heads[one] == tails[two]) & (tails[one] == heads[two])
    smooth = np.einsum("ij,ij->i", directions[one // 3], directions[two // 3]) > np.cos(angle)
    one, two = one[same & smooth], two[same & smooth]
    rows = np.concatenate([one, _next_corner(one)])
    columns = np.concatenate([_next_corner(two), two])
    links = coo_array((np.ones(len(rows)), (rows, columns)), shape=(faces.size, faces.size))
    count, corner_groups = connected_components(links, directed=False)
    source = np.zeros(count, dtype=np.int64)
    source[corner_groups] = faces.reshape(-1)
    colors = None if mesh.colors is None else mesh.colors[source]
    uv = None if mesh.uv is None else mesh.uv[source]
    return Mesh(mesh.vertices[source], corner_groups.reshape(-1, 3).astype(np.int32), colors, uv, mesh.texture)


def sample_surface(mesh: Mesh, count: int, seed: int = 0) -> tuple[Array, NDArray[np.int64], Array]:
    """Sample the surface uniformly by area: points (N, 3), their faces (N,) and barycentric weights (N, 3)."""
    rng = np.random.default_rng(seed)
    share = np.cumsum(face_areas(mesh))
    picks = (np.arange(count) + rng.random(count)) / count  # stratified sampling
    faces = np.minimum(np.searchsorted(share, picks * share[-1]), len(mesh.faces) - 1)
    root, second = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - root, root * (1 - second), root * second], axis=1)
    return np.einsum("nk,nkd->nd", weights, mesh.vertices[mesh.faces[faces]]), faces, weights


def _next_corner(corners: NDArray[np.int64]) -> NDArray[np.int64]:
    return corners // 3 * 3 + (corners + 1) % 3


def _unit(vectors: Array) -> Array:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)
