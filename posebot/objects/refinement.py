"""Splitting the edges of a mesh without opening cracks, also across texture seams."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Mesh
from posebot.core.transforms import Array
from posebot.objects.geometry import position_ids

Indices = NDArray[np.int64]
_THIN = 0.5


def edge_lengths(mesh: Mesh) -> Array:
    """Lengths (F, 3) of the edges from corner i to corner i + 1 of every face."""
    corners = mesh.vertices[mesh.faces]
    return np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)


def split_faces(mesh: Mesh, wanted: NDArray[np.bool_]) -> Mesh:
    """Halve the longest edge of the faces `wanted` (F,), of thin ones both long edges, and what must be halved with it.

    A face of which any edge is halved has its longest halved too, so that faces do not become thinner from round to
    round (Rivara, "Algorithms for refining triangular grids", 1984). Colours and texture coordinates are interpolated.
    """
    edges, lengths = _edge_numbers(mesh), edge_lengths(mesh)
    longest = np.take_along_axis(edges, lengths.argmax(axis=1)[:, None], axis=1)[:, 0]
    thin = lengths.min(axis=1) < _THIN * lengths.max(axis=1)
    marked = np.zeros(edges.max() + 1, dtype=bool)
    marked[longest[wanted]] = True
    marked[edges[(wanted & thin)[:, None] & (lengths > _THIN * lengths.max(axis=1)[:, None])]] = True
    while True:
        more = longest[marked[edges].any(axis=1)]
        if marked[more].all():
            return _split(mesh, marked[edges])
        marked[more] = True


def _edge_numbers(mesh: Mesh) -> Indices:
    """Number (F, 3) of each face's edges, equal where two edges join the same two places."""
    ids = position_ids(mesh.vertices)[mesh.faces]
    ends = np.sort(np.stack([ids, np.roll(ids, -1, axis=1)], axis=2), axis=2)
    keys = ends[..., 0] * np.int64(len(mesh.vertices)) + ends[..., 1]
    return np.unique(keys, return_inverse=True)[1].reshape(-1, 3)


def _split(mesh: Mesh, marked: NDArray[np.bool_]) -> Mesh:
    """Put a vertex in the middle of the marked edges (F, 3); both faces at an edge must mark it."""
    faces = mesh.faces.astype(np.int64)
    ends = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=2), axis=2)[marked]
    pairs, inverse = np.unique(ends, axis=0, return_inverse=True)
    middles = np.full(faces.shape, -1, dtype=np.int64)
    middles[marked] = len(mesh.vertices) + inverse.reshape(-1)
    vertices = _extended(mesh.vertices, pairs)
    result = replace(mesh, vertices=vertices, faces=_split_faces(faces, middles, vertices))
    if mesh.uv is not None:
        result = replace(result, uv=_extended(mesh.uv, pairs))
    if mesh.colors is not None:
        result = replace(result, colors=_extended(mesh.colors.astype(float), pairs).round().astype(np.uint8))
    return result


def _extended(values: Array, pairs: Indices) -> Array:
    return np.concatenate([values, values[pairs].mean(axis=1)])


def _split_faces(faces: Indices, middles: Indices, vertices: Array) -> NDArray[np.int32]:
    """The parts of faces with middles (F, 3) on their edges, -1 where an edge stays whole."""
    count = (middles >= 0).sum(axis=1)
    parts = [faces[count == 0]]
    # Turn each face so that the odd edge out (the only one halved, or the only one whole) runs from a to b.
    odd = np.where(count == 2, (middles < 0).argmax(axis=1), (middles >= 0).argmax(axis=1))
    order = (odd[:, None] + np.arange(3)) % 3
    a, b, c = np.take_along_axis(faces, order, axis=1).T
    ab, bc, ca = np.take_along_axis(middles, order, axis=1).T
    # Of the two diagonals the shorter one: it ends on the longer edge, and the parts stay plump.
    from_a = np.linalg.norm(vertices[a] - vertices[bc], axis=1) < np.linalg.norm(vertices[b] - vertices[ca], axis=1)
    for chosen, triangles in (
        (count == 1, ((a, ab, c), (ab, b, c))),
        ((count == 2) & from_a, ((c, ca, bc), (a, b, bc), (a, bc, ca))),
        ((count == 2) & ~from_a, ((c, ca, bc), (a, b, ca), (b, bc, ca))),
        (count == 3, ((a, ab, ca), (ab, b, bc), (bc, c, ca), (ab, bc, ca))),
    ):
        parts += [np.stack(corners, axis=1)[chosen] for corners in triangles]
    return np.concatenate(parts).astype(np.int32)
