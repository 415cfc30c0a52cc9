"""Length units of mesh files: what a format says, and what is assumed of one that says nothing.

glTF is in metres by its specification; STEP and 3MF name their unit. STL, OBJ, PLY and OFF say nothing: they are read
as millimetres where the part then has a largest extent of 5 mm to 2 m, else in the one unit in which it has, else
posebot asks. All such files of a call are in one unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

UnitOrigin = Literal["format", "given", "assumed", "diameter"]
METRES_PER_UNIT = {"mm": 0.001, "cm": 0.01, "m": 1.0, "in": 0.0254}
UNIT_NAMES = {"mm": "millimetres", "cm": "centimetres", "m": "metres", "in": "inches"}
FORMAT_UNITS = {".glb": "m", ".gltf": "m", ".step": "mm", ".stp": "mm", ".3mf": "mm"}  # as `read_mesh` returns them
SUPPORTED_SIZES = (0.005, 2.0)  # metres: largest extents of the objects that posebot supports
_TOLERANCE = 1e-6  # relative: float32 files hold 5 mm as 0.004999999888 m


@dataclass(frozen=True)
class FileUnit:
    """The unit of a mesh file, and who said so: its format, the caller, or the size of its mesh ("assumed")."""

    unit: str
    origin: UnitOrigin


def is_supported_size(metres: float) -> bool:
    """Whether an object may have this largest extent: 5 mm to 2 m."""
    return SUPPORTED_SIZES[0] * (1 - _TOLERANCE) <= metres <= SUPPORTED_SIZES[1] * (1 + _TOLERANCE)


def fitting_units(extent: float) -> tuple[str, ...]:
    """The units in which a largest extent, in file units, is 5 mm to 2 m."""
    return tuple(unit for unit, factor in METRES_PER_UNIT.items() if is_supported_size(extent * factor))


def assumed_unit(extents: Sequence[float]) -> str | None:
    """The unit assumed of files that say none, from their largest extents in file units; None if it must be asked for.

    Each file is in millimetres if that fits, else in the one unit that does. Files that disagree are asked for: a part
    in metres among others in millimetres is an error of the export, or no part of the same job.
    """
    units = {_assumed(extent) for extent in extents}
    return units.pop() if len(units) == 1 else None


def _assumed(extent: float) -> str | None:
    units = fitting_units(extent)
    return "mm" if "mm" in units else units[0] if len(units) == 1 else None


def format_length(metres: float) -> str:
    """A length in a readable unit: "33 mm", "1.4 m"."""
    return f"{metres * 1000:.3g} mm" if metres < 1 else f"{metres:.3g} m"


def format_size(extents: Iterable[float]) -> str:
    """Extents in metres as millimetres: "70.0 x 60.0 x 20.0 mm"."""
    return " x ".join(f"{value * 1000:.1f}" for value in extents) + " mm"
