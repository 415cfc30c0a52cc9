"""Geometry of the kit, in millimetres. Every mesh is watertight, with outward normals.

Untextured parts are built by constructive solid geometry (package manifold3d); the textured box and can are built from
grids, because they need texture coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Mesh
from posebot.core.transforms import Array
from posebot.objects.geometry import face_area_vectors

if TYPE_CHECKING:
    from manifold3d import CrossSection, Manifold

CAN_BOTTOM, CAN_SIDE, CAN_LID = slice(0, 6), slice(5, 28), slice(27, 33)  # slices of `can_profile`
SEGMENTS = 72  # of a full circle; a multiple of 4 and 6, so that discrete symmetries are exact


def mug() -> Mesh:
    """A cup, 84 mm wide and 96 high, with a handle on +x and a groove below the coloured rim."""
    outside = [(0, 0), (36, 0), (40, 3), (42, 12), (42, 86), (41.4, 86.6), (42, 87.2), (42, 94), (41, 96), (39, 96),
               (38, 94), (38, 14), (35, 7), (0, 6)]
    cup = _revolve(outside)
    handle = _torus(_circle(5.5, 24).scale((1.0, 1.5)), radius=25.0, degrees=200.0)
    handle = handle.rotate((0, 0, -100)).rotate((90, 0, 0)).translate((41, 0, 50))
    inside = _revolve([(0, 6.5), (34.5, 7.5), (37.5, 14), (37.5, 100), (0, 100)])
    return _to_mesh(cup + (handle - inside - _revolve([(0, 0), (39, 0), (39, 100), (0, 100)])))


def bracket() -> Mesh:
    """An L of 90 and 58 mm, 50 wide and 6 thick, with a rib, two holes in one leg and a slot in the other."""
    profile = [(0, 0), (90, 0), (90, 6), (14, 6), (6, 14), (6, 58), (0, 58)]
    body = _extrude(profile, 50.0).rotate((90, 0, 0)).translate((0, 25, 0))
    rib = _extrude([(5, 5), (40, 5), (5, 40)], 6.0).rotate((90, 0, 0)).translate((0, 3, 0))
    holes = [_hole(5.0).translate((55, y, 0)) for y in (-13, 13)] + [_hole(3.5).translate((78, -13, 0))]
    slot = _hull(_hole(4.0).translate((0, -10, 0)), _hole(4.0).translate((0, 10, 0)))
    body = body + rib - slot.rotate((0, 90, 0)).translate((0, 0, 48))
    for hole in holes:
        body = body - hole
    return _to_mesh(body)


def flange() -> Mesh:
    """A square plate of 92 mm with four holes and a bored hub: 4-fold symmetry about z."""
    plate = _circle(14.0, 32)
    corners = [plate.translate((32.0 * x, 32.0 * y)) for x, y in ((1, 1), (-1, 1), (-1, -1), (1, -1))]
    base = _hull_2d(corners).extrude(12.0)
    hub = _revolve([(0, 0), (31, 0), (31, 14), (25, 20), (25, 46), (23, 48), (0, 48)])
    body = base + hub
    for x, y in ((1, 1), (-1, 1), (-1, -1), (1, -1)):
        body = body - _hole(6.0).translate((32.0 * x, 32.0 * y, 0))
    return _to_mesh(body - _revolve([(0, -1), (17, -1), (17, 49), (0, 49)]))


def spool() -> Mesh:
    """A spool, 66 mm in diameter and 84 high: continuous symmetry about z, and 180° about any axis across it."""
    upper = [(14.0, 24.0), (17.0, 30.0), (31.0, 34.0), (33.0, 36.0), (33.0, 40.0), (31.0, 42.0), (9.0, 42.0)]
    lower = [(r, -z) for r, z in reversed(upper)]
    return _to_mesh(_revolve(lower + upper))


def spanner() -> Mesh:
    """A flat spanner, 176 mm long and 8 thick: an open jaw rotated by 15 degrees, a ring, one small hole."""
    open_head, ring = _circle(20.0).translate((-66, 0)), _circle(17.0).translate((73, 0))
    bar = _polygon([(-60, -9), (68, -7), (68, 7), (-60, 9)])
    jaw = _polygon([(-40, -8.5), (8, -8.5), (12, -4), (12, 4), (8, 8.5), (-40, 8.5)]).rotate(15.0).translate((-68, 0))
    hexagon = _circle(10.0, 6).translate((73, 0))
    outline = open_head + ring + bar - jaw - hexagon - _circle(2.5, 24).translate((44, 1.5))
    body = outline.extrude(8.0)
    heads = (_circle(30.0).translate((-70, 0)) + _circle(25.0).translate((77, 0))).extrude(20.0).translate((0, 0, -6))
    return _to_mesh((body ^ heads) + (outline.extrude(5.0).translate((0, 0, 1.5))))


def elbow() -> Mesh:
    """A bent pipe of 34 mm: a round flange with three holes at one end, a hexagonal collar at the other."""
    pipe = _pipe_bend(17.0)
    bore = _pipe_bend(12.5)
    flange_end = _circle(30.0).extrude(8.0).translate((0, 0, -34))
    for angle in (90, 210, 330):
        radians = np.deg2rad(angle)
        flange_end = flange_end - _hole(3.5).translate((23.5 * np.cos(radians), 23.5 * np.sin(radians), -34))
    collar = _circle(24.0, 6).extrude(16.0).rotate((0, 90, 0)).translate((54, 0, 38))
    return _to_mesh(pipe + flange_end + collar - bore)


def rounded_box(size: tuple[float, float, float], radius: float, steps: int = 4) -> tuple[Mesh, NDArray[np.int64]]:
    """A box with rounded edges, and the side (0..5 = +x, -x, +y, -y, +z, -z) of each vertex (V,).

    Sides do not share vertices, so that each has its own texture coordinates.
    """
    half = np.array(size) / 2
    vertices: list[Array] = []
    faces, sides = [], []
    for side in range(6):
        points, quads = _rounded_side(half, radius, steps, side)
        faces.append(quads + sum(len(part) for part in vertices))
        vertices.append(points)
        sides.append(np.full(len(points), side))
    return Mesh(np.concatenate(vertices), np.concatenate(faces).astype(np.int32)), np.concatenate(sides)


def side_axes(side: int) -> Array:
    """Right, up and outward direction (3, 3), by row, of a box side seen from outside; z up (top and bottom: y up)."""
    normal = np.zeros(3)
    normal[side // 2] = 1.0 if side % 2 == 0 else -1.0
    up = np.array([0.0, 0.0, 1.0]) if side < 4 else np.array([0.0, 1.0, 0.0])
    return np.stack([np.cross(up, normal), up, normal])


def can_profile() -> Array:
    """Profile (radius, height) (N, 2) of the can, from the centre of its bottom to the centre of its lid."""
    rim = [(9, 4), (18, 4), (27.5, 4), (29, 0.6), (30, 0), (31.2, 0.6), (31.4, 3)]
    wall = [(33, z) for z in np.linspace(5, 97, 17)]
    return np.array([(0, 4), *rim, *wall, *((r, 102 - z) for r, z in reversed(rim)), (0, 98)], dtype=float)


def surface_of_revolution(profile: Array) -> tuple[Mesh, Array]:
    """Revolve a profile (radius, height) (N, 2) about z; returns the mesh and each vertex's angle / 2 pi (V,).

    The first and the last column of vertices coincide: the seam of the texture.
    """
    share = np.arange(SEGMENTS + 1) / SEGMENTS
    angle = 2 * np.pi * (np.arange(SEGMENTS + 1) % SEGMENTS) / SEGMENTS
    x, y = (np.outer(direction, profile[:, 0]) for direction in (np.cos(angle), np.sin(angle)))
    vertices = np.stack([x, y, np.broadcast_to(profile[:, 1], x.shape)], axis=-1).reshape(-1, 3)
    mesh = Mesh(vertices, grid_faces(SEGMENTS + 1, len(profile)).astype(np.int32))
    full = np.linalg.norm(face_area_vectors(mesh), axis=1) > 1e-9  # on the axis one triangle of each pair is degenerate
    return replace(mesh, faces=mesh.faces[full]), np.repeat(share, len(profile))


def concatenated(parts: list[Mesh]) -> Mesh:
    """Concatenate textured meshes; coincident vertices are not merged."""
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    faces = np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=False)])
    uv = [part.uv for part in parts if part.uv is not None]
    return Mesh(np.concatenate([part.vertices for part in parts]), faces.astype(np.int32), uv=np.concatenate(uv))


def _rounded_side(half: Array, radius: float, steps: int, side: int) -> tuple[Array, NDArray[np.int64]]:
    axes = side_axes(side)
    lines = [_grid_lines(float(half @ np.abs(axis)), radius, steps) for axis in axes[:2]]
    x, y = np.meshgrid(*lines, indexing="ij")
    on_cube = x[..., None] * axes[0] + y[..., None] * axes[1] + float(half @ np.abs(axes[2])) * axes[2]
    core = np.clip(on_cube, -(half - radius), half - radius)
    away = on_cube - core
    points = core + radius * away / np.linalg.norm(away, axis=-1, keepdims=True)
    return points.reshape(-1, 3), grid_faces(len(lines[0]), len(lines[1]))


def _grid_lines(half: float, radius: float, steps: int) -> Array:
    """Grid positions along a side: about 8 mm apart on the flat, equal angles on the rounded edges."""
    bend = radius * np.tan(np.linspace(0, np.pi / 4, steps + 1)) + half - radius
    flat = np.linspace(radius - half, half - radius, max(2, round(half / 4)))
    return np.concatenate([-bend[:0:-1], flat, bend[1:]])


def grid_faces(rows: int, columns: int) -> NDArray[np.int64]:
    """Triangulate a grid of vertices (rows x columns, row-major); normals point along row x column."""
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    return np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3)


def _polygon(points: Sequence[tuple[float, float]]) -> CrossSection:
    from manifold3d import CrossSection

    return CrossSection([np.array(points, dtype=float)])


def _circle(radius: float, segments: int = SEGMENTS) -> CrossSection:
    from manifold3d import CrossSection

    return CrossSection.circle(radius, segments)


def _extrude(points: Sequence[tuple[float, float]], height: float) -> Manifold:
    return _polygon(points).extrude(height)


def _revolve(points: Sequence[tuple[float, float]]) -> Manifold:
    """A solid of revolution about z from (radius, height) pairs, counter-clockwise."""
    return _polygon(points).revolve(SEGMENTS)


def _torus(section: CrossSection, radius: float, degrees: float = 360.0) -> Manifold:
    return section.translate((radius, 0.0)).revolve(round(SEGMENTS * degrees / 360.0), degrees)


def _hole(radius: float) -> Manifold:
    """A cylinder along z, longer than any part is thick, to be subtracted."""
    return _circle(radius, 32).extrude(40.0).translate((0, 0, -20))


def _hull(*parts: Manifold) -> Manifold:
    from manifold3d import Manifold

    return Manifold.batch_hull(list(parts))


def _hull_2d(parts: list[CrossSection]) -> CrossSection:
    from manifold3d import CrossSection

    return CrossSection.batch_hull(parts)


def _pipe_bend(radius: float) -> Manifold:
    """A pipe from (0, 0, -35) up, through a 90-degree bend, and along +x to x = 71 at z = 38."""
    section = _circle(radius, 48)
    leg = section.extrude(36.0).translate((0, 0, -35))
    corner = _torus(section, 38.0, 90.0).rotate((90, 0, 180)).translate((38, 0, 0))
    arm = section.extrude(34.0).rotate((0, 90, 0)).translate((37.5, 0, 38))
    return leg + corner + arm


def _to_mesh(solid: Manifold) -> Mesh:
    data = solid.to_mesh64()
    return Mesh(np.asarray(data.vert_properties[:, :3], dtype=float), np.asarray(data.tri_verts, dtype=np.int32))
