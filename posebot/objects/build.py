"""From mesh files to ObjectModels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from posebot.core.errors import InputError, MeshError
from posebot.core.objects import Mesh, ObjectModel
from posebot.objects.bop_models import make_object
from posebot.objects.check import check_file
from posebot.objects.findings import Finding, mesh_findings
from posebot.objects.geometry import bounds, moved
from posebot.objects.symmetry import Symmetries, find_symmetries
from posebot.objects.topology import repaired, without_unused


@dataclass(frozen=True)
class BuildOptions:
    """How meshes become objects.

    Attributes:
        unit: mm, cm or m of the files; None: guess, and refuse where that is not certain. across: true diameter in
        metres instead, for a mesh without a scale.
        center: move the origin to the middle of the bounding box. repair: drop flawed faces, join vertices, turn the
        surface outwards. force: accept errors that are found. symmetries: look for them; with use_colors, only those
        that fit the print as well.
    """

    unit: str | None = None
    center: bool = False
    repair: bool = False
    force: bool = False
    symmetries: bool = True
    use_colors: bool = True
    across: float | None = None


@dataclass(frozen=True)
class BuiltObject:
    """An object, the file it came from, and what is still worth knowing about it."""

    path: Path
    model: ObjectModel
    findings: tuple[Finding, ...]
    symmetries: Symmetries


def build_objects(
    paths: Sequence[Path], labels: Sequence[str] = (), first_id: int = 1, options: BuildOptions | None = None
) -> list[BuiltObject]:
    """Objects numbered from `first_id` in the order of the files; labels default to the files' names.

    Raises:
        InputError: a file is unusable, its unit is not certain, or labels do not match or repeat.
    """
    if first_id < 1:
        raise InputError("--first-id", f"{first_id}", "BOP numbers objects from 1")
    if labels and len(labels) != len(paths):
        raise InputError("--label", f"{len(labels)} labels for {len(paths)} meshes", "one for each, in their order")
    names = list(labels) or [path.stem for path in paths]
    for name in names:
        if not name or names.count(name) > 1:
            raise InputError("--label", f"'{name}' is empty or given twice", "labels tell objects apart")
    return [_build(path, first_id + index, names[index], options or BuildOptions()) for index, path in enumerate(paths)]


def _build(path: Path, obj_id: int, label: str, options: BuildOptions) -> BuiltObject:
    report = check_file(path, options.unit, symmetries=False, across=options.across)
    if report.mesh is None:
        raise MeshError(path, report.errors[0].found, report.errors[0].advice)
    mesh = _mended(report.mesh, options)
    findings = [finding for finding in report.findings if finding.check in ("unit", "size")]
    findings += mesh_findings(mesh, report.diameter)
    for finding in findings:
        unsure = finding.check == "unit" and finding.severity == "warning" and options.unit is None
        if (finding.severity == "error" or unsure) and not options.force:
            raise MeshError(path, f"{finding.check}: {finding.found}", finding.advice or "--force accepts it")
    found = find_symmetries(mesh, options.use_colors) if options.symmetries else Symmetries()
    model = make_object(obj_id, label, mesh, found.discrete, found.continuous)
    return BuiltObject(path, model, tuple(findings), found)


def _mended(mesh: Mesh, options: BuildOptions) -> Mesh:
    mesh = repaired(mesh) if options.repair else without_unused(mesh)
    if options.center:
        low, size = bounds(mesh)
        mesh = moved(mesh, -(low + size / 2))
    return mesh
