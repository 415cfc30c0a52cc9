"""Length units of mesh files. Most formats do not record one, so it is inferred from the object's size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

METRES_PER_UNIT = {"mm": 0.001, "cm": 0.01, "m": 1.0}
UNIT_NAMES = {"mm": "millimetres", "cm": "centimetres", "m": "metres"}
_EXPECTED_DIAMETER = 0.12  # metres
_TYPICAL_SIZES, _PLAUSIBLE_SIZES = (0.03, 0.6), (0.005, 2.0)  # metres: most objects; all objects posebot supports


@dataclass(frozen=True)
class UnitGuess:
    """The most likely `unit` (mm, cm or m), and the `alternatives` in which the object has a typical size as well."""

    unit: str
    alternatives: tuple[str, ...] = ()


def guess_unit(diameter: float) -> UnitGuess:
    """Infer the unit of a file from the diameter of its mesh, in file units."""
    sizes = {unit: diameter * factor for unit, factor in METRES_PER_UNIT.items()}
    unit = min(sizes, key=lambda name: abs(np.log(max(sizes[name], 1e-12) / _EXPECTED_DIAMETER)))
    return UnitGuess(unit, tuple(u for u, size in sizes.items() if u != unit and _within(size, _TYPICAL_SIZES)))


def is_plausible_size(metres: float) -> bool:
    """Whether an object may have this diameter: 5 mm to 2 m."""
    return _within(metres, _PLAUSIBLE_SIZES)


def is_typical_size(metres: float) -> bool:
    """Whether most objects have about this diameter: 3 to 60 cm."""
    return _within(metres, _TYPICAL_SIZES)


def format_length(metres: float) -> str:
    """A length in a readable unit: "33 mm", "1.4 m"."""
    return f"{metres * 1000:.3g} mm" if metres < 1 else f"{metres:.3g} m"


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]
