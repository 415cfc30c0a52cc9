"""The mesh linter: checks a mesh file for problems before it is used for training or rendering."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from posebot.core.errors import InputError
from posebot.core.objects import Mesh
from posebot.core.transforms import Array
from posebot.objects.bop_models import symmetry_entries
from posebot.objects.cad_files import split_body
from posebot.objects.diagnostics import (
    Diagnostic,
    color_kind,
    geometry_diagnostics,
    scale_diagnostics,
    unit_diagnostics,
    unknown_unit,
)
from posebot.objects.geometry import bounds, diameter, scaled
from posebot.objects.mesh_io import read_mesh
from posebot.objects.symmetry import Symmetries, find_symmetries
from posebot.objects.units import (
    FORMAT_UNITS,
    METRES_PER_UNIT,
    FileUnit,
    UnitOrigin,
    assumed_unit,
    format_length,
)


@dataclass(frozen=True)
class MeshReport:
    """Result of linting one mesh file.

    Attributes:
        unit: unit the file was read in, "scaled" if a diameter was given, "?" if unreadable or to be asked for.
        mesh: in metres; None if the file is unreadable. diameter: metres.
        symmetries: None if not searched for. origin: who said the unit; "assumed" if nobody.
    """

    path: Path
    unit: str
    diagnostics: tuple[Diagnostic, ...]
    mesh: Mesh | None = None
    diameter: float = 0.0
    symmetries: Symmetries | None = None
    origin: UnitOrigin = "assumed"

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
        data: dict[str, Any] = {"mesh": str(self.path), "usable": self.usable, "unit": self.unit,
                                "unit_from": self.origin}
        if self.mesh is not None:
            data |= {"vertices": len(self.mesh.vertices), "faces": len(self.mesh.faces), "color": color_kind(self.mesh),
                     "diameter_mm": self.diameter * 1000, "size_mm": (bounds(self.mesh)[1] * 1000).tolist()}
        data["diagnostics"] = [asdict(diagnostic) for diagnostic in self.diagnostics]
        if self.symmetries is not None:
            data["symmetries"] = symmetry_entries(self.symmetries.discrete, self.symmetries.continuous)
            data["symmetry"] = self.symmetries.describe()
            data["questions"] = [entry.to_dict() for entry in self.symmetries.near]
            data["near_symmetries"] = list(self.symmetries.near_symmetries)
        return data


def check_meshes(paths: Sequence[Path], unit: str | None = None, symmetries: bool = True, use_colors: bool = True,
                 true_diameter: float | None = None) -> Iterator[MeshReport]:
    """Lint mesh files of one job. An unreadable file is reported as a diagnostic, not raised.

    Args:
        unit: mm, cm, m or in of the files whose format names none; None assumes one for all of them (`assumed_unit`).
        symmetries: search for symmetries. use_colors: a symmetry must map the texture onto itself as well.
        true_diameter: measured diameter in metres, for meshes without a scale (photogrammetry).

    Raises:
        InputError: both `unit` and `true_diameter` are given.
    """
    if true_diameter is not None and unit is not None:
        raise InputError("--diameter", f"{format_length(true_diameter)} and --unit {unit}", "only one of them")
    files = [_read(path) for path in paths]
    units = _file_units(files, unit)
    for file, file_unit in zip(files, units, strict=True):
        if true_diameter is not None and file.mesh is not None:
            report = _scaled_report(file.path, file.mesh, true_diameter)
        else:
            report = _report(file, file_unit, unit, len(files) > 1)
        yield _with_symmetries(report, use_colors) if symmetries else report


@dataclass(frozen=True)
class _MeshFile:
    """A mesh in file units, or the error why it could not be read."""

    path: Path
    mesh: Mesh | None = None
    error: InputError | None = None

    @property
    def stated_unit(self) -> str | None:
        return FORMAT_UNITS.get(split_body(self.path)[0].suffix.lower())

    @property
    def extents(self) -> Array:
        return np.zeros(3) if self.mesh is None else bounds(self.mesh)[1]


def _read(path: Path) -> _MeshFile:
    try:
        return _MeshFile(path, read_mesh(path))
    except InputError as error:
        return _MeshFile(path, error=error)


def _file_units(files: Sequence[_MeshFile], given: str | None) -> list[FileUnit | None]:
    """The unit of each file; None where it must be asked for. One decision for all whose format names none."""
    silent = [float(file.extents.max()) for file in files if file.mesh is not None and file.stated_unit is None]
    assumed = assumed_unit(silent) if given is None else given
    common = None if assumed is None else FileUnit(assumed, "assumed" if given is None else "given")
    return [common if file.stated_unit is None else FileUnit(file.stated_unit, "format") for file in files]


def _report(file: _MeshFile, unit: FileUnit | None, given: str | None, several: bool) -> MeshReport:
    if file.mesh is None:
        problem, hint = ("", "") if file.error is None else (file.error.problem, file.error.expected)
        return MeshReport(file.path, given or "?", (Diagnostic("error", "file", problem, hint),))
    if unit is None:
        disagree = several and assumed_unit([float(file.extents.max())]) is not None
        return MeshReport(file.path, "?", (unknown_unit(file.extents, disagree),))
    about = list(unit_diagnostics(file.extents, unit, given, split_body(file.path)[0].suffix))
    mesh = scaled(file.mesh, METRES_PER_UNIT[unit.unit])
    size = _diameter(mesh)
    return MeshReport(file.path, unit.unit, (*about, *geometry_diagnostics(mesh, size)), mesh, size, origin=unit.origin)


def _scaled_report(path: Path, raw: Mesh, true_diameter: float) -> MeshReport:
    file_diameter = _diameter(raw)
    mesh = scaled(raw, true_diameter / file_diameter if file_diameter else 1.0)
    diagnostics = (*scale_diagnostics(file_diameter, true_diameter), *geometry_diagnostics(mesh, true_diameter))
    return MeshReport(path, "scaled", diagnostics, mesh, true_diameter, origin="diameter")


def _with_symmetries(report: MeshReport, use_colors: bool) -> MeshReport:
    """The report with symmetries, unless the mesh is unreadable or flat."""
    if report.mesh is None or any(diagnostic.check == "extent" for diagnostic in report.diagnostics):
        return report
    return replace(report, symmetries=find_symmetries(report.mesh, use_colors))


def _diameter(mesh: Mesh) -> float:
    return diameter(mesh.vertices[np.unique(mesh.faces)])
