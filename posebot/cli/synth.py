"""`posebot synth`: synthetic datasets in BOP format. The same command resumes an interrupted run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posebot.cli._common import JsonFlag, console, print_json

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
    distance: Annotated[str, typer.Option(help="Nearest and farthest object distance, metres.")] = "0.4-1.4",
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

    Scenes show objects dropped on a table, or floating, among distractors, with domain randomisation.
    """
    if standing is not None and upright is None:
        from posebot.core.deprecation import renamed

        renamed("posebot synth", "--standing", "--upright")
        upright = standing
    from posebot.synth import SynthConfig

    config = SynthConfig(
        objects=_models(objects), frames=frames, out=out, split=split, seed=seed, renderer=renderer.value, mix=mix,
        backgrounds=backgrounds, distractors=tuple(distractors or ()), camera=_camera(camera, size, fov), jitter=jitter,
        distance=_distance_range(distance), upright=upright, per_scene=per_scene, depth_noise=depth_noise,
        jpg_quality=None if png else 95, workers=workers)
    result = _generate_with_progress(config)
    if json:
        print_json(result.to_dict())
    elif result.frames:
        typer.echo(f"{result.frames} frames in {result.seconds:.0f} s ({result.rate:.1f} per second), "
                   f"{result.skipped} already present; seed {seed}; {out / split}")
    else:
        typer.echo(f"all {result.skipped} frames are already present; {out / split}")


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


def _models(objects: Path) -> Path:
    """The models folder: `objects` itself, or `objects/models` of a bundle or dataset."""
    inner = objects / "models"
    return inner if not (objects / "models_info.json").is_file() and inner.is_dir() else objects


def _camera(path: Path | None, size: str, fov: float) -> Camera:
    import numpy as np

    from posebot.core.camera import Camera
    from posebot.core.errors import InputError

    if path is not None:
        from posebot.video.intrinsics import load_intrinsics

        return load_intrinsics(path).camera.undistorted()
    width, height = _parse_pair(size, "x", "--size", "WIDTHxHEIGHT such as 640x480")
    if not (16 <= width <= 8192 and 16 <= height <= 8192):
        raise InputError("--size", f"{size} is not valid", "16x16 to 8192x8192 pixels")
    focal = width / 2 / np.tan(np.deg2rad(fov) / 2)
    K = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    return Camera(K, round(width), round(height))


def _distance_range(text: str) -> tuple[float, float]:
    return _parse_pair(text, "-", "--distance", "NEAREST-FARTHEST in metres, such as 0.4-1.4")


def _parse_pair(text: str, separator: str, flag: str, expected: str) -> tuple[float, float]:
    from posebot.core.errors import InputError

    try:
        first, second = (float(part) for part in text.lower().split(separator))
    except ValueError:
        raise InputError(flag, f"{text!r} is not valid", expected) from None
    return first, second
