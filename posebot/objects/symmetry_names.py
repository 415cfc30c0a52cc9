"""Symmetries in words: axis and angle in the part's frame, such as "half-turn about (0, 1, -1)"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np

from posebot.core.objects import ContinuousSymmetry
from posebot.core.transforms import Array, vector_from_rotation

_ANGLE_NAMES = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth", 9: "ninth",
                10: "tenth", 12: "twelfth"}
_MAX_NAMED = 8  # axes of one angle
_TOLERANCE = np.cos(np.deg2rad(0.5))
_MAX_OFFSET = 0.001  # metres: an axis that passes the origin closer than this is not said to pass elsewhere
DIRECTIONS = sorted((np.array(v, float) for v in product(range(-3, 4), repeat=3) if np.gcd.reduce(v) == 1),
                    key=lambda v: (np.abs(v).sum(), tuple(-v)))


def turn_name(fold: int) -> str:
    """"any turn" (0), "half-turn" (2), "third-turn" … "1/17 turn"."""
    if fold == 0:
        return "any turn"
    return f"{_ANGLE_NAMES[fold]}-turn" if fold in _ANGLE_NAMES else f"1/{fold} turn"


def axis_name(axis: Array) -> str:
    """A coordinate axis ("z"), a direction of small whole numbers ("(0, 1, -1)"), or two decimals."""
    for direction in DIRECTIONS:
        if abs(float(axis @ direction)) > _TOLERANCE * np.linalg.norm(direction):
            sign = _sign(direction)
            numbers = (sign * direction).astype(int)
            return "xyz"[int(np.abs(numbers).argmax())] if np.abs(numbers).sum() == 1 else \
                "(" + ", ".join(str(n) for n in numbers) + ")"
    rounded = (axis * _sign(axis.round(2))).round(2) + 0.0  # no "-0.00"
    return "(" + ", ".join(f"{value:.2f}" for value in rounded) + ")"


def axis_option(axis: Array, fold: int) -> str:
    """What `--symmetric` takes for it: "x", "0,1,-1/2"."""
    return axis_name(axis).strip("()").replace(" ", "") + (f"/{fold}" if fold else "")


def through(axis: Array, point: Array) -> str:
    """" through (0.0, 14.0, 60.0) mm" where the axis does not pass the origin, else nothing."""
    closest = point - (point @ axis) * axis
    if np.linalg.norm(closest) < _MAX_OFFSET:
        return ""
    return " through (" + ", ".join(f"{value:.1f}" for value in (closest * 1000).round(1) + 0.0) + ") mm"


def describe_symmetries(discrete: Sequence[Array], continuous: Iterable[ContinuousSymmetry]) -> str:
    """All symmetries in words, "none" without any: "any turn about x, half-turn about z"."""
    continuous = list(continuous)
    if len(continuous) > 1:
        return "any turn about any axis" + through(np.zeros(3), continuous[0].offset)
    parts = [f"any turn about {axis_name(entry.axis)}{through(entry.axis, entry.offset)}" for entry in continuous]
    axes = rotation_axes(discrete)
    for fold in sorted({fold for _, _, fold in axes}, reverse=True):
        same = [(axis, point) for axis, point, other in axes if other == fold]
        same.sort(key=lambda entry: (len(axis_name(entry[0])), axis_name(entry[0])))
        names = [f"{axis_name(axis)}{through(axis, point)}" for axis, point in same[:_MAX_NAMED]]
        more = f" and {len(same) - _MAX_NAMED} more" if len(same) > _MAX_NAMED else ""
        parts.append(f"{turn_name(fold)} about {', '.join(names)}{more}")
    return ", ".join(parts) or "none"


def rotation_axes(discrete: Sequence[Array]) -> list[tuple[Array, Array, int]]:
    """The axes of a group of transforms (4x4 each): direction (3,), a point (3,) and the fold."""
    found: list[tuple[Array, Array, int]] = []
    for transform in discrete:
        vector = vector_from_rotation(transform[:3, :3])
        angle = float(np.linalg.norm(vector))
        if angle < 1e-6:
            continue
        axis, fold = vector / angle, max(2, round(2 * np.pi / angle))
        point = np.asarray(np.linalg.lstsq(np.eye(3) - transform[:3, :3], transform[:3, 3], rcond=1e-6)[0], float)
        same = [i for i, (other, _, _) in enumerate(found) if abs(float(axis @ other)) > np.cos(np.deg2rad(1.0))]
        if not same:
            found.append((axis, point, fold))
        elif fold > found[same[0]][2]:
            found[same[0]] = (axis, point, fold)
    return found


def _sign(direction: Array) -> float:
    """-1 where the first component that is not zero is negative."""
    return float(np.sign(direction[np.flatnonzero(direction)[0]])) if direction.any() else 1.0
