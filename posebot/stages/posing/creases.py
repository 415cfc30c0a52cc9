"""Edges of a mesh, to find its outline from anywhere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Mesh
from posebot.core.transforms import Array
from posebot.objects.geometry import edges, face_vectors, merged
from posebot.stages.posing.compiled import compiled


class Creases(NamedTuple):
    """Edges of a mesh with the faces at either side.

    Attributes:
        vertices: (V, 3) metres. normals: (F, 3) of the faces, of any length; offsets: (F,) of their planes.
        ends: (E, 2) vertices of each edge. faces: (E, 2) beside it; -1 where there is none.
    """

    vertices: Array
    normals: Array
    offsets: Array
    ends: NDArray[np.int64]
    faces: NDArray[np.int64]


def creases(mesh: Mesh) -> Creases:
    """Those of a mesh; vertices in one place count as one."""
    vertices, faces = merged(mesh)
    faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]
    normals = face_vectors(Mesh(vertices, faces))
    return Creases(vertices, normals, (normals * vertices[faces[:, 0]]).sum(axis=1), *edges(faces))


@compiled
def outlines(creases: Creases, eye: Array) -> NDArray[np.bool_]:
    """Which edges (E,) lie between a face that looks at the eye (3,), object frame, and one that does not."""
    front, chosen = np.empty(len(creases.normals), np.bool_), np.empty(len(creases.ends), np.bool_)
    for f in range(len(front)):
        normal = creases.normals[f]
        front[f] = normal[0] * eye[0] + normal[1] * eye[1] + normal[2] * eye[2] > creases.offsets[f]
    for e in range(len(chosen)):
        first, second = creases.faces[e, 0], creases.faces[e, 1]
        chosen[e] = second < 0 or front[first] != front[second]
    return chosen
