"""Edges of a mesh, to find its outline from anywhere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Mesh
from posebot.core.transforms import Array
from posebot.objects.geometry import edge_adjacency, face_area_vectors, merge_vertices
from posebot.stages.posing.compiled import compiled


class Creases(NamedTuple):
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


def creases(mesh: Mesh) -> Creases:
    """Those of a mesh; vertices in one place count as one."""
    vertices, faces = merge_vertices(mesh)
    faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]
    normals = face_area_vectors(Mesh(vertices, faces))
    ends, beside = edge_adjacency(faces)
    return Creases(vertices, np.ascontiguousarray(normals.T), (normals * vertices[faces[:, 0]]).sum(axis=1),
                   ends.astype(np.int32), beside.astype(np.int32))


@compiled
def outlines(creases: Creases, eye: Array) -> NDArray[np.bool_]:
    """Which edges (E,) lie between a face that looks at the eye (3,), object frame, and one that does not."""
    (xs, ys, zs), (x, y, z) = creases.normals, eye
    front, chosen = np.empty(len(xs), np.bool_), np.empty(len(creases.ends), np.bool_)
    for f in range(len(front)):
        front[f] = xs[f] * x + ys[f] * y + zs[f] * z > creases.offsets[f]
    for e in range(len(chosen)):
        first, second = creases.faces[e, 0], creases.faces[e, 1]
        chosen[e] = (second < 0) | (front[first] != front[second])
    return chosen
