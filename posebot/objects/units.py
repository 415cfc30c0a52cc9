"""Which unit a mesh file is in. Files do not say; the size of things that a robot handles does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

METRES_PER = {"mm": 0.001, "cm": 0.01, "m": 1.0}
UNIT_NAMES = {"mm": "millimetres", "cm": "centimetres", "m": "metres"}
_TYPICAL = 0.12  # metres
_COMMON, _POSSIBLE = (0.03, 0.6), (0.005, 2.0)  # metres: sizes of most objects, and of all that make sense here


@dataclass(frozen=True)
class UnitGuess:
    """`unit` is the likeliest of mm, cm, m; `others` are units in which the object would have a common size as well."""

    unit: str
    others: tuple[str, ...] = ()


def guess_unit(diameter: float) -> UnitGuess:
    """The unit of a file whose mesh is `diameter` across, in the file's numbers."""
    sizes = {unit: diameter * factor for unit, factor in METRES_PER.items()}
    unit = min(sizes, key=lambda name: abs(np.log(max(sizes[name], 1e-12) / _TYPICAL)))
    return UnitGuess(unit, tuple(u for u, size in sizes.items() if u != unit and _within(size, _COMMON)))


def possible(metres: float) -> bool:
    """Whether an object of this diameter makes sense: 5 mm to 2 m."""
    return _within(metres, _POSSIBLE)


def common(metres: float) -> bool:
    """Whether most objects are of this order: 3 to 60 cm."""
    return _within(metres, _COMMON)


def plainly(metres: float) -> str:
    """A length in the unit a person would choose: "33 mm", "1.4 m"."""
    return f"{metres * 1000:.3g} mm" if metres < 1 else f"{metres:.3g} m"


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]
