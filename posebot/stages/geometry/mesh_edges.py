"""Edges of a mesh with the faces beside them, to find its outline from any viewpoint."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Mesh
from posebot.core.transforms import Array
from posebot.objects.geometry import edge_adjacency, face_area_vectors, merge_vertices
from posebot.stages.geometry.compiled import compiled


class MeshEdges(NamedTuple):
    """Edges of a mesh with the faces at either side.

    Attributes:
        vertices: (V, 3) metres. normals: (3, F) of the faces, of any length; offsets: (F,) of their planes.
        ends: (E, 2) vertices of each edge. faces: (E, 2) beside it; -1 where there is none.
    """

    vertices: Array
    normals: Array
    offsets: Array
    ends: NDArray[np.int32]
    faces: NDArray[np.int32]


def mesh_edges(mesh: Mesh) -> MeshEdges:
    """The edges of a mesh; vertices in the same place are merged."""
    vertices, faces = merge_vertices(mesh)
    faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]
    normals = face_area_vectors(Mesh(vertices, faces))
    ends, beside = edge_adjacency(faces)
    return MeshEdges(vertices, np.ascontiguousarray(normals.T), (normals * vertices[faces[:, 0]]).sum(axis=1),
                     ends.astype(np.int32), beside.astype(np.int32))


@compiled
def contour_edges(edges: MeshEdges, eye: Array) -> NDArray[np.bool_]:
    """Which edges (E,) lie between a face towards the eye (3,), object frame, and one that faces away."""
    (xs, ys, zs), (x, y, z) = edges.normals, eye
    front, chosen = np.empty(len(xs), np.bool_), np.empty(len(edges.ends), np.bool_)
    for f in range(len(front)):
        front[f] = xs[f] * x + ys[f] * y + zs[f] * z > edges.offsets[f]
    for e in range(len(chosen)):
        first, second = edges.faces[e, 0], edges.faces[e, 1]
        chosen[e] = (second < 0) | (front[first] != front[second])
    return chosen
