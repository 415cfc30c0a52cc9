"""`posebot demo`: a simulated wrist camera, the bundled model, a live table. Offline, with nothing to set up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
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

_IN_SIGHT = 0.5  # visible share of an object from which on it is expected to be found
_PLAIN_EVERY_S = 1.0  # seconds between tables where the screen cannot be redrawn


def demo(
    frames: Annotated[int | None, typer.Option("--frames", min=1, help="End after so many; else Ctrl-C.")] = None,
    seed: SeedOption = 0,
    bundle: BundleOption = "kit",
    depth: DepthFlag = True,
    out: Annotated[Path, typer.Option("--out", help="Folder for results, video and picture.")] = Path("runs/demo"),
    fps: Annotated[float, typer.Option("--fps", min=0.1, max=60, help="Pictures a second of the camera.")] = 10.0,
    speed: Annotated[float, typer.Option("--speed", min=0.0, max=10, help="Of the robot's hand; 1 is careful.")] = 1.0,
    page: Annotated[bool, typer.Option("--page/--no-page", help="Start the service and its web page, or do without."
                                       )] = True,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Of the page; the next free one from here."
                                      )] = 8000,
    as_json: JsonFlag = False,
) -> None:
    """Watch posebot find objects on a table that a simulated robot hand looks at, here and on a web page.

    Leaves results.jsonl, overlay.mp4 and still.jpg, and says how far the poses were from the simulation's truth.
    """
    from posebot.models.bundle import Bundle
    from posebot.models.reference import resolve
    from posebot.video.cameras import CameraEntry
    from posebot.video.ground_truth import GroundTruthMatcher
    from posebot.video.kinds.sim import SimCamera, simulated_camera
    from posebot.video.run import RunSummary, run
    from posebot.video.sinks import JsonlSink, VideoSink

    screen = console()
    place = str(resolve(bundle).resolve())  # the service's processes have another working directory
    parts = Bundle.open(place)
    looks = "kit" if parts.manifest.name == "kit" else place  # the kit is shown as it really looks
    config = SimCamera(fps=fps, seed=seed, depth=depth, speed=speed, bundle=looks)
    entry = CameraEntry(config)
    camera, judge, summary = simulated_camera("wrist", config), GroundTruthMatcher(parts.objects), RunSummary()
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.jsonl").write_bytes(b"")
    log = _Log(judge, camera, out / "still.jpg")
    with ExitStack() as stack:
        interruption = stack.enter_context(until_interrupted())
        watched = _served(stack, screen, entry, place, out / "service", port) if page else None
        watched = watched or _alone(screen, parts, camera, depth)
        stack.callback(watched.source.close)
        sinks: list[Sink] = [JsonlSink(out / "results.jsonl"), VideoSink(out / "overlay.mp4", None)]
        for sink in sinks:
            stack.callback(sink.close)
        show = stack.enter_context(_screen(screen, summary))
        run(watched.source, watched.result, sinks, watched.overlay, summary, limit=frames,
            progress=interruption.after(lambda event: log.add(event, show)))
    log.close()
    _report(screen, summary, log, out, as_json)


@dataclass(frozen=True)
class _Watched:
    """Frames, what is found in each, and how that is drawn."""

    source: Source
    result: Callable[[Frame], FrameResult]
    overlay: Overlay


def _served(stack: ExitStack, screen: Console, entry: CameraEntry, bundle: str, state: Path,
            port: int) -> _Watched | None:
    """The service's camera; None where the service cannot be had, which is said."""
    from posebot.core.errors import InputError, PosebotError

    screen.print("posebot demo: starting the service and its page, and dropping objects on a table (half a minute) …")
    try:
        from posebot.cli._served import ServedSource, served

        service = stack.enter_context(served(entry, bundle, state, port))
    except InputError:
        raise
    except (PosebotError, ImportError) as error:
        screen.print(f"no page: {error}; going on without", style="yellow", soft_wrap=True, markup=False)
        return None
    screen.print(f"the page: {service.link}\n(the key in this link also opens the API, ends in a day, and is not shown "
                 "again)", soft_wrap=True, markup=False)
    source = ServedSource(service)
    return _Watched(source, source.result, source.overlay)


def _alone(screen: Console, parts: Bundle, camera: SimulatedCamera, depth: bool) -> _Watched:
    """The camera and the pipeline in this process."""
    from posebot.stages.pipeline import Pipeline
    from posebot.video.overlay import Overlay
    from posebot.video.simulated_camera import SimulatedSource

    screen.print("posebot demo: opening the model and dropping objects on a table (some seconds) …")
    return _Watched(SimulatedSource(camera), Pipeline(parts, depth=depth), Overlay(parts.objects))


class _Log:
    """Remembers how far results were off, and keeps the picture with most certain poses as the still."""

    def __init__(self, judge: GroundTruthMatcher, camera: SimulatedCamera, still: Path) -> None:
        self.judge, self.camera, self.still = judge, camera, still
        self.misses: list[GroundTruthMatch] = []
        self._best: Output | None = None

    def add(self, event: Output | SkippedFrame, show: Callable[[Output], None]) -> None:
        from posebot.video.source import SkippedFrame

        if isinstance(event, SkippedFrame):
            return
        truths = self.camera.look(int(event.result.frame_id.rpartition("/")[2]))
        misses = self.judge.judge(event.result.estimates, [(truth.obj_id, truth.base_from_obj) for truth in truths])
        self.misses += [miss for miss, truth in zip(misses, truths) if truth.visib_fract >= _IN_SIGHT]
        if self._best is None or _worth(event) >= _worth(self._best):
            self._best = event
        show(event)

    def close(self) -> None:
        from posebot.video.sinks import write_image

        if self._best is not None:
            write_image(self.still, self._best.overlay_image)


def _worth(output: Output) -> float:
    return sum(estimate.p_correct for estimate in output.result.estimates if estimate.status == "ok")


@contextmanager
def _screen(screen: Console, summary: RunSummary) -> Iterator[Callable[[Output], None]]:
    """A table that is redrawn, or where that is not possible, one printed every second."""
    from rich.live import Live

    start = time.monotonic()

    def table(output: Output) -> Any:
        rate = (summary.frames) / max(time.monotonic() - start, 1e-9)
        return result_table(output.result, rate, summary.dropped)

    if screen.is_terminal:
        with Live(console=screen, auto_refresh=False) as live:
            yield lambda output: live.update(table(output), refresh=True)
        return
    shown = [0.0]

    def print_sometimes(output: Output) -> None:
        if time.monotonic() - shown[0] >= _PLAIN_EVERY_S:
            shown[0] = time.monotonic()
            screen.print(table(output))

    yield print_sometimes


def _report(screen: Console, summary: RunSummary, log: _Log, out: Path, as_json: bool) -> None:
    from posebot.video.ground_truth import summarize_matches

    labels = {number: model.label for number, model in log.judge.models.items()}
    accuracy = summarize_matches(log.misses, labels)
    if as_json:
        print_json(summary.to_dict() | {"accuracy": _finite(accuracy), "out": str(out)})
    elif not summary.frames:
        screen.print("ended before the first picture was done")
    else:
        _print_report(screen, summary, accuracy, out)


def _print_report(screen: Console, summary: RunSummary, accuracy: dict[str, dict[str, float]], out: Path) -> None:
    from rich.table import Table

    median, high = summary.times()["total"]
    screen.print(f"{summary.frames} frames in {summary.seconds:.1f} s, {summary.dropped} dropped (the newest wins); "
                 f"pipeline {median:.0f} ms a frame (95 %: {high:.0f} ms)", soft_wrap=True)
    screen.print("against the simulation's truth, where at least half of an object is in sight\n"
                 "(correct: every point of its surface within 10 % of its diameter):")
    table = Table("object", "found", "correct", "off by", box=None, padding=(0, 2, 0, 0))
    for label, share in accuracy.items():
        table.add_row(label, f"{100 * share['found']:.0f} %", f"{100 * share['correct']:.0f} %",
                      f"{share['translation_mm']:.1f} mm {share['rotation_deg']:.1f}°" if share["found"] else "")
    screen.print(table)
    screen.print(f"look at {out / 'still.jpg'}, {out / 'overlay.mp4'} and {out / 'results.jsonl'}", soft_wrap=True)


def _finite(accuracy: dict[str, dict[str, float]]) -> dict[str, dict[str, float | None]]:
    """JSON has no NaN."""
    return {label: {name: value if isfinite(value) else None for name, value in share.items()}
            for label, share in accuracy.items()}
