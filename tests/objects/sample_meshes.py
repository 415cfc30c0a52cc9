"""Meshes with known properties, metres; and measures of meshes that only tests need."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Mesh
from posebot.core.transforms import Array, apply


def box(size: tuple[float, float, float] = (0.06, 0.09, 0.14)) -> Mesh:
    """A closed box about the origin: 8 vertices, 12 faces."""
    corners = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * np.array(size) / 2
    quads = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    faces = [triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))]
    return Mesh(corners, np.array(faces, dtype=np.int32))


def prism(outline: Array, height: float, top: float = 1.0) -> Mesh:
    """A closed body over a star-shaped outline (N, 2), counter-clockwise; its upper end is `top` times as wide."""
    count = len(outline)
    ring = np.arange(count)
    following = np.roll(ring, -1)
    low = np.column_stack([outline, np.full(count, -height / 2)])
    high = np.column_stack([outline * top, np.full(count, height / 2)])
    ends = np.array([[0, 0, -height / 2], [0, 0, height / 2]])
    sides = [np.stack([ring, following, following + count], 1), np.stack([ring, following + count, ring + count], 1)]
    caps = [np.stack([following, ring, np.full(count, 2 * count)], 1),
            np.stack([ring + count, following + count, np.full(count, 2 * count + 1)], 1)]
    return Mesh(np.concatenate([low, high, ends]), np.concatenate(sides + caps).astype(np.int32))


def star(fold: int, depth: float = 0.35, radius: float = 0.05, points: int = 240) -> Array:
    """An outline (points, 2) that looks the same after 1/fold of a turn, and has mirror lines."""
    angle = 2 * np.pi * np.arange(points) / points
    r = radius * (1 - depth / 2 + depth / 2 * np.cos(fold * angle))
    return np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1)


def l_shape() -> Mesh:
    """An unequal L: no rotation but the identity leaves it the same."""
    outline = np.array([(0, 0), (0.09, 0), (0.09, 0.02), (0.02, 0.02), (0.02, 0.06), (0, 0.06)]) - [0.005, 0.005]
    return prism(outline, 0.03, top=0.8)


def placed(mesh: Mesh, pose: Array) -> Mesh:
    """The mesh moved by a 4x4 transform."""
    return Mesh(apply(pose, mesh.vertices), mesh.faces, mesh.colors, mesh.uv, mesh.texture)


def inside_out(mesh: Mesh) -> Mesh:
    return Mesh(mesh.vertices, mesh.faces[:, ::-1].copy(), mesh.colors, mesh.uv, mesh.texture)


def printed_square(picture: NDArray[np.uint8]) -> Mesh:
    """A square of 10 cm in the plane z = 0, looking at +z, with the picture on it: its first row is at y = +5 cm."""
    corners = np.array([(-0.05, -0.05, 0), (0.05, -0.05, 0), (0.05, 0.05, 0), (-0.05, 0.05, 0)])
    uv = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=float)
    return Mesh(corners, np.array([(0, 1, 2), (0, 2, 3)], dtype=np.int32), uv=uv, texture=picture)


def signed_volume(mesh: Mesh) -> float:
    """Enclosed volume; negative if the faces are oriented inwards. Undefined for an open surface."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)
