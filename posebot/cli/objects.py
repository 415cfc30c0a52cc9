"""`posebot objects`: mesh linter, BOP models from meshes, the kit.

Exit codes: 0 all meshes are usable (possibly with warnings), 2 a mesh is not usable.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posebot.cli._common import JsonFlag, output, print_json

if TYPE_CHECKING:
    from rich.text import Text

    from posebot.core.objects import Mesh
    from posebot.objects.diagnostics import Diagnostic
    from posebot.objects.mesh_linter import MeshReport
    from posebot.objects.near_symmetry import WorkingView
    from posebot.objects.symmetry import Symmetries

STYLES = {"error": "bold red", "warning": "yellow", "question": "bold cyan", "info": "dim"}
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Lint meshes, build BOP models from them, write the kit.",
    epilog="Exit codes: 0 all meshes are usable, possibly with warnings; 2 a mesh is not usable.",
)


class Unit(StrEnum):
    """Length unit of a mesh file."""

    mm = "mm"
    cm = "cm"
    m = "m"
    inch = "in"


MeshesArgument = Annotated[list[Path], typer.Argument(metavar="MESH...", help=(
    "STL, OBJ, PLY, GLB, GLTF, OFF, 3MF or STEP; part.step#NAME is one body of several."))]
UnitOption = Annotated[Unit | None, typer.Option("--unit", help=(
    "Unit of STL, OBJ, PLY and OFF files, which say none. Default: mm where that gives 5 mm to 2 m."))]
DiameterOption = Annotated[float | None, typer.Option("--diameter", metavar="MM", min=0.001, help=(
    "Measured diameter (largest distance between two points); sets the scale of a photogrammetry mesh."))]
AcrossOption = Annotated[float | None, typer.Option("--across", min=0.001, hidden=True, help="Old name of --diameter.")]
NoSymmetricFlag = Annotated[bool, typer.Option("--no-symmetric", help="No symmetries but declared ones.")]
SymmetriesFlag = Annotated[bool, typer.Option("--symmetries/--no-symmetries", hidden=True, help="Old name.")]
CameraOption = Annotated[Path | None, typer.Option("--camera", help="Intrinsics, JSON or YAML. Default: fx 615.")]
DistanceOption = Annotated[float | None, typer.Option("--distance", metavar="M", min=0.01, help=(
    "Working distance, metres. Default: where the part is 100 pixels wide."))]
GeometricFlag = Annotated[bool, typer.Option("--geometric", help="Symmetries of the shape only, ignoring texture.")]


@app.command()
def check(
    meshes: MeshesArgument,
    unit: UnitOption = None,
    diameter: DiameterOption = None,
    across: AcrossOption = None,
    geometric: GeometricFlag = False,
    no_symmetric: NoSymmetricFlag = False,
    symmetries: SymmetriesFlag = True,
    camera: CameraOption = None,
    distance: DistanceOption = None,
    json: JsonFlag = False,
) -> None:
    """Lint meshes: unit, size, origin, holes, normals, duplicates. Detects symmetries."""
    from posebot.objects.mesh_linter import check_meshes

    reports: list[MeshReport] = []
    detect, view = not _no_symmetric(no_symmetric, symmetries), _working_view(camera, distance)
    for report in check_meshes(meshes, unit, detect, not geometric, _diameter_metres(diameter, across, meshes)):
        reports.append(report)
        if not json:
            _print_report(report, view, f"{report.path.stem}=" if len(meshes) > 1 else "")
    if json:
        print_json([report.to_dict() for report in reports])
    _refuse(reports)


@app.command()
def build(
    meshes: MeshesArgument,
    out: Annotated[Path, typer.Option("--out", help="BOP models folder to write.")],
    unit: UnitOption = None,
    diameter: DiameterOption = None,
    across: AcrossOption = None,
    center: Annotated[bool, typer.Option("--center", hidden=True, help="Ignored.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Merge duplicates, fix face normals.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Accept meshes with errors.")] = False,
    geometric: GeometricFlag = False,
    symmetric: Annotated[list[str] | None, typer.Option("--symmetric", metavar="[LABEL=]AXIS[/N]", help=(
        "Declare a symmetry: x, y, z or 0,1,-1: any turn; x/6: sixth-turn. Repeatable."))] = None,
    no_symmetric: NoSymmetricFlag = False,
    symmetries: SymmetriesFlag = True,
    camera: CameraOption = None,
    distance: DistanceOption = None,
    label: Annotated[list[str] | None, typer.Option("--label", help="One per mesh. Default: file names.")] = None,
    first_id: Annotated[int, typer.Option("--first-id", help="Object ID of the first mesh.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing models.")] = False,
    json: JsonFlag = False,
) -> None:
    """Write a BOP models folder (millimetres): meshes, models_info.json with symmetries, names.json."""
    from dataclasses import asdict

    from posebot.core.deprecation import ignored
    from posebot.core.errors import OutputError
    from posebot.objects.bop_models import INFO_FILE, save_objects
    from posebot.objects.build import BuildOptions, build_objects
    from posebot.objects.declared_symmetry import parse_symmetric

    if (out / INFO_FILE).exists() and not overwrite:
        raise OutputError(out / INFO_FILE, "already exists", "another --out, or --overwrite")
    if center:
        ignored("posebot objects build", "--center", "the origin stays where the mesh file has it")
    declared = tuple(parse_symmetric(text) for text in symmetric or ())
    options = BuildOptions(unit, repair, force, not _no_symmetric(no_symmetric, symmetries), declared,
                           not geometric, _diameter_metres(diameter, across, meshes))
    view = _working_view(camera, distance)
    built = build_objects(meshes, label or (), first_id, options)
    save_objects(out, {entry.model.obj_id: entry.model for entry in built})
    if json:
        print_json({"models": str(out), "objects": [{
            "obj_id": entry.model.obj_id, "label": entry.model.label, "mesh": str(entry.path),
            "source": None if entry.model.source is None else asdict(entry.model.source),
            "diameter_mm": entry.model.diameter * 1000, "size_mm": (entry.model.extents * 1000).tolist(),
            "symmetries": entry.symmetries.describe(),
            "questions": [near.to_dict() for near in entry.symmetries.near]} for entry in built]})
        return
    for entry in built:
        title = f"{entry.model.obj_id}  {entry.model.label}"
        prefix = f"{entry.model.label}=" if len(built) > 1 else ""
        _print_mesh(title, entry.model.mesh, entry.model.diameter, entry.symmetries, entry.diagnostics, view, prefix)
    typer.echo(f"wrote {len(built)} objects to {out}")


@app.command()
def kit(out: Annotated[Path, typer.Option("--out", help="Folder for models/, stl/ and glb/.")]) -> None:
    """Write the kit (eight objects): STL (mm) for 3-D printing, GLB (m) with colours, BOP models folder."""
    from posebot.objects.kit import write_kit

    typer.echo(f"wrote the kit's models to {write_kit(out)}, and stl/ and glb/ beside them")


def _diameter_metres(diameter: float | None, across: float | None, meshes: list[Path]) -> float | None:
    """--diameter in metres; accepts the deprecated --across."""
    from posebot.core.deprecation import renamed
    from posebot.core.errors import InputError

    if across is not None and diameter is None:
        renamed("posebot objects", "--across", "--diameter")
        diameter = across
    if diameter is not None and len(meshes) > 1:
        raise InputError("--diameter", f"given for {len(meshes)} meshes", "one mesh at a time")
    return None if diameter is None else diameter / 1000


def _refuse(reports: list[MeshReport]) -> None:
    """Raise MeshError for the first unusable mesh."""
    from posebot.core.errors import MeshError

    unusable = [report for report in reports if not report.usable]
    if unusable:
        first, more = unusable[0], f" ({len(unusable)} files are not usable)" if len(unusable) > 1 else ""
        diagnostic = first.errors[0]
        raise MeshError(first.path, f"{diagnostic.check}: {diagnostic.message}", f"{diagnostic.hint}{more}")


def _no_symmetric(no_symmetric: bool, symmetries: bool) -> bool:
    """--no-symmetric; accepts the deprecated --no-symmetries."""
    from posebot.core.deprecation import renamed

    if not symmetries:
        renamed("posebot objects", "--no-symmetries", "--no-symmetric")
    return no_symmetric or not symmetries


def _working_view(camera: Path | None, distance: float | None) -> WorkingView:
    from posebot.objects.near_symmetry import WorkingView
    from posebot.video.intrinsics import load_intrinsics

    if camera is None:
        return WorkingView(distance=distance)
    return WorkingView(float(load_intrinsics(camera).camera.undistorted().K[0, 0]), distance)


def _print_report(report: MeshReport, view: WorkingView, prefix: str) -> None:
    if report.mesh is None:
        _print_lines([_heading(str(report.path), ""), *(_line(diagnostic) for diagnostic in report.diagnostics)])
    else:
        _print_mesh(str(report.path), report.mesh, report.diameter, report.symmetries, report.diagnostics, view, prefix)


def _print_mesh(
    title: str, mesh: Mesh, diameter: float, symmetries: Symmetries | None, diagnostics: tuple[Diagnostic, ...],
    view: WorkingView, prefix: str = "",
) -> None:
    from posebot.objects.diagnostics import Diagnostic, color_kind
    from posebot.objects.geometry import bounds
    from posebot.objects.near_symmetry import questions

    size = " x ".join(f"{value:.1f}" for value in bounds(mesh)[1] * 1000)
    facts = f"{size} mm, diameter {diameter * 1000:.1f} mm, {len(mesh.faces)} faces, {color_kind(mesh)}"
    lines = [_heading(title, facts), *(_line(diagnostic) for diagnostic in diagnostics)]
    if symmetries is not None:
        lines.append(_line(Diagnostic("info", "symmetry", symmetries.describe())))
        lines += [_line(Diagnostic("question", "symmetry", text))
                  for text in questions(symmetries.near, diameter, view, symmetries.describe(), prefix)]
        lines += [_line(Diagnostic("info", "symmetry", text)) for text in symmetries.near_symmetries]
    _print_lines(lines)


def _heading(title: str, facts: str) -> Text:
    from rich.text import Text

    return Text.assemble((title, "bold"), "  ", facts)


def _line(diagnostic: Diagnostic) -> Text:
    from rich.text import Text

    severity = (f"  {diagnostic.severity:7} ", STYLES[diagnostic.severity])
    text = Text.assemble(severity, f"{diagnostic.check:11}{diagnostic.message}")
    return text.append(f"; {diagnostic.hint}", "dim") if diagnostic.hint else text


def _print_lines(lines: list[Text]) -> None:
    console = output()
    for line in lines:
        console.print(line)
