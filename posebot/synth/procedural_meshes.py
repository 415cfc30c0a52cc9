"""Procedural meshes: distractors of many shapes and sizes, determined by a number."""

from __future__ import annotations

import numpy as np

from posebot.core.objects import Mesh
from posebot.core.transforms import Array

_SEGMENTS = 28


def quad() -> Mesh:
    """The unit square in z = 0, from (-0.5, -0.5) to (0.5, 0.5), facing +z."""
    corners = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]])
    return Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32), uv=corners[:, :2] + 0.5,
                texture=np.full((1, 1, 3), 255, np.uint8))


def distractor_mesh(number: int) -> Mesh:
    """A closed mesh of 2 to 20 cm about its centre. Deterministic for a number."""
    rng = np.random.default_rng([number, 7])
    kind = rng.choice(["box", "lathe", "lathe", "blob", "prism", "ring"])
    size = np.exp(rng.uniform(np.log(0.03), np.log(0.16))) * np.exp(rng.normal(0, 0.35, 3))
    size = np.clip(size, 0.012, 0.24)
    if kind == "box":
        return _sweep(_square(rng.uniform(0.0, 0.12)), np.array([[0, 1.0]] * 2), np.array([-0.5, 0.5]), size)
    if kind == "lathe":
        size[1] = size[0]
        return _sweep(_circle(), *_profile(rng), size)
    if kind == "blob":
        return _blob(rng, size)
    if kind == "prism":
        return _sweep(_polygon(rng), np.array([[0, 1.0], [0, rng.uniform(0.4, 1.0)]]), np.array([-0.5, 0.5]), size)
    return _torus(rng, size)


def _circle() -> Array:
    angle = np.linspace(0, 2 * np.pi, _SEGMENTS, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * 0.5


def _square(round_off: float) -> Array:
    corners = np.array([[0.5, -0.5], [0.5, 0.5], [-0.5, 0.5], [-0.5, -0.5]])
    if round_off < 0.02:
        return corners
    cut = np.array([[0, round_off], [0, -round_off], [-round_off, 0], [round_off, 0],
                    [0, -round_off], [0, round_off], [round_off, 0], [-round_off, 0]])
    return np.repeat(corners, 2, axis=0) + cut[[2, 0, 1, 2, 3, 1, 0, 3]] * 1.0


def _polygon(rng: np.random.Generator) -> Array:
    sides = int(rng.integers(3, 9))
    angle = np.sort(np.linspace(0, 2 * np.pi, sides, endpoint=False) + rng.uniform(-0.25, 0.25, sides))
    reach = rng.uniform(0.3, 0.5, sides) if rng.random() < 0.5 else np.full(sides, 0.5)
    return np.stack([np.cos(angle) * reach, np.sin(angle) * reach], axis=1)


def _profile(rng: np.random.Generator) -> tuple[Array, Array]:
    """Radius factors (column 1) and heights of a surface of revolution: can, cone, bottle or free form."""
    kind = rng.choice(["can", "cone", "bottle", "free"])
    if kind == "can":
        radius, height = np.array([1.0, 1.0]), np.array([-0.5, 0.5])
    elif kind == "cone":
        radius, height = np.array([1.0, rng.uniform(0.02, 0.8)]), np.array([-0.5, 0.5])
    elif kind == "bottle":
        neck = rng.uniform(0.2, 0.5)
        radius, height = np.array([0.95, 1, 1, 0.9, neck, neck]), np.array([-0.5, -0.45, 0.1, 0.2, 0.35, 0.5])
    else:
        radius = np.interp(np.linspace(0, 5, 16), np.arange(6), rng.uniform(0.3, 1.0, 6))
        height = np.linspace(-0.5, 0.5, 16)
    return np.stack([np.zeros_like(radius), radius], axis=1), height


def _sweep(outline: Array, radii: Array, heights: Array, size: Array) -> Mesh:
    """Sweep `outline` (N, 2), scaled by radii[:, 1] at each height, along z; closed by two caps."""
    count = len(outline)
    rings = [np.column_stack([outline * radius, np.full(count, z)]) for radius, z in zip(radii[:, 1], heights)]
    points = np.vstack([*rings, [[0, 0, heights[0]], [0, 0, heights[-1]]]]) * size
    faces, last = [], len(points) - 1
    top = (len(rings) - 1) * count
    for i in range(count):
        j = (i + 1) % count
        for low in range(0, top, count):
            faces += [[low + i, low + j, low + count + j], [low + i, low + count + j, low + count + i]]
        faces += [[last - 1, j, i], [last, top + i, top + j]]
    return Mesh(points, np.array(faces, np.int32))


def _blob(rng: np.random.Generator, size: Array) -> Mesh:
    """An icosphere, optionally with bumps: its radius modulated by a few random waves."""
    import trimesh

    sphere = trimesh.creation.icosphere(subdivisions=3, radius=0.5)
    points = np.asarray(sphere.vertices)
    if rng.random() < 0.6:
        waves = rng.normal(size=(5, 3)) * rng.uniform(2, 7)
        bumps = np.sin(points @ waves.T + rng.uniform(0, 6, 5)).sum(axis=1)
        points = points * (1 + rng.uniform(0.05, 0.16) * bumps)[:, None]
    if rng.random() < 0.3:
        size = np.full(3, size.mean())
    return Mesh(points * size, np.asarray(sphere.faces, np.int32))


def _torus(rng: np.random.Generator, size: Array) -> Mesh:
    import trimesh

    width = float(size.max()) / 2
    ring = trimesh.creation.torus(width, width * rng.uniform(0.1, 0.4), major_sections=_SEGMENTS, minor_sections=12)
    return Mesh(np.asarray(ring.vertices), np.asarray(ring.faces, np.int32))
