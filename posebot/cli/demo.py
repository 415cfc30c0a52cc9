"""`posebot demo`: a simulated wrist camera, the packaged model, live results. Offline, without any setup."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posebot.cli._common import BundleOption, DepthFlag, JsonFlag, SeedOption, console, print_json
from posebot.cli._stream import result_table, until_interrupted

if TYPE_CHECKING:
    from rich.console import Console

    from posebot.core.frame import Frame
    from posebot.core.results import FrameResult
    from posebot.models.bundle import Bundle
    from posebot.video.cameras import CameraEntry
    from posebot.video.ground_truth import GroundTruthMatch, GroundTruthMatcher
    from posebot.video.overlay import Overlay
    from posebot.video.run import RunSummary
    from posebot.video.simulated_camera import SimulatedCamera
    from posebot.video.sinks import Output, Sink
    from posebot.video.source import SkippedFrame, Source

_MIN_VISIBLE = 0.5  # visible fraction of an object from which on it counts in the accuracy
_TABLE_PERIOD_S = 1.0  # seconds between tables where the screen cannot be redrawn


def demo(
    frames: Annotated[int | None, typer.Option("--frames", min=1, help="Number of frames; default: no limit.")] = None,
    seed: SeedOption = 0,
    bundle: BundleOption = "kit",
    depth: DepthFlag = True,
    out: Annotated[Path, typer.Option("--out", help="Folder for results, video and image.")] = Path("runs/demo"),
    fps: Annotated[float, typer.Option("--fps", min=0.1, max=60, help="Frame rate of the camera.")] = 10.0,
    speed: Annotated[float, typer.Option("--speed", min=0.0, max=10, help="Speed of the robot arm; 1 is slow.")] = 1.0,
    page: Annotated[bool, typer.Option("--page/--no-page", help="Start the service with its web page.")] = True,
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="Port of the web page, or the next free one.")
    ] = 8000,
    as_json: JsonFlag = False,
) -> None:
    """Estimate poses of objects on a table, seen by a simulated wrist camera, live in the terminal and on a web page.

    Writes results.jsonl, overlay.mp4 and still.jpg, and compares the poses with the ground truth of the simulation.
    """
    from posebot.models.bundle import Bundle
    from posebot.models.reference import resolve
    from posebot.video.cameras import CameraEntry
    from posebot.video.ground_truth import GroundTruthMatcher
    from posebot.video.kinds.sim import SimCamera, simulated_camera
    from posebot.video.run import RunSummary, run
    from posebot.video.sinks import JsonlSink, VideoSink

    screen = console()
    folder = str(resolve(bundle).resolve())  # the service's processes have another working directory
    opened = Bundle.open(folder)
    shown = "kit" if opened.manifest.name == "kit" else folder  # the kit is rendered with its full textures
    config = SimCamera(fps=fps, seed=seed, depth=depth, speed=speed, bundle=shown)
    entry = CameraEntry(config)
    camera, matcher, summary = simulated_camera("wrist", config), GroundTruthMatcher(opened.objects), RunSummary()
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.jsonl").write_bytes(b"")
    log = _Log(matcher, camera, out / "still.jpg")
    with ExitStack() as stack:
        interruption = stack.enter_context(until_interrupted())
        view = _from_service(stack, screen, entry, folder, out / "service", port) if page else None
        view = view or _in_process(screen, opened, camera, depth)
        stack.callback(view.source.close)
        sinks: list[Sink] = [JsonlSink(out / "results.jsonl"), VideoSink(out / "overlay.mp4", None)]
        for sink in sinks:
            stack.callback(sink.close)
        show = stack.enter_context(_screen(screen, summary))
        run(view.source, view.result, sinks, view.overlay, summary, limit=frames,
            progress=interruption.after(lambda event: log.add(event, show)))
    log.close()
    _report(screen, summary, log, out, as_json)


@dataclass(frozen=True)
class _View:
    """A source of frames, the result of each, and the overlay."""

    source: Source
    result: Callable[[Frame], FrameResult]
    overlay: Overlay


def _from_service(stack: ExitStack, screen: Console, entry: CameraEntry, bundle: str, state: Path,
                  port: int) -> _View | None:
    """The service's camera; None, after a message, where the service is not available."""
    from posebot.core.errors import InputError, PosebotError

    screen.print("posebot demo: starting the service and the simulation, about half a minute …")
    try:
        from posebot.cli._served import ServedSource, served

        service = stack.enter_context(served(entry, bundle, state, port, partial(screen.print, markup=False)))
    except InputError:
        raise
    except (PosebotError, ImportError) as error:
        screen.print(f"no web page: {error}", style="yellow", soft_wrap=True, markup=False)
        return None
    screen.print(f"web page: {service.link}\n(the key in this link is valid for the API too; it expires in a day and "
                 "is not shown again)", soft_wrap=True, markup=False)
    source = ServedSource(service)
    return _View(source, source.result, source.overlay)


def _in_process(screen: Console, bundle: Bundle, camera: SimulatedCamera, depth: bool) -> _View:
    """The camera and the pipeline in this process."""
    from posebot.stages.pipeline import Pipeline
    from posebot.video.overlay import Overlay
    from posebot.video.simulated_camera import SimulatedSource

    screen.print("posebot demo: loading the model and starting the simulation, some seconds …")
    return _View(SimulatedSource(camera), Pipeline(bundle, depth=depth), Overlay(bundle.objects))


class _Log:
    """Collects the errors of all results, and the frame with most certain poses, which becomes still.jpg."""

    def __init__(self, matcher: GroundTruthMatcher, camera: SimulatedCamera, still: Path) -> None:
        self.matcher, self.camera, self.still = matcher, camera, still
        self.matches: list[GroundTruthMatch] = []
        self._best: Output | None = None

    def add(self, event: Output | SkippedFrame, show: Callable[[Output], None]) -> None:
        from posebot.video.source import SkippedFrame

        if isinstance(event, SkippedFrame):
            return
        truths = self.camera.ground_truth_at(int(event.result.frame_id.rpartition("/")[2]))
        matches = self.matcher.match(event.result.estimates, [(truth.obj_id, truth.base_from_obj) for truth in truths])
        self.matches += [match for match, truth in zip(matches, truths) if truth.visib_fract >= _MIN_VISIBLE]
        if self._best is None or _certainty(event) >= _certainty(self._best):
            self._best = event
        show(event)

    def close(self) -> None:
        from posebot.video.sinks import write_image

        if self._best is not None:
            write_image(self.still, self._best.overlay_image)


def _certainty(output: Output) -> float:
    return sum(estimate.p_correct for estimate in output.result.estimates if estimate.status == "ok")


@contextmanager
def _screen(screen: Console, summary: RunSummary) -> Iterator[Callable[[Output], None]]:
    """A table that is redrawn; where the output is not a terminal, one a second."""
    from rich.live import Live

    start = time.monotonic()

    def table(output: Output) -> Any:
        rate = (summary.frames) / max(time.monotonic() - start, 1e-9)
        return result_table(output.result, rate, summary.dropped)

    if screen.is_terminal:
        with Live(console=screen, auto_refresh=False) as live:
            yield lambda output: live.update(table(output), refresh=True)
        return
    printed_at = [0.0]

    def print_throttled(output: Output) -> None:
        if time.monotonic() - printed_at[0] >= _TABLE_PERIOD_S:
            printed_at[0] = time.monotonic()
            screen.print(table(output))

    yield print_throttled


def _report(screen: Console, summary: RunSummary, log: _Log, out: Path, as_json: bool) -> None:
    from posebot.video.ground_truth import summarize_matches

    labels = {number: model.label for number, model in log.matcher.models.items()}
    accuracy = summarize_matches(log.matches, labels)
    if as_json:
        print_json(summary.to_dict() | {"accuracy": _finite(accuracy), "out": str(out)})
    elif not summary.frames:
        screen.print("stopped before the first frame was done")
    else:
        _print_report(screen, summary, accuracy, out)


def _print_report(screen: Console, summary: RunSummary, accuracy: dict[str, dict[str, float]], out: Path) -> None:
    from rich.table import Table

    median, high = summary.times()["total"]
    screen.print(f"{summary.frames} frames in {summary.seconds:.1f} s, {summary.dropped} dropped; "
                 f"pipeline {median:.0f} ms per frame (95th percentile: {high:.0f} ms)", soft_wrap=True)
    screen.print("compared with the ground truth, objects that are at least half visible\n"
                 "(correct: every point of the surface within 10 % of the diameter):")
    table = Table("object", "found", "correct", "median error", box=None, padding=(0, 2, 0, 0))
    for label, share in accuracy.items():
        table.add_row(label, f"{100 * share['found']:.0f} %", f"{100 * share['correct']:.0f} %",
                      f"{share['translation_mm']:.1f} mm {share['rotation_deg']:.1f}°" if share["found"] else "")
    screen.print(table)
    screen.print(f"written: {out / 'still.jpg'}, {out / 'overlay.mp4'}, {out / 'results.jsonl'}", soft_wrap=True)


def _finite(accuracy: dict[str, dict[str, float]]) -> dict[str, dict[str, float | None]]:
    """JSON has no NaN."""
    return {label: {name: value if isfinite(value) else None for name, value in share.items()}
            for label, share in accuracy.items()}
