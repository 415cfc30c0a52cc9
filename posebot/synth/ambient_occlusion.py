"""Ambient occlusion of a mesh by itself, per vertex."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Mesh
from posebot.core.transforms import Array, sphere
from posebot.objects.geometry import sample_surface, vertex_normals

_DIRECTIONS = 48
_GRID = 64  # cells across the mesh
_SAMPLES = 12_000  # surface samples that act as occluders
_OFFSET = 1.5  # cells between the surface and the shaded point


def bake_ambient_occlusion(mesh: Mesh) -> NDArray[np.float32]:
    """Ambient visibility of each vertex: the cosine-weighted share of the hemisphere not occluded by the mesh.

    Returns:
        float32 (V, 2), 0 (occluded) .. 1: for the outer (normal) and the inner side of the surface.

    Computed from depth maps of many directions: Pharr and Green, "Ambient Occlusion", GPU Gems (2004).
    """
    vertices, normals = mesh.vertices, vertex_normals(mesh)
    center, cell = (vertices.min(axis=0) + vertices.max(axis=0)) / 2, _cell_size(vertices)
    surface = (np.concatenate([sample_surface(mesh, _SAMPLES)[0], vertices]) - center) / cell
    sides = [(vertices - center) / cell + sign * _OFFSET * normals for sign in (1, -1)]
    visible, total = np.zeros((2, len(vertices))), np.zeros((2, len(vertices)))
    for direction in sphere(_DIRECTIONS):
        across = np.linalg.svd(direction[None])[2][1:]
        height = np.full(_GRID**2, -np.inf)
        np.maximum.at(height, _cell_index(surface @ across.T), surface @ direction)
        cosine = normals @ direction
        bias = np.clip(np.sqrt(1 / np.maximum(cosine**2, 1e-2) - 1), 0, 3) * 0.75  # slope in a cell
        for side, (points, weight) in enumerate(zip(sides, (cosine, -cosine), strict=True)):
            facing = np.maximum(weight, 0)
            unoccluded = points @ direction + bias > height[_cell_index(points @ across.T)]
            visible[side] += facing * unoccluded
            total[side] += facing
    return (visible / np.maximum(total, 1e-9)).T.astype(np.float32)


def _cell_size(vertices: Array) -> float:
    """Size of a grid cell: the grid covers the mesh from every direction, with a border of two cells."""
    return float(np.linalg.norm(np.ptp(vertices, axis=0))) / (_GRID - 4) or 1.0


def _cell_index(flat: Array) -> NDArray[np.int64]:
    """Cell indices of points (N, 2), given in cells from the centre of the grid."""
    column, row = np.clip(np.rint(flat + (_GRID - 1) / 2), 0, _GRID - 1).astype(np.int64).T
    return np.asarray(row * _GRID + column)
