"""Collision geometry of the kit's objects for the gripper: unions of boxes, cylinders and capsules.

MuJoCo collides convex shapes only. A convex hull would fill the waist of the spool, the corner of the bracket and the
handle of the mug, and grasps would close on them. Millimetres, in the CAD frame of `objects.kit_shapes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from posebot.core.objects import ObjectModel
from posebot.picking.grasps import cad_origin

_BEND = [(38 - 38 * np.cos(a), 0.0, 38 * np.sin(a)) for a in np.linspace(0, np.pi / 2, 4)]
_HANDLE = [(41 + 25 * np.cos(a), 0.0, 50 + 25 * np.sin(a)) for a in np.deg2rad([-85, -45, 0, 45, 85])]
Primitive = tuple[str, tuple[float, ...], tuple[float, ...]]
"""Kind; box: centre and half sizes; cylinder (along z) and capsule: two ends and radius."""


def _cylinder(a: tuple[float, ...], b: tuple[float, ...], radius: float, kind: str = "cylinder") -> Primitive:
    return kind, (*a, *b), (radius,)


def _capsule_chain(points: list[tuple[float, float, float]], radius: float) -> list[Primitive]:
    return [_cylinder(a, b, radius, "capsule") for a, b in pairwise(points)]


_PRIMITIVES: dict[int, list[Primitive]] = {
    1: [("box", (0, 0, 0), (32.5, 47.5, 70))],
    2: [_cylinder((0, 0, 0), (0, 0, 102), 33)],
    3: [_cylinder((0, 0, 0), (0, 0, 96), 42), *_capsule_chain(_HANDLE, 6.5)],
    4: [("box", (45, 0, 3), (45, 25, 3)), ("box", (3, 0, 29), (3, 25, 29)), ("box", (11, 0, 14), (8, 3, 8)),
        ("box", (23, 0, 9), (10, 3, 4)), ("box", (9, 0, 28), (4, 3, 8))],
    5: [("box", (0, 0, 6), (46, 34, 6)), ("box", (0, 0, 6), (34, 46, 6)), _cylinder((0, 0, 0), (0, 0, 48), 25),
        _cylinder((0, 0, 12), (0, 0, 17), 28)],
    6: [_cylinder((0, 0, -42), (0, 0, 42), 14), _cylinder((0, 0, 34), (0, 0, 42), 33),
        _cylinder((0, 0, -42), (0, 0, -34), 33),
        _cylinder((0, 0, 29), (0, 0, 42), 20), _cylinder((0, 0, -42), (0, 0, -29), 20)],
    7: [("box", (5, 0, 4), (65, 7.9, 2.5)), _cylinder((73, 0, 0), (73, 0, 8), 17),
        _cylinder((-62, 0, 0), (-62, 0, 8), 16)],
    8: [_cylinder((0, 0, -35), (0, 0, 0), 17), *_capsule_chain(_BEND, 16.8), _cylinder((37, 0, 38), (71, 0, 38), 17),
        _cylinder((0, 0, -34), (0, 0, -26), 30), _cylinder((54, 0, 38), (70, 0, 38), 22.5)],
}


def collision_geoms_xml(objects: Mapping[int, ObjectModel], obj_id: int, attributes: str) -> str:
    """MJCF geoms of one object in its own frame, metres, each with the given attributes."""
    origin = cad_origin(obj_id, objects[obj_id])
    geoms = []
    for kind, position, size in _PRIMITIVES[obj_id]:
        ends = np.array(position).reshape(-1, 3) / 1000 + origin
        half = " ".join(f"{s / 1000:.6g}" for s in size)
        placement = f'fromto="{_format(ends)}"' if len(ends) > 1 else f'pos="{_format(ends)}"'
        geoms.append(f'<geom type="{kind}" {placement} size="{half}" {attributes}/>')
    return "".join(geoms)


def _format(numbers: object) -> str:
    return " ".join(f"{obj_id:.6g}" for obj_id in np.ravel(np.asarray(numbers)))
