"""Small measures of triangle meshes. Lengths are in the mesh's own unit."""

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


def moved(mesh: Mesh, offset: ArrayLike) -> Mesh:
    """The mesh shifted by `offset` (3,)."""
    return replace(mesh, vertices=mesh.vertices + np.asarray(offset, dtype=float))


def bounds(mesh: Mesh) -> tuple[Array, Array]:
    """Lower corner and size (3,) of the axis-aligned bounding box of the vertices that faces use."""
    used = mesh.vertices[mesh.faces.reshape(-1)]
    low = used.min(axis=0)
    return low, used.max(axis=0) - low


def position_ids(vertices: Array, tolerance: float = 0.0) -> NDArray[np.int64]:
    """A number (V,) per vertex, the same for vertices at one place: equal, or a chain of steps up to `tolerance`."""
    places, ids = np.unique(vertices, axis=0, return_inverse=True)
    ids = ids.reshape(-1)
    if tolerance > 0:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components
        from scipy.spatial import cKDTree

        pairs = cKDTree(places).query_pairs(tolerance, output_type="ndarray")
        links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(places), len(places)))
        ids = connected_components(links, directed=False)[1][ids].astype(np.int64)
    return ids


def merged(mesh: Mesh) -> tuple[Array, NDArray[np.int64]]:
    """Vertices and faces with the vertices of one place joined into one; texture seams and hard edges vanish."""
    ids = position_ids(mesh.vertices)
    _, first = np.unique(ids, return_index=True)
    return mesh.vertices[first], ids[mesh.faces]


def face_vectors(mesh: Mesh) -> Array:
    """Normals (F, 3) whose length is twice the face's area."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    return np.cross(b - a, c - a)


def face_areas(mesh: Mesh) -> Array:
    """Areas (F,)."""
    return np.linalg.norm(face_vectors(mesh), axis=1) / 2


def signed_volume(mesh: Mesh) -> float:
    """Volume inside the surface; negative where the faces look inwards. Means nothing for an open surface."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def edges(faces: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each edge of triangles (F, 3) once: its two vertices (E, 2), and the faces (E, 2) beside it, -1 where the surface
    ends. Of an edge that more than two faces share, two of them are told.
    """
    ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1).astype(np.int64)
    beside = np.tile(np.arange(len(faces)), 3)
    order = np.lexsort(ends.T)
    ends, beside = ends[order], beside[order]
    starts = np.flatnonzero(np.concatenate([np.ones(min(1, len(ends)), bool), (ends[1:] != ends[:-1]).any(axis=1)]))
    shared = np.diff(np.append(starts, len(ends))) > 1
    second = np.where(shared, beside[np.minimum(starts + 1, len(ends) - 1)], -1)
    return ends[starts], np.stack([beside[starts], second], axis=1)


def diameter(points: Array) -> float:
    """Largest distance between two of the points (N, 3), found among the corners of their convex hull."""
    from scipy.spatial import ConvexHull, QhullError
    from scipy.spatial.distance import cdist

    try:
        corners = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):  # flat, or fewer than four points: there is no hull
        corners = np.unique(points, axis=0)
    blocks = np.array_split(corners, 1 + len(corners) // 1000)
    return max((float(cdist(block, corners).max()) for block in blocks if len(block)), default=0.0)


def vertex_normals(mesh: Mesh, smoothing: float = SMOOTHING_ANGLE) -> Array:
    """Unit normals (V, 3), weighted by area.

    Vertices at the same place share their faces where the surface bends by less than `smoothing` (radians): a texture
    seam stays smooth, while an edge whose vertices were doubled on purpose stays sharp.
    """
    vectors = face_vectors(mesh)
    own = np.zeros_like(mesh.vertices)
    for corner in range(3):
        np.add.at(own, mesh.faces[:, corner], vectors)
    ids = position_ids(mesh.vertices)
    order = np.argsort(ids, kind="stable")
    total, directions = own.copy(), _unit(own)
    for shift in range(1, int(np.bincount(ids).max())):
        left, right = order[:-shift], order[shift:]
        cosine = np.einsum("ij,ij->i", directions[left], directions[right])
        joined = (ids[left] == ids[right]) & (cosine > np.cos(smoothing))
        total[left[joined]] += own[right[joined]]
        total[right[joined]] += own[left[joined]]
    return _unit(total)


def with_sharp_edges(mesh: Mesh, angle: float = SMOOTHING_ANGLE) -> Mesh:
    """The mesh with the vertices doubled where faces meet at more than `angle` (radians), so that shading keeps edges.

    Around a vertex, corners of faces stay together as far as one gets from face to face over smooth edges.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    directions, faces = _unit(face_vectors(mesh)), mesh.faces
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
    """Points (N, 3) spread evenly over the surface, the faces (N,) they lie on and barycentric weights (N, 3)."""
    rng = np.random.default_rng(seed)
    share = np.cumsum(face_areas(mesh))
    picks = (np.arange(count) + rng.random(count)) / count  # stratified: more even than independent draws
    faces = np.minimum(np.searchsorted(share, picks * share[-1]), len(mesh.faces) - 1)
    root, second = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - root, root * (1 - second), root * second], axis=1)
    return np.einsum("nk,nkd->nd", weights, mesh.vertices[mesh.faces[faces]]), faces, weights


def _next_corner(corners: NDArray[np.int64]) -> NDArray[np.int64]:
    return corners // 3 * 3 + (corners + 1) % 3


def _unit(vectors: Array) -> Array:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)
