"""`posebot objects`: check meshes, build BOP models from them, write the kit's parts.

Exit codes: 0 the meshes are usable (there may be warnings), 2 one of them is not.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posebot.cli._common import JsonFlag, print_json

if TYPE_CHECKING:
    from rich.text import Text

    from posebot.core.objects import Mesh
    from posebot.objects.check import Report
    from posebot.objects.findings import Finding
    from posebot.objects.symmetry import Symmetries

STYLES = {"error": "bold red", "warning": "yellow", "info": "dim"}
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Check meshes, build BOP models from them, write the kit's parts.",
    epilog="Exit codes: 0 the meshes are usable, with or without warnings; 2 one of them is not.",
)


class Unit(StrEnum):
    """Units that mesh files come in."""

    mm = "mm"
    cm = "cm"
    m = "m"


MeshesArgument = Annotated[list[Path], typer.Argument(metavar="MESH...", help="STL, OBJ, PLY, GLB, GLTF or OFF.")]
UnitOption = Annotated[Unit | None, typer.Option("--unit", help="Unit of the files; guessed from the size otherwise.")]
AcrossOption = Annotated[float | None, typer.Option("--across", metavar="MM", min=0.001, help=(
    "Largest distance between two points of the part, measured: the scale of a photographed mesh."))]
GeometricFlag = Annotated[bool, typer.Option("--geometric", help="Symmetries of the shape alone, whatever is printed.")]


@app.command()
def check(
    meshes: MeshesArgument,
    unit: UnitOption = None,
    across: AcrossOption = None,
    geometric: GeometricFlag = False,
    symmetries: Annotated[bool, typer.Option("--symmetries/--no-symmetries", help="Look for symmetries.")] = True,
    json: JsonFlag = False,
) -> None:
    """Find what is wrong with meshes: unit, origin, holes, orientation, duplicates, size. Proposes symmetries."""
    from posebot.objects.check import check_file

    reports, metres = [], _metres(across, meshes)
    for path in meshes:
        reports.append(check_file(path, unit, symmetries, not geometric, metres))
        if not json:
            _print_report(reports[-1])
    if json:
        print_json([report.to_dict() for report in reports])
    _refuse(reports)


@app.command()
def build(
    meshes: MeshesArgument,
    out: Annotated[Path, typer.Option("--out", help="BOP models folder to write.")],
    unit: UnitOption = None,
    across: AcrossOption = None,
    center: Annotated[bool, typer.Option("--center", help="Move the origin to the bounding box' middle.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Join vertices, drop flawed faces, turn it out.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Accept errors that the check finds.")] = False,
    geometric: GeometricFlag = False,
    symmetries: Annotated[bool, typer.Option("--symmetries/--no-symmetries", help="Look for symmetries.")] = True,
    label: Annotated[list[str] | None, typer.Option("--label", help="Name, once for each; else files' names.")] = None,
    first_id: Annotated[int, typer.Option("--first-id", help="Number of the first object.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace models that are in the folder.")] = False,
    json: JsonFlag = False,
) -> None:
    """Write a BOP models folder (millimetres): meshes, models_info.json with symmetries, names.json."""
    from posebot.core.errors import OutputError
    from posebot.objects.bop_models import INFO_FILE, save_objects
    from posebot.objects.build import BuildOptions, build_objects

    if (out / INFO_FILE).exists() and not overwrite:
        raise OutputError(out / INFO_FILE, "is there already", "another --out, or --overwrite")
    options = BuildOptions(unit, center, repair, force, symmetries, not geometric, _metres(across, meshes))
    built = build_objects(meshes, label or (), first_id, options)
    save_objects(out, {entry.model.obj_id: entry.model for entry in built})
    if json:
        print_json({"models": str(out), "objects": [{
            "obj_id": entry.model.obj_id, "label": entry.model.label, "mesh": str(entry.path),
            "diameter_mm": entry.model.diameter * 1000, "symmetries": entry.symmetries.describe()} for entry in built]})
        return
    for entry in built:
        title = f"{entry.model.obj_id}  {entry.model.label}"
        _print_mesh(title, entry.model.mesh, entry.model.diameter, entry.symmetries, entry.findings)
    typer.echo(f"wrote {len(built)} objects to {out}")


@app.command()
def kit(out: Annotated[Path, typer.Option("--out", help="Folder for models/, stl/ and glb/.")]) -> None:
    """Write the kit's eight parts: STL (mm) to print, GLB (m) with colours, and the BOP models folder."""
    from posebot.objects.kit import write_kit

    typer.echo(f"wrote the kit's models to {write_kit(out)}, and stl/ and glb/ beside them")


def _metres(across: float | None, meshes: list[Path]) -> float | None:
    from posebot.core.errors import InputError

    if across is not None and len(meshes) > 1:
        raise InputError("--across", f"for {len(meshes)} meshes", "one mesh at a time, as each has its own size")
    return None if across is None else across / 1000


def _refuse(reports: list[Report]) -> None:
    """Raise for the first unusable mesh; the error's one line is what a caller sees on stderr."""
    from posebot.core.errors import MeshError

    unusable = [report for report in reports if not report.usable]
    if unusable:
        first, more = unusable[0], f" ({len(unusable)} files are unusable)" if len(unusable) > 1 else ""
        finding = first.errors[0]
        raise MeshError(first.path, f"{finding.check}: {finding.found}", f"{finding.advice}{more}")


def _print_report(report: Report) -> None:
    if report.mesh is None:
        _print_lines([_heading(str(report.path), ""), *(_line(finding) for finding in report.findings)])
    else:
        _print_mesh(str(report.path), report.mesh, report.diameter, report.symmetries, report.findings)


def _print_mesh(
    title: str, mesh: Mesh, diameter: float, symmetries: Symmetries | None, findings: tuple[Finding, ...]
) -> None:
    from posebot.objects.findings import Finding, color_kind
    from posebot.objects.geometry import bounds

    size = " x ".join(f"{value:.1f}" for value in bounds(mesh)[1] * 1000)
    facts = f"{size} mm, {diameter * 1000:.1f} mm across, {len(mesh.faces)} faces, {color_kind(mesh)}"
    lines = [_heading(title, facts), *(_line(finding) for finding in findings)]
    if symmetries is not None:
        lines.append(_line(Finding("info", "symmetry", symmetries.describe())))
        lines += [_line(Finding("info", "symmetry", remark)) for remark in symmetries.remarks]
    _print_lines(lines)


def _heading(title: str, facts: str) -> Text:
    from rich.text import Text

    return Text.assemble((title, "bold"), "  ", facts)


def _line(finding: Finding) -> Text:
    from rich.text import Text

    severity = (f"  {finding.severity:8}", STYLES[finding.severity])
    text = Text.assemble(severity, f"{finding.check:11}{finding.found}")
    return text.append(f"; {finding.advice}", "dim") if finding.advice else text


def _print_lines(lines: list[Text]) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(line)
