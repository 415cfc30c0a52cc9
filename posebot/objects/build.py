"""Object models from mesh files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from posebot.core.errors import InputError, MeshError
from posebot.core.objects import Mesh, MeshSource, ObjectModel
from posebot.objects.bop_models import make_object
from posebot.objects.cad_files import split_body
from posebot.objects.declared_symmetry import Declared, of_part, with_declared
from posebot.objects.diagnostics import Diagnostic, geometry_diagnostics
from posebot.objects.mesh_linter import MeshReport, check_meshes
from posebot.objects.symmetry import Symmetries, find_symmetries
from posebot.objects.topology import remove_unreferenced_vertices, repair_mesh


@dataclass(frozen=True)
class BuildOptions:
    """How meshes are converted to object models.

    Attributes:
        unit: mm, cm or m of the files; None assumes one for all, and asks where that is doubtful.
        repair: remove degenerate and duplicate faces, merge duplicate vertices, orient faces outwards.
        force: accept meshes with errors. symmetries: search for symmetries. symmetric: declared ones.
        use_colors: a symmetry must map the texture onto itself as well.
        true_diameter: measured diameter in metres that sets the scale, instead of `unit`.
    """

    unit: str | None = None
    repair: bool = False
    force: bool = False
    symmetries: bool = True
    symmetric: tuple[Declared, ...] = ()
    use_colors: bool = True
    true_diameter: float | None = None


@dataclass(frozen=True)
class BuiltObject:
    """An object model, the file it was built from, and the remaining diagnostics of the linter."""

    path: Path
    model: ObjectModel
    diagnostics: tuple[Diagnostic, ...]
    symmetries: Symmetries


def build_objects(
    paths: Sequence[Path], labels: Sequence[str] = (), first_id: int = 1, options: BuildOptions | None = None
) -> list[BuiltObject]:
    """Build object models, numbered from `first_id` in the order of the files; labels default to the file stems.

    Raises:
        InputError: a file is unusable, its unit is ambiguous, or labels are missing, empty or duplicate.
    """
    if first_id < 1:
        raise InputError("--first-id", f"{first_id}", "BOP object IDs start at 1")
    if labels and len(labels) != len(paths):
        raise InputError("--label", f"{len(labels)} labels for {len(paths)} meshes", "one per mesh, in the same order")
    names = list(labels) or [body or path.stem for path, body in map(split_body, paths)]
    for name in names:
        if not name or names.count(name) > 1:
            raise InputError("--label", f"'{name}' is empty or duplicate", "labels must be unique")
    options = options or BuildOptions()
    reports = check_meshes(paths, options.unit, symmetries=False, true_diameter=options.true_diameter)
    declared = [of_part(options.symmetric, name, names) for name in names]
    return [_build(report, first_id + index, names[index], options, declared[index])
            for index, report in enumerate(reports)]


def _build(report: MeshReport, obj_id: int, label: str, options: BuildOptions,
           declared: Sequence[Declared]) -> BuiltObject:
    path = report.path
    if report.mesh is None:
        diagnostic = report.errors[0]
        raise MeshError(path, f"{diagnostic.check}: {diagnostic.message}", diagnostic.hint)
    mesh = _clean_mesh(report.mesh, options)
    diagnostics = [diagnostic for diagnostic in report.diagnostics if diagnostic.check in ("unit", "size")]
    diagnostics += geometry_diagnostics(mesh, report.diameter)
    for diagnostic in diagnostics:
        if diagnostic.severity == "error" and not options.force:
            raise MeshError(path, f"{diagnostic.check}: {diagnostic.message}", diagnostic.hint or "--force accepts it")
    found = find_symmetries(mesh, options.use_colors) if options.symmetries else Symmetries()
    symmetries, warnings = with_declared(mesh, found, declared)
    diagnostics += warnings
    answer = "declared" if declared else "detected" if options.symmetries else "none"
    source = MeshSource(path.name, report.unit, report.origin, answer)
    model = make_object(obj_id, label, mesh, symmetries.discrete, symmetries.continuous, source)
    return BuiltObject(path, model, tuple(diagnostics), symmetries)


def _clean_mesh(mesh: Mesh, options: BuildOptions) -> Mesh:
    return repair_mesh(mesh) if options.repair else remove_unreferenced_vertices(mesh)
