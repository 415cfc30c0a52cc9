"""The mesh linter: what costs others days, found in a second."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posebot.core.errors import InputError
from posebot.core.objects import Mesh
from posebot.objects.bop_models import symmetry_entries
from posebot.objects.findings import Finding, color_kind, mesh_findings, scale_findings, unit_findings
from posebot.objects.geometry import bounds, diameter, scaled
from posebot.objects.mesh_io import read_mesh
from posebot.objects.symmetry import Symmetries, find_symmetries
from posebot.objects.units import METRES_PER, guess_unit, plainly


@dataclass(frozen=True)
class Report:
    """All about one mesh file. `unit` is the one it was read in, or "scaled"; `mesh` in metres, None if unreadable."""

    path: Path
    unit: str
    findings: tuple[Finding, ...]
    mesh: Mesh | None = None
    diameter: float = 0.0
    symmetries: Symmetries | None = None

    @property
    def usable(self) -> bool:
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def to_dict(self) -> dict[str, Any]:
        """For JSON: sizes in millimetres, as in models_info.json; symmetries as transforms and axes in millimetres."""
        data: dict[str, Any] = {"mesh": str(self.path), "usable": self.usable, "unit": self.unit}
        if self.mesh is not None:
            data |= {"vertices": len(self.mesh.vertices), "faces": len(self.mesh.faces), "color": color_kind(self.mesh),
                     "diameter_mm": self.diameter * 1000, "size_mm": (bounds(self.mesh)[1] * 1000).tolist()}
        data["findings"] = [asdict(finding) for finding in self.findings]
        if self.symmetries is not None:
            data["symmetries"] = symmetry_entries(self.symmetries.discrete, self.symmetries.continuous)
            data["remarks"] = list(self.symmetries.remarks)
        return data


def check_file(path: Path, unit: str | None = None, symmetries: bool = True, use_colors: bool = True,
               across: float | None = None) -> Report:
    """Examine a mesh file. A file that cannot be read is an error found.

    Args:
        unit: mm, cm or m, or None to guess. across: the true diameter in metres, for meshes without a scale.
    Raises:
        InputError: both are given.
    """
    if across is not None and unit is not None:
        raise InputError("--across", f"{plainly(across)} and --unit {unit}", "one of them sets the scale")
    try:
        raw = read_mesh(path)
    except InputError as error:
        return Report(path, unit or "?", (Finding("error", "file", error.problem, error.expected),))
    own = diameter(raw.vertices[np.unique(raw.faces)])
    if across is not None:
        chosen, size, about = "scaled", across, scale_findings(own, across)
    else:
        chosen = unit or guess_unit(own).unit
        size, about = own * METRES_PER[chosen], unit_findings(own, unit)
    mesh = scaled(raw, size / own if own else 1.0)
    findings = [*about, *mesh_findings(mesh, size)]
    whole = not any(finding.check == "shape" for finding in findings)
    found = find_symmetries(mesh, use_colors) if symmetries and whole else None
    return Report(path, chosen, tuple(findings), mesh, size, found)
