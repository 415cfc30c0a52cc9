"""Machine parts made by Boolean operations, with known symmetries, metres: about the z axis, through the origin."""

from __future__ import annotations

from typing import Any

import numpy as np
import trimesh
from numpy.typing import ArrayLike

from posebot.core.objects import Mesh
from tests.objects.sample_meshes import prism


def to_mesh(body: Any) -> Mesh:
    return Mesh(np.asarray(body.vertices, float), np.asarray(body.faces, np.int32))


def cylinder(radius: float, height: float, sections: int = 48, at: ArrayLike = (0, 0, 0), along: str = "z") -> Any:
    body = trimesh.creation.cylinder(radius, height, sections=sections)
    if along != "z":
        axis = [0, 1, 0] if along == "x" else [1, 0, 0]
        body.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, axis))
    body.apply_translation(at)
    return body


def block(size: ArrayLike, at: ArrayLike = (0, 0, 0)) -> Any:
    body = trimesh.creation.box(size)
    body.apply_translation(at)
    return body


def without(body: Any, *tools: Any) -> Mesh:
    return to_mesh(trimesh.boolean.difference([body, *tools], engine="manifold"))


def washer(scale: float = 1.0) -> Mesh:
    return without(cylinder(0.010 * scale, 0.003 * scale), cylinder(0.005 * scale, 0.01 * scale))


def bored_disc(bore: float = 0.0015, scale: float = 1.0) -> Mesh:
    """A disc of 32 x 10 mm on a shaft of 6 mm, with a set-screw bore to one side."""
    tool = cylinder(bore * scale, 0.02 * scale, 24, [0.01 * scale, 0, 0], "x")
    return without(cylinder(0.016 * scale, 0.01 * scale), cylinder(0.003 * scale, 0.02 * scale), tool)


def keyed_shaft(scale: float = 1.0) -> Mesh:
    """A shaft of 20 x 100 mm with a keyway of 25 x 6 x 3.5 mm near one end."""
    return without(cylinder(0.01 * scale, 0.1 * scale),
                   block(np.array([0.006, 0.006, 0.025]) * scale, np.array([0.0095, 0, 0.03]) * scale))


def hexagon(across: float, height: float) -> Any:
    return trimesh.creation.cylinder(across / np.sqrt(3), height, sections=6)


def nut(scale: float = 1.0, chamfered: bool = False) -> Mesh:
    """A hexagonal nut, 17 mm across flats, M10; chamfered on one side or on none."""
    body = hexagon(0.017 * scale, 0.008 * scale)
    if chamfered:
        cone = trimesh.creation.cone(0.02235 * scale, 0.0129 * scale, sections=96)  # 30 degrees
        cone.apply_translation([0, 0, -0.004 * scale])
        body = trimesh.boolean.intersection([body, cone], engine="manifold")
    return without(body, cylinder(0.005 * scale, 0.02 * scale))


def hexagonal_rod(scale: float = 1.0) -> Mesh:
    return to_mesh(hexagon(0.006 * scale, 0.1 * scale))


def threaded_rod(scale: float = 1.0) -> Mesh:
    """An M6 rod of 40 mm with a pitch of 1 mm: the surface r = 2.7 + 0.3 cos(2 pi z - angle), with flat ends."""
    angle = 2 * np.pi * np.arange(48) / 48
    z = np.linspace(-20, 20, 321)
    r = 2.7 + 0.3 * np.cos(2 * np.pi * z[None] - angle[:, None])
    rings = np.stack([r * np.cos(angle)[:, None], r * np.sin(angle)[:, None], np.broadcast_to(z, r.shape)], axis=-1)
    index = np.arange(r.size).reshape(r.shape)
    following = np.roll(index, -1, axis=0)
    sides = np.stack([index[:, :-1], following[:, :-1], following[:, 1:], index[:, 1:]], -1).reshape(-1, 4)
    ends = [np.stack([np.full(48, r.size), following[:, 0], index[:, 0]], -1),
            np.stack([np.full(48, r.size + 1), index[:, -1], following[:, -1]], -1)]
    vertices = np.concatenate([rings.reshape(-1, 3), [[0, 0, -20], [0, 0, 20]]])
    faces = np.concatenate([sides[:, [0, 1, 2]], sides[:, [0, 2, 3]], *ends])
    return Mesh(vertices * 0.001 * scale, faces.astype(np.int32))


def gear(teeth: int, scale: float = 1.0, keyed: bool = False) -> Mesh:
    """A gear of 40 mm with teeth of 3 mm, 8 mm thick, bored to 10 mm; with a keyway of 3 x 1.5 mm or without."""
    steps = np.arange(4 * teeth)
    radius = np.where(steps % 4 < 2, 20.0, 17.0) * 0.001 * scale
    angle = 2 * np.pi * (steps + 0.5) / (4 * teeth)
    outline = np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
    blank = prism(outline, 0.008 * scale)
    body = trimesh.Trimesh(blank.vertices, blank.faces)
    tools = [cylinder(0.005 * scale, 0.02 * scale)]
    if keyed:
        tools.append(block(np.array([0.003, 0.003, 0.02]) * scale, np.array([0.005, 0, 0]) * scale))
    return without(body, *tools)


def engraved_cube(scale: float = 1.0, depth: float = 0.0003) -> Mesh:
    """A cube of 40 mm with an engraving of 20 x 8 mm, off the middle of one side."""
    return without(block(np.full(3, 0.04 * scale)),
                   block(np.array([0.02, 0.008, 2 * depth]) * scale, np.array([0.003, 0.004, 0.02]) * scale))
