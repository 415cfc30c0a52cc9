"""`posebot synth`: labelled pictures of objects, in BOP format. The same command again continues what was cut off."""

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
    """Who takes the pictures."""

    raster = "raster"
    path = "path"
    mix = "mix"


def synth(
    objects: Annotated[Path, typer.Option(help="BOP models folder (posebot objects build makes one).")],
    frames: Annotated[int, typer.Option(min=1, help="How many pictures the split is to have.")],
    out: Annotated[Path, typer.Option(help="Folder of the data set.")],
    split: Annotated[str, typer.Option(help="Split to write: a folder in the data set.")] = "train",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same pictures.")] = 0,
    renderer: Annotated[RendererKind, typer.Option(help="raster: quick. path: photographic. mix: both.")]
    = RendererKind.raster,
    mix: Annotated[float, typer.Option(min=0, max=1, help="Share of path-traced pictures with --renderer mix.")] = 0.2,
    backgrounds: Annotated[Path | None, typer.Option(help="Folder of photographs, also in folders below.")] = None,
    distractors: Annotated[list[Path] | None, typer.Option(
        help="BOP models folder of things not to be found; may be given more than once.")] = None,
    size: Annotated[str, typer.Option(help="Picture size where no --camera is given.")] = "640x480",
    fov: Annotated[float, typer.Option(min=5, max=150, help="Horizontal, degrees, without --camera.")] = 58.4,
    camera: Annotated[Path | None, typer.Option(help="Intrinsics with width and height, JSON or YAML.")] = None,
    jitter: Annotated[float, typer.Option(min=0, max=0.8, help="Spread of the focal length, by picture.")] = 0.1,
    distance: Annotated[str, typer.Option(help="Nearest and farthest object, metres.")] = "0.4-1.4",
    standing: Annotated[float | None, typer.Option(
        min=0, max=1, help="Share of the objects that stand as modelled, z upwards. Default: by chance.")] = None,
    depth_noise: Annotated[bool, typer.Option("--depth-noise", help="Depth as a RealSense sees it.")] = False,
    per_scene: Annotated[int, typer.Option(min=1, help="Pictures in a scene folder, the unit of resuming.")] = 50,
    png: Annotated[bool, typer.Option("--png", help="Lossless pictures instead of JPEG at quality 95.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    json: JsonFlag = False,
) -> None:
    """Render labelled pictures of objects: picture, depth, masks, poses, boxes, visibility.

    Half of them show things that fell on a table, half things in the air, among distractors, in random light.
    """
    from posebot.synth import SynthConfig

    config = SynthConfig(
        objects=_models(objects), frames=frames, out=out, split=split, seed=seed, renderer=renderer.value, mix=mix,
        backgrounds=backgrounds, distractors=tuple(distractors or ()), camera=_camera(camera, size, fov), jitter=jitter,
        distance=_span(distance), standing=standing, per_scene=per_scene, depth_noise=depth_noise,
        jpg_quality=None if png else 95, workers=workers)
    result = _with_bar(config)
    if json:
        print_json(result.to_dict())
    elif result.frames:
        typer.echo(f"{result.frames} frames in {result.seconds:.0f} s ({result.rate:.1f} a second), "
                   f"{result.skipped} were there; seed {seed}; {out / split}")
    else:
        typer.echo(f"all {result.skipped} frames were there already; {out / split}")


def _with_bar(config: SynthConfig) -> SynthResult:
    """Run, with a progress bar on stderr."""
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
    """The models folder: `objects` itself, or `objects/models` of a bundle or data set."""
    inner = objects / "models"
    return inner if not (objects / "models_info.json").is_file() and inner.is_dir() else objects


def _camera(path: Path | None, size: str, fov: float) -> Camera:
    import numpy as np

    from posebot.core.camera import Camera
    from posebot.core.errors import InputError

    if path is not None:
        from posebot.video.intrinsics import load_intrinsics

        return load_intrinsics(path).camera.undistorted()
    width, height = _pair(size, "x", "--size", "like 640x480")
    if not (16 <= width <= 8192 and 16 <= height <= 8192):
        raise InputError("--size", f"{size} cannot be used", "16x16 to 8192x8192 pixels")
    focal = width / 2 / np.tan(np.deg2rad(fov) / 2)
    K = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    return Camera(K, round(width), round(height))


def _span(text: str) -> tuple[float, float]:
    return _pair(text, "-", "--distance", "nearest-farthest in metres, like 0.4-1.4")


def _pair(text: str, between: str, flag: str, expected: str) -> tuple[float, float]:
    from posebot.core.errors import InputError

    try:
        first, second = (float(part) for part in text.lower().split(between))
    except ValueError:
        raise InputError(flag, f"{text!r} is not understood", expected) from None
    return first, second
