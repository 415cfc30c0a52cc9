"""Predefined grasps of a parallel gripper for the objects of the kit.

Defined in millimetres in the CAD frame of `objects.kit_shapes`; `kit_grasps` returns metres in the object frame (origin
at the bounding box centre). A grasp is defined by the grasp point between the finger tips, the approach direction and
the closing direction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, make

_CAD_BOX_MIN_MM = {  # lower corner of the bounding box in the CAD frame
    1: (-32.5, -47.5, -70.0), 2: (-33, -33, 0), 3: (-42, -42, 0), 4: (0, -25, 0), 5: (-46, -46, 0),
    6: (-33, -33, -42), 7: (-85.56, -20, 0), 8: (-30, -30, -35)}


@dataclass(frozen=True)
class Grasp:
    """A grasp of an object.

    Attributes:
        obj_from_gripper: 4x4 metres. Gripper frame: origin between the finger tips, z approach, x closing direction.
        width: of the object between the fingers, metres.
        max_retreat: distance by which the tips may retreat, to stay above the table, and still hold, metres.
    """

    obj_from_gripper: Array
    width: float
    max_retreat: float


def kit_grasps(objects: Mapping[int, ObjectModel]) -> dict[int, list[Grasp]]:
    """Grasps by object ID, metres, object frame."""
    return {number: [_translated(grasp, cad_origin(number, objects[number])) for grasp in make_all()]
            for number, make_all in _GRASPS.items() if number in objects}


def cad_origin(number: int, model: ObjectModel) -> Array:
    """Origin of the CAD frame in the object frame (3,), metres."""
    return np.asarray(model.box_min - np.array(_CAD_BOX_MIN_MM[number]) / 1000)


def _translated(grasp: Grasp, origin: Array) -> Grasp:
    return replace(grasp, obj_from_gripper=make(translation=origin) @ grasp.obj_from_gripper)


def grasp(grasp_point: Iterable[float], approach: Iterable[float], closing: Iterable[float], width: float,
          max_retreat: float = 25.0) -> Grasp:
    """A grasp from grasp point (3,), mm, orthogonal approach and closing directions (3,), width and max_retreat, mm."""
    z, x = (np.array(list(v), dtype=float) / np.linalg.norm(list(v)) for v in (approach, closing))
    obj_from_gripper = make(np.stack([x, np.cross(z, x), z], axis=1), np.array(list(grasp_point)) / 1000)
    return Grasp(obj_from_gripper, width / 1000, max_retreat / 1000)


def _radial(angle: float) -> Array:
    return np.array([np.cos(angle), np.sin(angle), 0.0])


def _axial_grasps(z_tips: float, downwards: float, width: float, angles: Iterable[float]) -> list[Grasp]:
    """Along the axis of a round part, closing at each angle; downwards: -1 or 1, sign of the approach along z."""
    return [grasp((0, 0, z_tips), (0, 0, downwards), _radial(angle), width) for angle in angles]


def _side_grasps(z: float, depth: float, width: float, angles: Iterable[float]) -> list[Grasp]:
    """From the side of a round part, with the fingers on its flanks, `depth` beyond its axis."""
    return [grasp(_radial(angle) * depth + [0, 0, z], _radial(angle), _radial(angle + np.pi / 2), width, depth)
            for angle in angles]


def _end_grasps(radius: float, depth: float, z: float, width: float, angles: Iterable[float]) -> list[Grasp]:
    """From the side of a round part, with the fingers on its ends, `depth` below its flank."""
    return [grasp(-_radial(angle) * (radius - depth) + [0, 0, z], _radial(angle), (0, 0, 1), width) for angle in angles]


def _angles(count: int, half: bool = False) -> Array:
    return np.asarray(np.arange(count) * ((np.pi if half else 2 * np.pi) / count), dtype=float)


def _box() -> list[Grasp]:
    size, depth, grasps = np.array([65.0, 95.0, 140.0]), 40.0, []
    for closing in (0, 1):
        for along in range(3):
            for sign in (-1.0, 1.0):
                if along != closing:
                    approach, across = sign * np.eye(3)[along], np.eye(3)[closing]
                    grasps.append(grasp(-approach * (size[along] / 2 - depth), approach, across, size[closing]))
    return grasps


def _can() -> list[Grasp]:
    return [*_axial_grasps(64, -1, 66, _angles(6, half=True)), *_axial_grasps(38, 1, 66, _angles(6, half=True)),
            *_side_grasps(51, 12, 66, _angles(16))]


def _mug() -> list[Grasp]:
    clear = [angle for angle in _angles(12, half=True) if 0.9 < angle < np.pi - 0.9]
    side = [angle for angle in _angles(24) if abs(np.cos(angle + np.pi / 2)) < 0.8]
    return [*_axial_grasps(60, -1, 84, clear), *_axial_grasps(36, 1, 84, clear), *_side_grasps(50, 10, 84, side),
            *_end_grasps(42, 32, 48, 96, _angles(16))]


def _bracket() -> list[Grasp]:
    grasps = [grasp((3, 0, 44), (0, 0, -1), (1, 0, 0), 6, 8), grasp((60, 0, 3), (-1, 0, 0), (0, 0, 1), 6, 10)]
    for sign in (-1.0, 1.0):
        grasps += [grasp((62, sign * 10, 3), (0, sign, 0), (0, 0, 1), 6),
                  grasp((3, sign * 10, 48), (0, sign, 0), (1, 0, 0), 6)]
    return grasps


def _flange() -> list[Grasp]:
    grasps = [*_axial_grasps(22, -1, 50, _angles(8, half=True)), *_axial_grasps(24, 1, 92, (0, np.pi / 2)),
             *_axial_grasps(2, -1, 92, (0, np.pi / 2))]
    rim = [grasp(-_radial(angle) * 32 + [0, 0, 6], _radial(angle), (0, 0, 1), 12, 6) for angle in _angles(4)]
    return [*grasps, *rim, *_side_grasps(36, 6, 50, _angles(8))]


def _spool() -> list[Grasp]:
    return [*_axial_grasps(22, -1, 66, _angles(6, half=True)), *_axial_grasps(-22, 1, 66, _angles(6, half=True)),
            *_side_grasps(0, 9, 28, _angles(16)), *_end_grasps(33, 18, 0, 84, _angles(16))]


def _spanner() -> list[Grasp]:
    return [grasp((x, 0, 1.5 if sign < 0 else 6.5), (0, 0, sign), (0, 1, 0), 16.0 - 0.03 * x, 2.5)
            for x in (5, -15, 25, -35, 40) for sign in (-1.0, 1.0)] + [
            grasp((x, sign * 6, 4), (0, sign, 0), (0, 0, 1), 5, 8) for x in (0, 20) for sign in (-1.0, 1.0)]


def _elbow() -> list[Grasp]:
    bend, diagonal = np.array([38 - 38 * np.sqrt(0.5), 0, 38 * np.sqrt(0.5)]), np.array([1.0, 0, -1.0])
    grasps = [grasp(bend + np.array([0, sign * 8, 0]), (0, sign, 0), diagonal, 36) for sign in (-1.0, 1.0)]
    grasps.append(grasp(bend + 8 * diagonal * np.sqrt(0.5), diagonal, (0, 1, 0), 34))
    arm_from_leg = np.array([[0, 0, 1.0], [0, 1, 0], [-1, 0, 0]])  # maps z of the leg to x of the arm
    for angle in _angles(16):
        approach, closing = _radial(angle), _radial(angle + np.pi / 2)
        grasps.append(grasp([0, 0, -13] + 8 * approach, approach, closing, 34, 8))
        approach, closing = arm_from_leg @ approach, arm_from_leg @ closing
        grasps.append(grasp([45, 0, 38] + 8 * approach, approach, closing, 34, 8))
    return grasps


_GRASPS: dict[int, Callable[[], list[Grasp]]] = {
    1: _box, 2: _can, 3: _mug, 4: _bracket, 5: _flange, 6: _spool, 7: _spanner, 8: _elbow}
