"""`posebot plan`: pixels, frames, time, disk and accuracy to expect, and the commands to paste."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from posebot.cli._common import JsonFlag, output, print_json
from posebot.cli._scene_options import models_folder, parse_distance, scene_camera

if TYPE_CHECKING:
    from posebot.core.camera import Camera
    from posebot.training.plan import Accuracy, Plan, View


def plan(
    objects: Annotated[Path, typer.Option(help="BOP models folder (see posebot objects build).")],
    camera: Annotated[Path | None, typer.Option(help="Intrinsics with width and height, JSON or YAML.")] = None,
    size: Annotated[str, typer.Option(help="Image size, without --camera.")] = "640x480",
    fov: Annotated[float, typer.Option(min=5, max=150, help="Horizontal field of view, degrees.")] = 58.4,
    distance: Annotated[str | None, typer.Option(
        help="Nearest and farthest object distance, metres. Default: proposed by the objects' size.")] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="Time for training.")] = 30.0,
    frames: Annotated[int | None, typer.Option(min=1, help="Images to train on. Default: by --minutes.")] = None,
    json: JsonFlag = False,
) -> None:
    """Say what to expect of objects and camera before anything is rendered: pixels, frames, time, disk, accuracy.

    Ends with the commands to paste: images, training, evaluation.
    """
    from posebot.core.machine import cores
    from posebot.objects.bop_models import load_objects
    from posebot.training.plan import make_plan

    models, lens = models_folder(objects), scene_camera(camera, size, fov)
    diameters = {model.label: model.diameter for model in load_objects(models).values()}
    found = make_plan(diameters, lens, distance=None if distance is None else parse_distance(distance),
                      minutes=minutes, frames=frames, cores=cores())
    view = ["--camera", str(camera)] if camera is not None else [*(["--size", size] if size != "640x480" else []),
                                                                *(["--fov", f"{fov:g}"] if fov != 58.4 else [])]
    lines = commands(found, models, view)
    if json:
        return print_json(asdict(found) | {"seconds": found.seconds, "commands": lines})
    return _print(found, lens, lines)


def commands(plan: Plan, models: Path, view: list[str]) -> list[str]:
    """From the models folder to the report, a command each. view: options of the camera."""
    data = models.parent if models.name == "models" and models.parent.name else Path("data") / "parts"
    dataset, bundle = quote(str(data)), quote(str(Path("bundles") / data.name))
    near, far = plan.distance
    workers = [] if plan.cores == 2 else ["--workers", str(max(1, plan.cores))]
    common = ["posebot synth", "--objects", quote(str(models)), "--out", dataset, *map(quote, view),
              "--distance", f"{near:g}-{far:g}", *workers]
    held = ["--per-scene 25", "--depth-noise"]
    return [" ".join(words) for words in (
        [*common, f"--split train --frames {plan.train} --seed 1"],
        [*common, f"--split val --frames {plan.val} --seed 2", *held],
        [*common, f"--split test --frames {plan.test} --seed 3", *held],
        [f"posebot train --dataset {dataset} --minutes {plan.minutes:g} --out {bundle}"],
        [f"posebot evaluate --dataset {dataset} --split test --bundle {bundle}"],
        [f"posebot evaluate --dataset {dataset} --split test --bundle {bundle} --no-depth"])]


def _print(plan: Plan, camera: Camera, lines: list[str]) -> None:
    from rich.table import Table

    screen, (near, far) = output(), plan.distance
    why = "proposed by the sizes; --distance changes it" if plan.proposed else "given"
    screen.print(f"camera {camera.width}x{camera.height}, f {camera.K[0, 0]:.0f} pixels; distance {near:g}-{far:g} m "
                 f"({why})\n", markup=False)
    table = Table("object", "at", "picture", "detector", "localizer", "with depth", "colour alone", box=None,
                  pad_edge=False)
    for entry in plan.objects:
        table.add_row(f"{entry.label}, {1000 * entry.diameter:.0f} mm", *_row(entry.near))
        table.add_row("", *_row(entry.far))
    screen.print(table)
    for warning in plan.warnings:
        screen.print(f"warning: {warning}", style="yellow", markup=False)
    for line in ("", *_figures(plan), ""):
        screen.print(line, markup=False)
    for line in lines:
        typer.echo(line)


def _figures(plan: Plan) -> list[str]:
    from posebot.training.judge import ENOUGH
    from posebot.training.plan import PIXEL_ERROR

    gigabytes = [size / 1e9 for size in (plan.data_bytes + plan.run_bytes, plan.data_bytes, plan.run_bytes)]
    return [
        "size      pixels of the diameter in the picture and at the detector's input; by how much the localizer's crop "
        "enlarges it",
        f"accuracy  what sensor and picture allow: a length in the picture known to {PIXEL_ERROR:g} pixels, the noise "
        "of a RealSense; a short training does not reach it",
        f"frames    {plan.train} to train, {plan.val} to fit the certainty (val), {plan.test} to judge (test)",
        f"training  detector {plan.pictures:,} pictures, localizer {plan.crops:,} crops; {ENOUGH['localizer'][0]:,} "
        "suffice with depth, colour alone takes a million and more",
        f"time      {_duration(plan.seconds)} on {plan.cores} cores: images {_duration(plan.render_s)}, training "
        f"{_duration(60 * plan.minutes)}, certainty {_duration(plan.calibrate_s)} (by rates of a common core, not "
        "measured here)",
        f"disk      {gigabytes[0]:.1f} GB: images {gigabytes[1]:.1f} GB, runs {gigabytes[2]:.1f} GB (posebot clean "
        "removes what is in runs)",
    ]


def _row(view: View) -> list[str]:
    return [f"{view.distance:g} m", f"{view.pixels:.0f}", f"{view.detector:.0f}", f"x {view.zoom:.1f}",
            _accuracy(view.depth), _accuracy(view.color)]


def _accuracy(found: Accuracy | None) -> str:
    return "out of range" if found is None else f"{found.mm:.1f} mm {found.deg:.1f}°"


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 5400 else f"{seconds / 60:.0f} min"
