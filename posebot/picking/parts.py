"""The kit's objects as fingers feel them: solids of boxes, cylinders and capsules.

MuJoCo lets only convex shapes touch. A hull would fill the spool's waist, the bracket's corner and the mug's handle, so
that a grasp would close on what is not there. Millimetres, in the frame of `objects.kit_shapes`, as MuJoCo's XML.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from posebot.core.objects import ObjectModel
from posebot.picking.grasps import drawing_origin

_BEND = [(38 - 38 * np.cos(a), 0.0, 38 * np.sin(a)) for a in np.linspace(0, np.pi / 2, 4)]
_HANDLE = [(41 + 25 * np.cos(a), 0.0, 50 + 25 * np.sin(a)) for a in np.deg2rad([-85, -45, 0, 45, 85])]
Part = tuple[str, tuple[float, ...], tuple[float, ...]]
"""Kind; box: centre and half sizes; cylinder (along z) and capsule: two ends and radius."""


def _rod(a: tuple[float, ...], b: tuple[float, ...], radius: float, kind: str = "cylinder") -> Part:
    return kind, (*a, *b), (radius,)


def _chain(points: list[tuple[float, float, float]], radius: float) -> list[Part]:
    return [_rod(a, b, radius, "capsule") for a, b in pairwise(points)]


_PARTS: dict[int, list[Part]] = {
    1: [("box", (0, 0, 0), (32.5, 47.5, 70))],
    2: [_rod((0, 0, 0), (0, 0, 102), 33)],
    3: [_rod((0, 0, 0), (0, 0, 96), 42), *_chain(_HANDLE, 6.5)],
    4: [("box", (45, 0, 3), (45, 25, 3)), ("box", (3, 0, 29), (3, 25, 29)), ("box", (11, 0, 14), (8, 3, 8)),
        ("box", (23, 0, 9), (10, 3, 4)), ("box", (9, 0, 28), (4, 3, 8))],
    5: [("box", (0, 0, 6), (46, 34, 6)), ("box", (0, 0, 6), (34, 46, 6)), _rod((0, 0, 0), (0, 0, 48), 25),
        _rod((0, 0, 12), (0, 0, 17), 28)],
    6: [_rod((0, 0, -42), (0, 0, 42), 14), _rod((0, 0, 34), (0, 0, 42), 33), _rod((0, 0, -42), (0, 0, -34), 33),
        _rod((0, 0, 29), (0, 0, 42), 20), _rod((0, 0, -42), (0, 0, -29), 20)],
    7: [("box", (5, 0, 4), (65, 7.9, 2.5)), _rod((73, 0, 0), (73, 0, 8), 17), _rod((-62, 0, 0), (-62, 0, 8), 16)],
    8: [_rod((0, 0, -35), (0, 0, 0), 17), *_chain(_BEND, 16.8), _rod((37, 0, 38), (71, 0, 38), 17),
        _rod((0, 0, -34), (0, 0, -26), 30), _rod((54, 0, 38), (70, 0, 38), 22.5)],
}


def parts_xml(objects: Mapping[int, ObjectModel], number: int, attributes: str) -> str:
    """MuJoCo geoms of one object in its own frame, metres, each with the given attributes."""
    origin = drawing_origin(number, objects[number])
    geoms = []
    for kind, place, size in _PARTS[number]:
        ends = np.array(place).reshape(-1, 3) / 1000 + origin
        half = " ".join(f"{s / 1000:.6g}" for s in size)
        where = f'fromto="{_text(ends)}"' if len(ends) > 1 else f'pos="{_text(ends)}"'
        geoms.append(f'<geom type="{kind}" {where} size="{half}" {attributes}/>')
    return "".join(geoms)


def _text(numbers: object) -> str:
    return " ".join(f"{number:.6g}" for number in np.ravel(np.asarray(numbers)))
