"""`posebot synth`: synthetic datasets in BOP format. The same command resumes an interrupted run."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posebot.cli._common import JsonFlag, console, print_json
from posebot.cli._scene_options import models_folder, parse_distance, scene_camera

if TYPE_CHECKING:
    from posebot.core.camera import Camera
    from posebot.synth import SynthConfig, SynthResult


class RendererKind(StrEnum):
    """Rendering backend."""

    raster = "raster"
    path = "path"
    mix = "mix"


def synth(
    objects: Annotated[Path, typer.Option(help="BOP models folder (see posebot objects build).")],
    frames: Annotated[int, typer.Option(min=1, help="Number of images of the split.")],
    out: Annotated[Path, typer.Option(help="Dataset folder.")],
    split: Annotated[str, typer.Option(help="Split to write: a subfolder of the dataset.")] = "train",
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same images.")] = 0,
    renderer: Annotated[RendererKind, typer.Option(help="raster: fast. path: photorealistic. mix: both.")]
    = RendererKind.raster,
    mix: Annotated[float, typer.Option(min=0, max=1, help="Share of path-traced images with --renderer mix.")] = 0.2,
    backgrounds: Annotated[Path | None, typer.Option(help="Folder of background images, searched recursively.")] = None,
    distractors: Annotated[list[Path] | None, typer.Option(
        help="BOP models folder of unlabelled distractors; may be given more than once.")] = None,
    size: Annotated[str, typer.Option(help="Image size, without --camera.")] = "640x480",
    fov: Annotated[float, typer.Option(min=5, max=150, help="Horizontal field of view, degrees.")] = 58.4,
    camera: Annotated[Path | None, typer.Option(help="Intrinsics with width and height, JSON or YAML.")] = None,
    jitter: Annotated[float, typer.Option(min=0, max=0.8, help="Relative range of the random focal length.")] = 0.1,
    distance: Annotated[str | None, typer.Option(
        help="Nearest and farthest object distance, metres, such as 0.4-1.4. Default: proposed by the objects' size.")]
    = None,
    upright: Annotated[float | None, typer.Option(
        min=0, max=1, help="Share of the objects placed upright (z up, as modelled). Default: random.")] = None,
    standing: Annotated[float | None, typer.Option(min=0, max=1, hidden=True, help="Old name of --upright.")] = None,
    depth_noise: Annotated[bool, typer.Option("--depth-noise", help="Depth with the noise of a RealSense.")] = False,
    per_scene: Annotated[int, typer.Option(min=1, help="Images per scene folder, the unit of resuming.")] = 50,
    png: Annotated[bool, typer.Option("--png", help="Lossless images instead of JPEG at quality 95.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    json: JsonFlag = False,
) -> None:
    """Render a labelled dataset: images, depth, masks, poses, boxes, visibility.

    Scenes show objects dropped on a table, or floating, among distractors of their size, with domain randomisation.
    """
    if standing is not None and upright is None:
        from posebot.core.deprecation import renamed

        renamed("posebot synth", "--standing", "--upright")
        upright = standing
    from posebot.objects.bop_models import describe_object, load_objects
    from posebot.synth import SynthConfig
    from posebot.synth.distance import scene_scale

    models, lens = models_folder(objects), scene_camera(camera, size, fov)
    known = load_objects(models).values()
    for model in known:
        console().print(describe_object(model), soft_wrap=True, markup=False)
    diameters = {model.label: model.diameter for model in known}
    config = SynthConfig(
        objects=models, frames=frames, out=out, split=split, seed=seed, renderer=renderer.value, mix=mix,
        backgrounds=backgrounds, distractors=tuple(distractors or ()), camera=lens, jitter=jitter,
        distance=_distance_range(distance, diameters, lens), scale=scene_scale(diameters),
        upright=upright, per_scene=per_scene, depth_noise=depth_noise,
        jpg_quality=None if png else 95, workers=workers)
    result = _generate_with_progress(config)
    if not json:
        typer.echo(f"{result.frames} frames in {result.seconds:.0f} s ({result.rate:.1f} per second), "
                   f"{result.skipped} already present; seed {seed}; {out / split}" if result.frames else
                   f"all {result.skipped} frames are already present; {out / split}")
    summary = _summarize(out, split, json)
    if json:
        print_json(result.to_dict() | summary)


def _generate_with_progress(config: SynthConfig) -> SynthResult:
    """Generate with a progress bar on stderr."""
    from rich import progress

    from posebot.synth import generate

    columns = (progress.TextColumn("{task.description}"), progress.BarColumn(), progress.MofNCompleteColumn(),
               progress.TextColumn("{task.fields[rate]}"), progress.TimeElapsedColumn(), progress.TimeRemainingColumn())
    with progress.Progress(*columns, console=console()) as bar:
        task = bar.add_task(f"synth {config.split}", total=config.frames, rate="")

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)
            speed = bar.tasks[0].speed
            bar.update(task, rate="" if speed is None else f"{speed:.1f}/s")

        return generate(config, show)


def _distance_range(text: str | None, diameters: Mapping[str, float], camera: Camera) -> tuple[float, float]:
    """The range that was given, or one that suits the objects; said on stderr, with what is too small for it."""
    from posebot.synth.distance import MIN_PIXELS, object_pixels, propose_distance

    if text is not None:
        near, far = parse_distance(text)
    else:
        proposed = propose_distance(diameters, camera)
        near, far = proposed.near, proposed.far
        sizes = ", ".join(f"{name} ({1000 * size:.0f} mm) {object_pixels(camera, size, far):.0f} to "
                          f"{object_pixels(camera, size, near):.0f} pixels" for name, size in diameters.items())
        _say(f"distance {near:g}-{far:g} m: {sizes}; --distance changes it")
        if proposed.large:
            _say(f"warning: {', '.join(proposed.large)}: larger than the image at {near:g} m; render it by itself")
    small = [name for name, size in diameters.items() if far > 0 and object_pixels(camera, size, far) < MIN_PIXELS]
    if small:
        _say(f"warning: {', '.join(small)}: under {MIN_PIXELS} pixels at {far:g} m, hardly to be found there: go "
             "nearer, use a longer lens or a larger image, or render it by itself")
    return near, far


def _summarize(out: Path, split: str, quiet: bool) -> dict[str, Any]:
    """Say what the images show of each object, and write a contact sheet."""
    from posebot.datasets.bop import BopDataset
    from posebot.datasets.summary import CONTACT_SHEET, summarize_objects, write_contact_sheet
    from posebot.synth.distance import MIN_PIXELS

    data = BopDataset(out, split)
    summaries = summarize_objects(data)
    sheet = write_contact_sheet(data, out / split / CONTACT_SHEET)
    if not quiet:
        for entry in summaries:
            typer.echo(f"{entry.label}: {entry.instances} instances, median {entry.pixels:.0f} pixels; half in sight "
                       f"{entry.half:.0%}, a tenth {entry.tenth:.0%}; {entry.crops} usable crops")
            if entry.pixels < MIN_PIXELS:
                _say(f"warning: {entry.label} is {entry.pixels:.0f} pixels long in the median: too small; --distance")
            if entry.half < 0.5:
                _say(f"warning: {entry.label} is hidden or outside the image by more than half in "
                     f"{1 - entry.half:.0%} of the cases: render more images, or from farther away")
        typer.echo(f"look at them: {sheet}")
    return {"objects": [entry.to_dict() for entry in summaries], "contact_sheet": str(sheet)}


def _say(text: str) -> None:
    console().print(text, soft_wrap=True)
