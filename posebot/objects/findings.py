"""What the mesh linter looks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from posebot.core.objects import Mesh
from posebot.objects.geometry import bounds
from posebot.objects.topology import Topology, measure_topology
from posebot.objects.units import METRES_PER, UNIT_NAMES, common, guess_unit, plainly, possible

Severity = Literal["error", "warning", "info"]
MANY_FACES = 20_000
_NEVER_JOINED = 0.7  # share of repeated vertices; a box with hard edges has two thirds, triangles on their own more


@dataclass(frozen=True)
class Finding:
    """One thing about a mesh: how bad, which check, what was found (with the value), what to do about it."""

    severity: Severity
    check: str
    found: str
    advice: str = ""


def color_kind(mesh: Mesh) -> str:
    """"textured", "vertex colours" or "plain"."""
    if mesh.texture is not None:
        return "textured"
    return "plain" if mesh.colors is None else "vertex colours"


def unit_findings(across: float, given: str | None) -> Iterator[Finding]:
    """About the diameter in the file's numbers and the unit `given`, or else the likeliest one."""
    guess = guess_unit(across)
    unit = given or guess.unit
    size = across * METRES_PER[unit]
    if not possible(size) and guess.unit != unit:
        yield Finding("error", "unit", f"read in {UNIT_NAMES[unit]} it is {plainly(size)} across",
                      " or ".join(f"--unit {name}" for name in (guess.unit, *guess.others)) + " would make sense")
    elif not possible(size):
        yield Finding("error", "size", f"{plainly(size)} across in {UNIT_NAMES[unit]}",
                      "objects from 5 mm to 2 m make sense here; scale the mesh")
    elif given and not common(size) and guess.unit != unit:
        yield Finding("warning", "unit", f"{plainly(size)} across is unusual", f"sure it is not --unit {guess.unit}?")
    elif not given and guess.others:
        sizes = " or ".join(f"{plainly(across * METRES_PER[name])} ({name})" for name in (unit, *guess.others))
        yield Finding("warning", "unit", f"the unit is not certain: {sizes} across", f"say which: --unit {unit}")
    elif not given:
        yield Finding("info", "unit", f"taken as {UNIT_NAMES[unit]}: {plainly(size)} across")


def scale_findings(own: float, across: float) -> Iterator[Finding]:
    """About a mesh `own` across in the file's numbers that is to be `across` metres."""
    if possible(across):
        yield Finding("info", "unit", f"scaled by {across * 1000 / max(own, 1e-12):.4g} to {plainly(across)} across")
    else:
        yield Finding("error", "size", f"{plainly(across)} across", "objects from 5 mm to 2 m make sense here")


def mesh_findings(mesh: Mesh, size: float) -> list[Finding]:
    """About a mesh in metres with the diameter `size`."""
    topology = measure_topology(mesh)
    shape_checks: tuple[Callable[[Mesh, Topology, float], Iterator[Finding]], ...] = (
        _shape, _origin, _openness, _orientation, _vertices, _faces, _bodies, _amount, _color)
    return [finding for check in shape_checks for finding in check(mesh, topology, size)]


def _shape(mesh: Mesh, topology: Topology, size: float) -> Iterator[Finding]:
    extents = bounds(mesh)[1]
    if extents.min() < 1e-3 * size:
        axis = "xyz"[int(extents.argmin())]
        found = f"flat: {plainly(float(extents.min()))} along {axis}"
        yield Finding("error", "shape", found, "a solid has three extents")


def _origin(mesh: Mesh, topology: Topology, size: float) -> Iterator[Finding]:
    low, extents = bounds(mesh)
    away = float(np.linalg.norm(low + extents / 2))
    advice = "objects build --center moves it to the middle (then poses refer to that)"
    if away > 2 * size:
        yield Finding("error", "origin", f"{plainly(away)} from the middle, {away / size:.1f} diameters", advice)
    elif away > 0.25 * size:
        yield Finding("warning", "origin", f"{plainly(away)} from the middle, {away / size:.2f} diameters", advice)


def _openness(mesh: Mesh, topology: Topology, size: float) -> Iterator[Finding]:
    if topology.open_edges:
        severity: Severity = "warning" if topology.open_length > 0.1 * size else "info"
        found = f"{topology.open_edges} edges with one face only, {plainly(topology.open_length)} in all"
        yield Finding(severity, "open", found, "fill the holes: through them one sees the inside")
    if topology.tangled_edges:
        found = f"{topology.tangled_edges} edges with more than two faces"
        yield Finding("info", "open", found, "surfaces cross or touch")


def _orientation(mesh: Mesh, topology: Topology, size: float) -> Iterator[Finding]:
    share = topology.flipped_edges / max(1.5 * len(mesh.faces), 1)
    if topology.outward < 0 and share < 0.01:
        yield Finding("error" if topology.closed else "warning", "inside out",
                      f"faces look inwards ({topology.outward:.2f})", "objects build --repair turns them")
    elif topology.flipped_edges:
        found = f"{topology.flipped_edges} edges between faces that look to different sides ({share:.2%})"
        level: Severity = "error" if share > 0.05 else "warning" if share > 0.005 else "info"
        yield Finding(level, "inside out", found, "objects build --repair turns them")


def _vertices(mesh: Mesh, topology: Topology, size: float) -> Iterator[Finding]:
    if topology.repeats:
        share = topology.repeats / len(mesh.vertices)
        severity: Severity = "warning" if share > _NEVER_JOINED else "info"
        yield Finding(severity, "vertices", f"{topology.repeats} repeated ({share:.0%})",
                      "hard edges, or a mesh never joined; objects build --repair joins them")
    if topology.unused:
        yield Finding("info", "vertices", f"{topology.unused} that no face uses", "left out by objects build")


def _faces(mesh: Mesh, topology: Topology, size: float) -> Iterator[Finding]:
    for count, kind in ((topology.slivers, "without area"), (topology.twins, "that lie on another")):
        if count:
            yield Finding("warning" if count > 0.01 * len(mesh.faces) else "info", "faces", f"{count} {kind}",
                          "objects build --repair drops them")


def _bodies(mesh: Mesh, topology: Topology, size: float) -> Iterator[Finding]:
    count = len(topology.body_shares)
    if count > 1:
        found = f"{count} separate, the largest has {topology.body_shares[0]:.0%} of the surface"
        yield Finding("info", "bodies", found, "fine for an assembly; delete crumbs")


def _amount(mesh: Mesh, topology: Topology, size: float) -> Iterator[Finding]:
    if len(mesh.faces) > MANY_FACES:
        yield Finding("info", "amount", f"{len(mesh.faces)} faces", "a bundle carries a decimated copy")


def _color(mesh: Mesh, topology: Topology, size: float) -> Iterator[Finding]:
    if color_kind(mesh) == "plain":
        yield Finding("info", "color", "plain: no texture, no vertex colours", "training draws it in many colours")
