"""The mesh linter: checks a mesh file for problems before it is used for training or rendering."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posebot.core.errors import InputError
from posebot.core.objects import Mesh
from posebot.objects.bop_models import symmetry_entries
from posebot.objects.diagnostics import (
    Diagnostic,
    color_kind,
    geometry_diagnostics,
    scale_diagnostics,
    unit_diagnostics,
)
from posebot.objects.geometry import bounds, diameter, scaled
from posebot.objects.mesh_io import read_mesh
from posebot.objects.symmetry import Symmetries, find_symmetries
from posebot.objects.units import METRES_PER_UNIT, format_length, guess_unit


@dataclass(frozen=True)
class MeshReport:
    """Result of linting one mesh file.

    Attributes:
        unit: unit the file was read in, "scaled" if a diameter was given, "?" if unreadable without a unit.
        mesh: in metres; None if the file is unreadable. diameter: metres.
        symmetries: None if not searched for.
    """

    path: Path
    unit: str
    diagnostics: tuple[Diagnostic, ...]
    mesh: Mesh | None = None
    diameter: float = 0.0
    symmetries: Symmetries | None = None

    @property
    def usable(self) -> bool:
        """No errors."""
        return not self.errors

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics of severity "error"."""
        return tuple(diagnostic for diagnostic in self.diagnostics if diagnostic.severity == "error")

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible dictionary: sizes and symmetries in millimetres, as in models_info.json."""
        data: dict[str, Any] = {"mesh": str(self.path), "usable": self.usable, "unit": self.unit}
        if self.mesh is not None:
            data |= {"vertices": len(self.mesh.vertices), "faces": len(self.mesh.faces), "color": color_kind(self.mesh),
                     "diameter_mm": self.diameter * 1000, "size_mm": (bounds(self.mesh)[1] * 1000).tolist()}
        data["diagnostics"] = [asdict(diagnostic) for diagnostic in self.diagnostics]
        if self.symmetries is not None:
            data["symmetries"] = symmetry_entries(self.symmetries.discrete, self.symmetries.continuous)
            data["near_symmetries"] = list(self.symmetries.near_symmetries)
        return data


def check_mesh(path: Path, unit: str | None = None, symmetries: bool = True, use_colors: bool = True,
               true_diameter: float | None = None) -> MeshReport:
    """Lint a mesh file. An unreadable file is reported as a diagnostic, not raised.

    Args:
        unit: mm, cm or m; None infers it. symmetries: search for symmetries. use_colors: a symmetry must map the
            texture onto itself as well.
        true_diameter: measured diameter in metres, for meshes without a scale (photogrammetry).

    Raises:
        InputError: both `unit` and `true_diameter` are given.
    """
    if true_diameter is not None and unit is not None:
        raise InputError("--diameter", f"{format_length(true_diameter)} and --unit {unit}", "only one of them")
    try:
        raw = read_mesh(path)
    except InputError as error:
        return MeshReport(path, unit or "?", (Diagnostic("error", "file", error.problem, error.expected),))
    file_diameter = diameter(raw.vertices[np.unique(raw.faces)])
    if true_diameter is not None:
        chosen, size, about = "scaled", true_diameter, scale_diagnostics(file_diameter, true_diameter)
    else:
        chosen = unit or guess_unit(file_diameter).unit
        size, about = file_diameter * METRES_PER_UNIT[chosen], unit_diagnostics(file_diameter, unit)
    mesh = scaled(raw, size / file_diameter if file_diameter else 1.0)
    diagnostics = [*about, *geometry_diagnostics(mesh, size)]
    has_volume = not any(diagnostic.check == "extent" for diagnostic in diagnostics)
    detected = find_symmetries(mesh, use_colors) if symmetries and has_volume else None
    return MeshReport(path, chosen, tuple(diagnostics), mesh, size, detected)
