"""Checks of the mesh linter, and the diagnostics that they report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from posebot.core.objects import Mesh
from posebot.core.transforms import Array
from posebot.objects.geometry import bounds
from posebot.objects.topology import Topology, measure_topology
from posebot.objects.units import (
    METRES_PER_UNIT,
    UNIT_NAMES,
    FileUnit,
    fitting_units,
    format_length,
    format_size,
    is_supported_size,
)

Severity = Literal["error", "warning", "question", "info"]
MAX_FACES = 20_000  # more are reported, as bundles carry a decimated copy
SUPPORTED_TEXT = "objects from 5 mm to 2 m are supported"
_MAX_DUPLICATE_SHARE = 0.7  # of the vertices: a box with hard edges has 2/3 duplicates, an unmerged mesh more


@dataclass(frozen=True)
class Diagnostic:
    """One message of the linter: severity, name of the check, message (with the value) and a hint how to fix it."""

    severity: Severity
    check: str
    message: str
    hint: str = ""


def color_kind(mesh: Mesh) -> str:
    """"textured", "vertex colours" or "plain"."""
    if mesh.texture is not None:
        return "textured"
    return "plain" if mesh.colors is None else "vertex colours"


def unit_diagnostics(
    extents: Array, file: FileUnit, given: str | None = None, suffix: str = ""
) -> Iterator[Diagnostic]:
    """Say in which unit a file is read, and check its largest extent; `extents` (3,) are in file units.

    Args:
        given: the unit of --unit. suffix: of the file, such as ".glb".
    """
    metres = extents * METRES_PER_UNIT[file.unit]
    name, says = UNIT_NAMES[file.unit], suffix[1:].upper()
    reason = {"given": "as given by --unit", "format": f"as the format says ({says})",
              "assumed": f"assumed: {says} says no unit (--unit if it is another)"}[file.origin]
    if given is not None and given != file.unit:
        yield Diagnostic("warning", "unit", f"--unit {given} is not applied: {says} is in {name}",
                         "where that is wrong, export it again, or give its --diameter")
    if is_supported_size(float(metres.max())):
        yield Diagnostic("info", "unit", f"read as {name}, {reason}")
    else:
        yield Diagnostic("error", "size", f"{format_length(float(metres.max()))} in {name} ({reason})",
                         _better_unit(float(extents.max()), file))


def unknown_unit(extents: Array, disagree: bool) -> Diagnostic:
    """The question for the unit of a file of `extents` (3,), in file units; `disagree`: its fellows fit another one."""
    fitting = fitting_units(float(extents.max()))
    size = " x ".join(f"{value:.4g}" for value in extents)
    if not fitting:
        return Diagnostic("error", "size", f"{size} without a unit fits none of {', '.join(METRES_PER_UNIT)}",
                          f"{SUPPORTED_TEXT}; give its --unit, or scale the mesh")
    choices = ", ".join(f"--unit {unit} ({format_size(extents * METRES_PER_UNIT[unit])})" for unit in fitting)
    conflict = "; the files of this call do not fit one unit" if disagree else ""
    return Diagnostic("error", "unit", f"{size} without a unit{conflict}", f"say which: {choices}")


def _better_unit(extent: float, file: FileUnit) -> str:
    if file.origin == "format":
        return f"{SUPPORTED_TEXT}; export it again in its true size, or give its --diameter"
    fitting = " or ".join(f"--unit {unit}" for unit in fitting_units(extent))
    return f"{fitting} would fit" if fitting else f"{SUPPORTED_TEXT}; scale the mesh"


def scale_diagnostics(file_diameter: float, true_diameter: float) -> Iterator[Diagnostic]:
    """Check a mesh of diameter `file_diameter` (file units) that is scaled to `true_diameter` (metres)."""
    if is_supported_size(true_diameter):
        factor = true_diameter * 1000 / max(file_diameter, 1e-12)
        yield Diagnostic("info", "unit", f"scaled by {factor:.4g} to a diameter of {format_length(true_diameter)}")
    else:
        yield Diagnostic("error", "size", f"diameter is {format_length(true_diameter)}",
                         SUPPORTED_TEXT)


def geometry_diagnostics(mesh: Mesh, size: float) -> list[Diagnostic]:
    """Check a mesh in metres of diameter `size`."""
    topology = measure_topology(mesh)
    checks: tuple[Callable[[Mesh, Topology, float], Iterator[Diagnostic]], ...] = (
        _extent, _origin, _watertight, _orientation, _vertices, _faces, _components, _face_count, _color)
    return [diagnostic for check in checks for diagnostic in check(mesh, topology, size)]


def _extent(mesh: Mesh, topology: Topology, size: float) -> Iterator[Diagnostic]:
    extents = bounds(mesh)[1]
    if extents.min() < 1e-3 * size:
        axis = "xyz"[int(extents.argmin())]
        message = f"flat: {format_length(float(extents.min()))} along {axis}"
        yield Diagnostic("error", "extent", message, "a solid has three extents")


def _origin(mesh: Mesh, topology: Topology, size: float) -> Iterator[Diagnostic]:
    low, extents = bounds(mesh)
    offset = float(np.linalg.norm(low + extents / 2))
    message = f"{format_length(offset)} from the bounding box centre, {offset / size:.2f} diameters"
    if offset > 2 * size:
        yield Diagnostic("warning", "origin", message, "poses are answered in this frame: small turns move it far")
    elif offset > 0.25 * size:
        yield Diagnostic("info", "origin", message, "poses are answered in this frame, as the file has it")


def _watertight(mesh: Mesh, topology: Topology, size: float) -> Iterator[Diagnostic]:
    if topology.boundary_edges:
        severity: Severity = "warning" if topology.boundary_length > 0.1 * size else "info"
        message = f"{topology.boundary_edges} boundary edges, total length {format_length(topology.boundary_length)}"
        yield Diagnostic(severity, "watertight", message, "fill the holes: back faces are visible through them")
    if topology.non_manifold_edges:
        message = f"{topology.non_manifold_edges} non-manifold edges (more than two faces)"
        yield Diagnostic("info", "watertight", message, "surfaces intersect or touch")


def _orientation(mesh: Mesh, topology: Topology, size: float) -> Iterator[Diagnostic]:
    share = topology.inconsistent_edges / max(1.5 * len(mesh.faces), 1)
    if topology.orientation < 0 and share < 0.01:
        yield Diagnostic("error" if topology.watertight else "warning", "normals",
                         f"face normals point inwards ({topology.orientation:.2f})", "objects build --repair fixes it")
    elif topology.inconsistent_edges:
        message = f"inconsistent winding across {topology.inconsistent_edges} edges ({share:.2%})"
        level: Severity = "error" if share > 0.05 else "warning" if share > 0.005 else "info"
        yield Diagnostic(level, "normals", message, "objects build --repair fixes it")


def _vertices(mesh: Mesh, topology: Topology, size: float) -> Iterator[Diagnostic]:
    if topology.duplicate_vertices:
        share = topology.duplicate_vertices / len(mesh.vertices)
        severity: Severity = "warning" if share > _MAX_DUPLICATE_SHARE else "info"
        yield Diagnostic(severity, "vertices", f"{topology.duplicate_vertices} duplicates ({share:.0%})",
                         "hard edges, or an unmerged mesh; objects build --repair merges them")
    if topology.unreferenced_vertices:
        yield Diagnostic("info", "vertices", f"{topology.unreferenced_vertices} unreferenced",
                         "removed by objects build")


def _faces(mesh: Mesh, topology: Topology, size: float) -> Iterator[Diagnostic]:
    for count, kind in ((topology.degenerate_faces, "degenerate"), (topology.duplicate_faces, "duplicates")):
        if count:
            yield Diagnostic("warning" if count > 0.01 * len(mesh.faces) else "info", "faces", f"{count} {kind}",
                             "objects build --repair removes them")


def _components(mesh: Mesh, topology: Topology, size: float) -> Iterator[Diagnostic]:
    count = len(topology.component_shares)
    if count > 1:
        message = f"{count} connected components, the largest has {topology.component_shares[0]:.0%} of the surface"
        yield Diagnostic("info", "components", message, "expected for an assembly; remove debris")


def _face_count(mesh: Mesh, topology: Topology, size: float) -> Iterator[Diagnostic]:
    if len(mesh.faces) > MAX_FACES:
        yield Diagnostic("info", "face count", f"{len(mesh.faces)} faces", "bundles carry a decimated copy")


def _color(mesh: Mesh, topology: Topology, size: float) -> Iterator[Diagnostic]:
    if color_kind(mesh) == "plain":
        yield Diagnostic("info", "color", "plain: no texture, no vertex colours", "training randomises its colour")
