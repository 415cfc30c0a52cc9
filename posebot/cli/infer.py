"""`posebot infer`: poses for an image, a folder, a BOP split, a video or a camera."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posebot.cli._common import BundleOption, DepthFlag, JsonFlag, PoseSettingsOption, console, print_json
from posebot.cli._stream import until_interrupted
from posebot.core.errors import ImageError, InputError

if TYPE_CHECKING:
    from posebot.cli._pipeline import LoadedPipeline
    from posebot.core.frame import Frame
    from posebot.core.objects import ObjectModel
    from posebot.core.results import FrameResult
    from posebot.stages.pipeline import Pipeline
    from posebot.stages.untrained import UntrainedPipeline
    from posebot.video.hand_eye_mount import HandEyeMount
    from posebot.video.run import RunSummary
    from posebot.video.sinks import Output, Sink
    from posebot.video.source import SkippedFrame, Source

_IMAGE_FPS = 4.0  # frame rate of overlay videos of image folders


def infer(
    source: Annotated[str, typer.Option("--source", help="Image, folder, BOP data set, video or camera name.")],
    out: Annotated[Path, typer.Option("--out", help="Results, one JSON line per frame.")] = Path("results.jsonl"),
    bundle: BundleOption = "kit",
    split: Annotated[str | None, typer.Option("--split", help="Split of a BOP data set, such as test.")] = None,
    depth: DepthFlag = True,
    camera: Annotated[Path | None, typer.Option("--camera", help="Intrinsics, JSON or YAML: BOP, ROS, OpenCV.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Named cameras, YAML.")] = None,
    scale_camera: Annotated[bool, typer.Option("--scale-camera", help="Resize intrinsics to the image.")] = False,
    video: Annotated[Path | None, typer.Option("--video", help="Overlay video, mp4.")] = None,
    overlays: Annotated[Path | None, typer.Option("--overlays", help="Folder for overlay images.")] = None,
    bop: Annotated[Path | None, typer.Option("--bop", help="BOP csv of a BOP data set.")] = None,
    mcap: Annotated[Path | None, typer.Option("--mcap", help="MCAP recording: results and images.")] = None,
    frames: Annotated[int | None, typer.Option("--frames", min=1, help="Stop after this number of frames.")] = None,
    fuse: Annotated[bool | None, typer.Option("--fuse/--no-fuse", help="Fuse views in the base frame. Default: only "
                                              "video and cameras.")] = None,
    no_training: Annotated[bool, typer.Option("--no-training", help="Estimate poses of untrained meshes on a table, "
                                              "from depth, slowly; with --objects.")] = False,
    objects: Annotated[Path | None, typer.Option("--objects", help="BOP models folder, for --no-training.")] = None,
    pose_settings: PoseSettingsOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Discard results in --out.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Poses for every frame of a source.

    An interrupted run resumes with the same command. A camera is stopped by --frames or Ctrl-C.
    """
    from posebot.cli._pipeline import load_pipeline
    from posebot.video.open_source import SourceOptions, find_camera, open_source
    from posebot.video.resume import resume
    from posebot.video.run import RunSummary
    from posebot.video.sinks import read_jsonl, write_bop

    opened = open_source(source, SourceOptions(split, camera, config, depth, scale_camera))
    entry = find_camera(source, config)
    mount = None if entry is None else entry.mount
    if bop is not None and split is None:
        raise InputError("--bop", "a BOP csv needs scene and image ids", "a BOP data set as --source, with --split")
    fused = _fuses(opened, mount, fuse)
    error = None if mount is None else mount.error
    pipeline = load_pipeline(None if no_training else bundle, objects, depth, fused, error, pose_settings)
    settings = _run_settings(source, pipeline, split, depth, fused, camera, mount, scale_camera)
    known = resume(out, settings, overwrite, opened.live)
    summary = RunSummary()
    images = _image_sinks(opened, video, overlays, mcap)
    interrupted = _process(opened, pipeline, known, out, images, frames, summary)
    _require_results(opened, summary, interrupted)
    if bop is not None:
        write_bop(bop, read_jsonl(out))
    _report(summary, out, as_json)
    if interrupted and not opened.live:
        raise typer.Exit(130)


def _process(opened: Source, loaded: LoadedPipeline, known: list[FrameResult], out: Path, images: list[Sink],
             frames: int | None, summary: RunSummary) -> bool:
    """Process all frames of the source into `out` and the sinks; whether the run was interrupted."""
    from posebot.video.overlay import Overlay
    from posebot.video.run import run
    from posebot.video.sinks import JsonlSink

    with ExitStack() as stack:
        stack.callback(opened.close)
        sinks: list[Sink] = [JsonlSink(out), *images]
        for sink in sinks:
            stack.callback(sink.close)
        progress = stack.enter_context(_progress(opened, frames, 0 if images else len(known)))
        interruption = stack.enter_context(until_interrupted())
        checked = stack.enter_context(_depth_checked(opened, loaded.objects, progress))
        run(opened, _reset_per_scene(loaded.pipeline), sinks, Overlay(loaded.objects), summary, limit=frames,
            known={result.frame_id: result for result in known}, progress=interruption.after(checked))
    return interruption.asked


def _fuses(source: Source, mount: HandEyeMount | None, fuse: bool | None) -> bool:
    """Whether views are fused. Default: only video, live cameras, and recordings with robot poses."""
    from posebot.video.recordings import VideoSource

    has_poses = mount is not None and mount.poses is not None
    return fuse if fuse is not None else source.live or has_poses or isinstance(source, VideoSource)


def _reset_per_scene(pipeline: Pipeline | UntrainedPipeline) -> Callable[[Frame], FrameResult]:
    """The pipeline, reset at the start of each scene: each has its own world frame."""
    scenes: set[str] = set()

    def process(frame: Frame) -> FrameResult:
        scene = frame.frame_id.rpartition("/")[0]
        if scene not in scenes:
            pipeline.reset()
            scenes.clear()
            scenes.add(scene)
        return pipeline(frame)

    return process


def _run_settings(source: str, loaded: LoadedPipeline, split: str | None, depth: bool, fuse: bool, camera: Path | None,
               mount: HandEyeMount | None, scale_camera: bool) -> dict[str, Any]:
    """Everything that results depend on; only a run with the same settings can resume."""
    intrinsics = None if camera is None else hashlib.sha256(camera.read_bytes()).hexdigest()
    name = str(Path(source).resolve()) if Path(source).exists() else source
    return {"source": name, "split": split, "bundle": loaded.digest, "depth": depth, "fuse": fuse,
            "camera": intrinsics, "mount": None if mount is None else mount.digest, "scale_camera": scale_camera}


def _image_sinks(source: Source, video: Path | None, overlays: Path | None, mcap: Path | None) -> list[Sink]:
    from posebot.video.mcap import McapSink
    from posebot.video.sinks import ImageSink, VideoSink

    sinks: list[Sink] = []
    if video is not None:
        sinks.append(VideoSink(video, None if source.live else source.fps or _IMAGE_FPS))
    if overlays is not None:
        sinks.append(ImageSink(overlays))
    if mcap is not None:
        sinks.append(McapSink(mcap))
    return sinks


@contextmanager
def _progress(source: Source, limit: int | None, known: int) -> Iterator[Any]:
    """Progress bar on stderr that starts at `known`, a line for every bad image. Yields the callback of `run`."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from posebot.video.source import SkippedFrame

    screen = console()
    total = min(limit, source.total or limit) if limit else source.total
    bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                   console=screen, disable=not screen.is_terminal, transient=True)

    def show(event: Output | SkippedFrame) -> None:
        if isinstance(event, SkippedFrame):
            screen.print(f"skipped {event.frame_id}: {event.reason}", markup=False, soft_wrap=True)
        bar.advance(task)

    with bar:
        task = bar.add_task(source.name, total=total, completed=known)
        yield show


@contextmanager
def _depth_checked(source: Source, objects: Sequence[ObjectModel], progress: Callable[[Any], None]
                   ) -> Iterator[Callable[[Any], None]]:
    """The callback, which also warns, once, of depth images that do not fit their stated scale."""
    from posebot.video.depth_check import DepthCheck
    from posebot.video.recordings import ImageSource
    from posebot.video.source import SkippedFrame

    if not isinstance(source, ImageSource) or source.intrinsics.depth_scale is None:
        yield progress
        return
    check = DepthCheck(objects, source.intrinsics.depth_scale, source.intrinsics.where)

    def warn(text: str) -> None:
        if text:
            console().print(f"warning: {text}", style="yellow", markup=False, soft_wrap=True)

    def checked(event: Output | SkippedFrame) -> None:
        if not isinstance(event, SkippedFrame):
            warn(check.add(event.frame.depth, event.result))
        progress(event)

    yield checked
    warn(check.close())


def _require_results(source: Source, summary: RunSummary, interrupted: bool) -> None:
    if not summary.frames and summary.bad_frames and not interrupted and not source.live:
        raise ImageError(source.name, f"none of {summary.skipped} images can be used",
                         f"first error: {summary.bad_frames[0].reason}")


def _report(summary: RunSummary, out: Path, as_json: bool) -> None:
    if as_json:
        return print_json(summary.to_dict() | {"out": str(out)})
    from rich.table import Table

    rate = (summary.frames - summary.resumed) / max(summary.seconds, 1e-9)
    known = f", {summary.resumed} of them from an interrupted run" if summary.resumed else ""
    counts = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in summary.objects.most_common())
    lost = "".join(f", {count} {name}" for count, name in ((summary.skipped, "bad images skipped"),
                                                          (summary.dropped, "frames dropped")) if count)
    screen = console()
    screen.print(f"{summary.frames} frames{known} in {summary.seconds:.1f} s ({rate:.1f} per second){lost}")
    screen.print(f"objects: {counts or 'none'}")
    for line in nothing_found(summary.empty):
        screen.print(line, markup=False, soft_wrap=True)
    table = Table("stage", "median ms", "95 % ms", box=None, pad_edge=False)
    for stage, (median, high) in summary.times().items():
        table.add_row(stage, f"{median:.1f}", f"{high:.1f}")
    if summary.stage_ms:
        screen.print(table)
    screen.print(f"results: {out}", soft_wrap=True)
    return None


def nothing_found(empty: Counter[str]) -> list[str]:
    """Lines about the frames in which nothing was found: how many, and the commonest reasons."""
    if not empty:
        return []
    told = [f"  {count} x may be: {reason}" for reason, count in empty.most_common(3) if reason]
    return [f"nothing found in {empty.total()} frames", *told]
