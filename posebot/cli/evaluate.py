"""`posebot evaluate`: BOP metrics of a bundle, or of a csv of poses, on a split with ground truth."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posebot.cli._common import DepthFlag, JsonFlag, PoseSettingsOption, SplitOption, console, output, print_json
from posebot.core.errors import InputError

if TYPE_CHECKING:
    from posebot.evaluation.run import Executor
    from posebot.evaluation.worker import EvaluationSplit

RUNS = Path("runs/evaluate")
_QUIET_S = 8.0


def evaluate(
    dataset: Annotated[Path | None, typer.Option("--dataset", help="Folder of a BOP data set.")] = None,
    split: SplitOption = "test",
    bundle: Annotated[str | None, typer.Option("--bundle", help="A bundle's folder or zip, or a name: kit.")] = None,
    estimates: Annotated[Path | None, typer.Option("--estimates", help="A BOP csv instead of a bundle.")] = None,
    depth: DepthFlag = True,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the report (default: in runs/evaluate).")] = None,
    objects: Annotated[str, typer.Option("--objects", help="Evaluate only these objects: 1,5,6.")] = "",
    partial_truth: Annotated[
        bool, typer.Option("--partial-truth", help="Not all objects are annotated: ignore estimates of others.")
    ] = False,
    shifted: Annotated[
        bool, typer.Option("--shifted", help="Apply a domain shift: darker, noisier, another camera.")
    ] = False,
    pose_settings: PoseSettingsOption = None,
    processes: Annotated[int, typer.Option("--processes", min=0, help="0: one per core.")] = 0,
    ray: Annotated[bool, typer.Option("--ray", help="Run on a Ray cluster; without --address, a new one.")] = False,
    address: Annotated[str | None, typer.Option("--address", help="A running Ray cluster.")] = None,
    picks: Annotated[bool, typer.Option("--picks", help="Simulate picks of the kit's objects instead.")] = False,
    scenes: Annotated[int, typer.Option("--scenes", help="Simulated tables for --picks.")] = 8,
    json: JsonFlag = False,
) -> None:
    """BOP recalls and pose errors, 2-D and 6-D detection, and calibration of the certainty.

    Writes report.json and report.html. An interrupted run resumes with the same command.
    """
    from posebot.evaluation.worker import EvaluationSplit

    if picks:
        _picks(bundle or "kit", scenes, depth, out, json)
        return
    if dataset is None:
        raise InputError("--dataset", "is missing", "the folder of a BOP data set, or --picks")
    if shifted and estimates is not None:
        raise InputError("--shifted", "applies to the images of a bundle, not to a csv", "--bundle")
    on_cluster = ray or address is not None
    chosen = EvaluationSplit(dataset.resolve() if on_cluster else dataset, split, depth, _numbers(objects), shifted)
    cores = os.cpu_count() or 1
    threads = 1 if on_cluster else max(1, cores // (processes or cores))
    report, folder = run(chosen, bundle, estimates, out, _executor(on_cluster, address, processes), partial_truth,
                         threads, pose_settings)
    if json:
        print_json(report)
    else:
        show(report, folder)


def _picks(bundle: str, scenes: int, depth: bool, out: Path | None, json: bool) -> None:
    from posebot.cli import _picks as picking

    folder = out or RUNS / f"picks-{Path(bundle).stem}{'' if depth else '-rgb'}"
    report = picking.picks(bundle, scenes, depth, folder)
    if json:
        print_json(report)
    else:
        picking.show(report, folder)


def run(split: EvaluationSplit, bundle: str | None, estimates: Path | None, out: Path | None, executor: Executor,
        partial_truth: bool = False, threads: int = 1,
        pose_settings: Path | None = None) -> tuple[dict[str, Any], Path]:
    """Evaluate and write the report; returns what report.json holds, and its folder.

    Args:
        out: folder of the report; None: one in runs/evaluate for this bundle and this way of judging.
        executor: see `posebot.evaluation.run`. threads: of the networks, per worker. pose_settings:
            YAML of settings that differ from the bundle's.
    Raises:
        InputError: bundle, csv or data set cannot be used, or `out` holds another evaluation.
    """
    from posebot.cli._estimates import estimate_source
    from posebot.evaluation.report import write_report
    from posebot.evaluation.report_folder import first_usable, folder_name
    from posebot.evaluation.run import evaluate as evaluate_images
    from posebot.evaluation.run import is_free

    source, subject = estimate_source(split, bundle, estimates, threads, pose_settings)
    subject |= {"dataset": str(split.root.resolve()), "split": split.name, "objects": list(split.objects),
                "shifted": split.shifted, "truth_sha256": split.open().truth_sha256()}
    if out is None:
        name = folder_name(split, Path(estimates or bundle or ""), pose_settings)
        out = first_usable(RUNS / name, lambda folder: is_free(folder, subject))
    with _progress() as advance:
        records = evaluate_images(split, source, out, subject, executor, advance)
    return write_report(out, split, records, subject, partial_truth), out


def show(report: dict[str, Any], folder: Path) -> None:
    """The verdict in words, then the figures and what they mean, on stdout."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from posebot.evaluation.report_page import subject_line
    from posebot.evaluation.terms import TERMS
    from posebot.evaluation.verdict import EXPLANATION

    names = ("AR", *report["metrics"], "AP")
    columns = ("targets", *names, "mm", "deg")
    table = Table(box=SIMPLE_HEAD, pad_edge=False, caption="AR to AP in %; mm and deg: medians")
    table.add_column("object", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for row in [{"label": "all", **report}, *report["per_object"].values()]:
        median = row["median"]
        table.add_row(str(row["label"]), str(row["targets"]), *(_percent(row[name]) for name in names),
                      _number(median["translation_mm"]), _number(median["rotation_deg"]))
    screen = output(soft_wrap=False)

    def say(*lines: str) -> None:
        for line in lines:
            screen.print(line, markup=False, soft_wrap=True)

    say(f"{subject_line(report['subject'])}:", "", *report["verdict"], f"({EXPLANATION})", *report["suspected"],
        *report["notes"])
    screen.print(table)
    say(*(f"{name:<8}{TERMS[name]}" for name in columns if name in TERMS), "", *_lines(report),
        f"report: {folder / 'report.html'}")


def _lines(report: dict[str, Any]) -> Iterator[str]:
    yield f"{report['frames']} images, {report['targets']} targets, {report['estimates']} estimates"
    if (boxes := report["detection"]) is not None:
        yield (f"2-D boxes: {_percent(boxes['recall_50'])} % of the targets found at IoU 0.5 (overlap / union of two "
               f"boxes), mean average precision mAP {_percent(boxes['mAP'])} % (IoU 0.5 to 0.95), "
               f"mAP_50 {_percent(boxes['mAP_50'])} % (IoU 0.5)")
    if (certainty := report["certainty"]) is not None:
        yield (f"certainty: p_correct is off by {certainty['ECE']:.3f} on average (ECE, expected calibration error; "
               f"Brier, its squared error, {certainty['Brier']:.3f}); wrong poses: "
               f"{_percent(certainty['risk']['100%'])} % of all, "
               f"{_percent(certainty['risk']['50%'])} % of the most certain half")
    if report["seconds_per_frame"] is not None:
        yield f"{report['seconds_per_frame']:.3f} s per image"


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, lines elsewhere; both on stderr."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    screen = console()
    if not screen.is_terminal:
        yield progress_lines(lambda line: screen.print(line, markup=False, soft_wrap=True), time.monotonic)
        return
    columns = (TextColumn("evaluating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("evaluating", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def progress_lines(say: Callable[[str], None], clock: Callable[[], float]) -> Callable[[int, int], None]:
    """What `evaluate` calls with the numbers of finished and of all images: says them at first, and every 8 seconds.

    Args:
        clock: seconds.
    """
    start = said = clock()
    before: int | None = None

    def advance(done: int, total: int) -> None:
        nonlocal said, before
        now = clock()
        if before is None:
            before = done
        elif now - said < _QUIET_S:
            return
        said = now
        left = (now - start) / (done - before) * (total - done) if done > before else None
        say(f"evaluating: {done} of {total} images" + ("" if left is None else f", {left:.0f} s left"))

    return advance


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _executor(on_cluster: bool, address: str | None, processes: int) -> Executor:
    if on_cluster:
        from posebot.cli._on_ray import on_ray

        return on_ray(address, processes)
    from posebot.evaluation.run import local_executor

    return local_executor(processes or os.cpu_count() or 1)


def _numbers(text: str) -> tuple[int, ...]:
    words = text.replace(",", " ").split()
    if not all(word.isdecimal() for word in words):
        raise InputError("--objects", repr(text), "object ids such as 1,5,6")
    return tuple(sorted({int(word) for word in words}))
