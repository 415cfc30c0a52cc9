"""How much of the light from all around reaches each place of a mesh that hides parts of itself (ambient occlusion)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Mesh
from posebot.core.transforms import Array, sphere
from posebot.objects.geometry import sample_surface, vertex_normals

_DIRECTIONS = 48
_GRID = 64  # cells across the mesh
_SAMPLES = 12_000  # points on the surface that can be in the way
_OFF = 1.5  # cells from the surface to where light is asked for


def openness(mesh: Mesh) -> NDArray[np.float32]:
    """Share of the surroundings that each vertex sees past the rest of the mesh, weighted by the cosine to its normal.

    Returns (V, 2), 0..1: seen from outside (the side of the normal) and from inside. By depth maps from all directions,
    as Pharr and Green, "Ambient Occlusion" (GPU Gems, 2004), compute it.
    """
    vertices, normals = mesh.vertices, vertex_normals(mesh)
    center, cell = (vertices.min(axis=0) + vertices.max(axis=0)) / 2, _cell(vertices)
    surface = (np.concatenate([sample_surface(mesh, _SAMPLES)[0], vertices]) - center) / cell
    sides = [(vertices - center) / cell + sign * _OFF * normals for sign in (1, -1)]
    seen, whole = np.zeros((2, len(vertices))), np.zeros((2, len(vertices)))
    for direction in sphere(_DIRECTIONS):
        across = np.linalg.svd(direction[None])[2][1:]
        height = np.full(_GRID**2, -np.inf)
        np.maximum.at(height, _place(surface @ across.T), surface @ direction)
        cosine = normals @ direction
        slack = np.clip(np.sqrt(1 / np.maximum(cosine**2, 1e-2) - 1), 0, 3) * 0.75  # the surface rises within a cell
        for side, (points, weight) in enumerate(zip(sides, (cosine, -cosine), strict=True)):
            facing = np.maximum(weight, 0)
            free = points @ direction + slack > height[_place(points @ across.T)]
            seen[side] += facing * free
            whole[side] += facing
    return (seen / np.maximum(whole, 1e-9)).T.astype(np.float32)


def _cell(vertices: Array) -> float:
    """Side of a cell: the grid holds the mesh from every side, and a rim of two cells."""
    return float(np.linalg.norm(np.ptp(vertices, axis=0))) / (_GRID - 4) or 1.0


def _place(flat: Array) -> NDArray[np.int64]:
    """Cell numbers of points (N, 2), cells from the grid's middle."""
    column, row = np.clip(np.rint(flat + (_GRID - 1) / 2), 0, _GRID - 1).astype(np.int64).T
    return np.asarray(row * _GRID + column)
