"""Adaptive mesh subdivision (longest-edge bisection) without cracks, also across texture seams."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Mesh
from posebot.core.transforms import Array
from posebot.objects.geometry import coincident_vertex_ids

Indices = NDArray[np.int64]
_THIN_RATIO = 0.5  # shortest to longest edge


def edge_lengths(mesh: Mesh) -> Array:
    """Lengths (F, 3) of the edges from corner i to corner i + 1 of each face."""
    corners = mesh.vertices[mesh.faces]
    return np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)


def bisect_faces(mesh: Mesh, selected: NDArray[np.bool_]) -> Mesh:
    """Bisect the longest edge of the `selected` faces (F,), both long edges of thin ones, and dependent edges.

    A face with a bisected edge has its longest edge bisected too, which bounds the smallest angle (Rivara, "Algorithms
    for refining triangular grids based on bisection", 1984). Colours and texture coordinates are interpolated.
    """
    edges, lengths = _edge_ids(mesh), edge_lengths(mesh)
    longest = np.take_along_axis(edges, lengths.argmax(axis=1)[:, None], axis=1)[:, 0]
    thin = lengths.min(axis=1) < _THIN_RATIO * lengths.max(axis=1)
    marked = np.zeros(edges.max() + 1, dtype=bool)
    marked[longest[selected]] = True
    marked[edges[(selected & thin)[:, None] & (lengths > _THIN_RATIO * lengths.max(axis=1)[:, None])]] = True
    while True:
        more = longest[marked[edges].any(axis=1)]
        if marked[more].all():
            return _insert_midpoints(mesh, marked[edges])
        marked[more] = True


def _edge_ids(mesh: Mesh) -> Indices:
    """Edge IDs (F, 3) per face, equal for edges between the same two vertex positions."""
    ids = coincident_vertex_ids(mesh.vertices)[mesh.faces]
    ends = np.sort(np.stack([ids, np.roll(ids, -1, axis=1)], axis=2), axis=2)
    keys = ends[..., 0] * np.int64(len(mesh.vertices)) + ends[..., 1]
    return np.unique(keys, return_inverse=True)[1].reshape(-1, 3)


def _insert_midpoints(mesh: Mesh, marked: NDArray[np.bool_]) -> Mesh:
    """Insert midpoints on the marked edges (F, 3); both faces at an edge must mark it."""
    faces = mesh.faces.astype(np.int64)
    ends = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=2), axis=2)[marked]
    pairs, inverse = np.unique(ends, axis=0, return_inverse=True)
    midpoints = np.full(faces.shape, -1, dtype=np.int64)
    midpoints[marked] = len(mesh.vertices) + inverse.reshape(-1)
    vertices = _with_midpoints(mesh.vertices, pairs)
    result = replace(mesh, vertices=vertices, faces=_triangulate(faces, midpoints, vertices))
    if mesh.uv is not None:
        result = replace(result, uv=_with_midpoints(mesh.uv, pairs))
    if mesh.colors is not None:
        result = replace(result, colors=_with_midpoints(mesh.colors.astype(float), pairs).round().astype(np.uint8))
    return result


def _with_midpoints(values: Array, pairs: Indices) -> Array:
    return np.concatenate([values, values[pairs].mean(axis=1)])


def _triangulate(faces: Indices, midpoints: Indices, vertices: Array) -> NDArray[np.int32]:
    """Triangulate faces with midpoints (F, 3) on their edges, -1 where an edge is not split."""
    count = (midpoints >= 0).sum(axis=1)
    parts = [faces[count == 0]]
    # Rotate each face so that the odd edge (the only one split, or the only one not split) runs from a to b.
    odd = np.where(count == 2, (midpoints < 0).argmax(axis=1), (midpoints >= 0).argmax(axis=1))
    order = (odd[:, None] + np.arange(3)) % 3
    a, b, c = np.take_along_axis(faces, order, axis=1).T
    ab, bc, ca = np.take_along_axis(midpoints, order, axis=1).T
    # The shorter of the two diagonals ends on the longer edge and gives the better aspect ratio.
    from_a = np.linalg.norm(vertices[a] - vertices[bc], axis=1) < np.linalg.norm(vertices[b] - vertices[ca], axis=1)
    for chosen, triangles in (
        (count == 1, ((a, ab, c), (ab, b, c))),
        ((count == 2) & from_a, ((c, ca, bc), (a, b, bc), (a, bc, ca))),
        ((count == 2) & ~from_a, ((c, ca, bc), (a, b, ca), (b, bc, ca))),
        (count == 3, ((a, ab, ca), (ab, b, bc), (bc, c, ca), (ab, bc, ca))),
    ):
        parts += [np.stack(corners, axis=1)[chosen] for corners in triangles]
    return np.concatenate(parts).astype(np.int32)
