"""Where the kit's objects can be grasped: fixed grasps of a parallel gripper, several for each object.

Lengths here are millimetres in the frame in which `objects.kit_shapes` draws an object; `kit_grasps` gives metres in
the object's own frame (origin at the centre of its bounding box). A grasp is named by where the middle of the finger
tips ends, the direction in which the gripper comes, and the direction in which it closes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, make

_LOWEST = {1: (-32.5, -47.5, -70.0), 2: (-33, -33, 0), 3: (-42, -42, 0), 4: (0, -25, 0), 5: (-46, -46, 0),
           6: (-33, -33, -42), 7: (-85.56, -20, 0), 8: (-30, -30, -35)}  # corner of the bounding box as it is drawn


@dataclass(frozen=True)
class Grasp:
    """One way to take hold of an object.

    Attributes:
        obj_from_grip: 4x4 metres. Grip frame: origin between the finger tips, z the direction of approach, x the
            direction of closing. width: of the object there, metres. spare: how far the tips may be
            drawn back, to stay above the table, and still hold it, metres.
    """

    obj_from_grip: Array
    width: float
    spare: float


def kit_grasps(objects: Mapping[int, ObjectModel]) -> dict[int, list[Grasp]]:
    """Grasps of the kit's objects, by number, metres, object frame."""
    return {number: [_shifted(grasp, drawing_origin(number, objects[number])) for grasp in make_all()]
            for number, make_all in _GRASPS.items() if number in objects}


def drawing_origin(number: int, model: ObjectModel) -> Array:
    """Where the origin of an object's drawing lies in its own frame (3,), metres."""
    return np.asarray(model.box_min - np.array(_LOWEST[number]) / 1000)


def _shifted(grasp: Grasp, origin: Array) -> Grasp:
    return replace(grasp, obj_from_grip=make(translation=origin) @ grasp.obj_from_grip)


def grasp(tips: Iterable[float], approach: Iterable[float], closing: Iterable[float], width: float,
          spare: float = 25.0) -> Grasp:
    """tips: (3,) mm. approach, closing: directions at right angles. width, spare: mm."""
    z, x = (np.array(list(v), dtype=float) / np.linalg.norm(list(v)) for v in (approach, closing))
    obj_from_grip = make(np.stack([x, np.cross(z, x), z], axis=1), np.array(list(tips)) / 1000)
    return Grasp(obj_from_grip, width / 1000, spare / 1000)


def _around(angle: float) -> Array:
    return np.array([np.cos(angle), np.sin(angle), 0.0])


def _ends(z_tips: float, downwards: float, width: float, angles: Iterable[float]) -> list[Grasp]:
    """Along the axis of something round: closing at each angle; downwards: -1 or 1, sign of the approach along z."""
    return [grasp((0, 0, z_tips), (0, 0, downwards), _around(angle), width) for angle in angles]


def _across(z: float, depth: float, width: float, angles: Iterable[float]) -> list[Grasp]:
    """From the side onto something round, the fingers on both its flanks and `depth` past its axis."""
    return [grasp(_around(angle) * depth + [0, 0, z], _around(angle), _around(angle + np.pi / 2), width, depth)
            for angle in angles]


def _lengthwise(radius: float, deep: float, z: float, width: float, angles: Iterable[float]) -> list[Grasp]:
    """From the side onto something round, the fingers on its two ends, `deep` below its flank."""
    return [grasp(-_around(angle) * (radius - deep) + [0, 0, z], _around(angle), (0, 0, 1), width) for angle in angles]


def _turns(count: int, half: bool = False) -> Array:
    return np.asarray(np.arange(count) * ((np.pi if half else 2 * np.pi) / count), dtype=float)


def _box() -> list[Grasp]:
    size, deep, found = np.array([65.0, 95.0, 140.0]), 40.0, []
    for closing in (0, 1):
        for along in range(3):
            for sign in (-1.0, 1.0):
                if along != closing:
                    approach, across = sign * np.eye(3)[along], np.eye(3)[closing]
                    found.append(grasp(-approach * (size[along] / 2 - deep), approach, across, size[closing]))
    return found


def _can() -> list[Grasp]:
    return [*_ends(64, -1, 66, _turns(6, half=True)), *_ends(38, 1, 66, _turns(6, half=True)),
            *_across(51, 12, 66, _turns(16))]


def _mug() -> list[Grasp]:
    clear = [angle for angle in _turns(12, half=True) if 0.9 < angle < np.pi - 0.9]
    side = [angle for angle in _turns(24) if abs(np.cos(angle + np.pi / 2)) < 0.8]
    return [*_ends(60, -1, 84, clear), *_ends(36, 1, 84, clear), *_across(50, 10, 84, side),
            *_lengthwise(42, 32, 48, 96, _turns(16))]


def _bracket() -> list[Grasp]:
    found = [grasp((3, 0, 44), (0, 0, -1), (1, 0, 0), 6, 8), grasp((60, 0, 3), (-1, 0, 0), (0, 0, 1), 6, 10)]
    for sign in (-1.0, 1.0):
        found += [grasp((62, sign * 10, 3), (0, sign, 0), (0, 0, 1), 6),
                  grasp((3, sign * 10, 48), (0, sign, 0), (1, 0, 0), 6)]
    return found


def _flange() -> list[Grasp]:
    found = [*_ends(22, -1, 50, _turns(8, half=True)), *_ends(24, 1, 92, (0, np.pi / 2)),
             *_ends(2, -1, 92, (0, np.pi / 2))]
    rim = [grasp(-_around(angle) * 32 + [0, 0, 6], _around(angle), (0, 0, 1), 12, 6) for angle in _turns(4)]
    return [*found, *rim, *_across(36, 6, 50, _turns(8))]


def _spool() -> list[Grasp]:
    return [*_ends(22, -1, 66, _turns(6, half=True)), *_ends(-22, 1, 66, _turns(6, half=True)),
            *_across(0, 9, 28, _turns(16)), *_lengthwise(33, 18, 0, 84, _turns(16))]


def _spanner() -> list[Grasp]:
    return [grasp((x, 0, 1.5 if sign < 0 else 6.5), (0, 0, sign), (0, 1, 0), 16.0 - 0.03 * x, 2.5)
            for x in (5, -15, 25, -35, 40) for sign in (-1.0, 1.0)] + [
            grasp((x, sign * 6, 4), (0, sign, 0), (0, 0, 1), 5, 8) for x in (0, 20) for sign in (-1.0, 1.0)]


def _elbow() -> list[Grasp]:
    bend, diagonal = np.array([38 - 38 * np.sqrt(0.5), 0, 38 * np.sqrt(0.5)]), np.array([1.0, 0, -1.0])
    found = [grasp(bend + np.array([0, sign * 8, 0]), (0, sign, 0), diagonal, 36) for sign in (-1.0, 1.0)]
    found.append(grasp(bend + 8 * diagonal * np.sqrt(0.5), diagonal, (0, 1, 0), 34))
    arm_from_leg = np.array([[0, 0, 1.0], [0, 1, 0], [-1, 0, 0]])  # the leg's z becomes the arm's x
    for angle in _turns(16):
        approach, closing = _around(angle), _around(angle + np.pi / 2)
        found.append(grasp([0, 0, -13] + 8 * approach, approach, closing, 34, 8))
        approach, closing = arm_from_leg @ approach, arm_from_leg @ closing
        found.append(grasp([45, 0, 38] + 8 * approach, approach, closing, 34, 8))
    return found


_GRASPS: dict[int, Callable[[], list[Grasp]]] = {
    1: _box, 2: _can, 3: _mug, 4: _bracket, 5: _flange, 6: _spool, 7: _spanner, 8: _elbow}
