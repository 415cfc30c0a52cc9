"""Edges of a mesh, to find its outline from anywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Mesh
from posebot.core.transforms import Array
from posebot.objects.geometry import edges, face_vectors, merged


@dataclass(frozen=True)
class Creases:
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

    def outlines(self, eyes: Array) -> NDArray[np.bool_]:
        """Which edges (H, E) lie between a face that looks at the eye (H, 3), object frame, and one that does not."""
        front = eyes @ self.normals.T > self.offsets
        first, second = self.faces.T
        return np.asarray((second < 0) | (front[:, first] != front[:, second]))


def creases(mesh: Mesh) -> Creases:
    """Those of a mesh; vertices in one place count as one."""
    vertices, faces = merged(mesh)
    faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]
    normals = face_vectors(Mesh(vertices, faces))
    return Creases(vertices, normals, (normals * vertices[faces[:, 0]]).sum(axis=1), *edges(faces))
