"""`posebot evaluate`: judge a bundle, or a csv of poses, on a BOP split with known poses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posebot.cli._common import DepthFlag, JsonFlag, SplitOption, console, print_json
from posebot.core.errors import InputError

if TYPE_CHECKING:
    from posebot.evaluation.run import Judges
    from posebot.evaluation.worker import Split


def evaluate(
    dataset: Annotated[Path | None, typer.Option("--dataset", help="Folder of a BOP data set.")] = None,
    split: SplitOption = "test",
    bundle: Annotated[str | None, typer.Option("--bundle", help="A bundle's folder or zip, or a name: kit.")] = None,
    estimates: Annotated[Path | None, typer.Option("--estimates", help="Judge a BOP csv instead of a bundle.")] = None,
    depth: DepthFlag = True,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the report (default: in runs/evaluate).")] = None,
    objects: Annotated[str, typer.Option("--objects", help="Ask only for these objects: 1,5,6.")] = "",
    partial_truth: Annotated[
        bool, typer.Option("--partial-truth", help="Pictures show objects without truth: those count for nothing.")
    ] = False,
    shifted: Annotated[
        bool, typer.Option("--shifted", help="Show the bundle the scenes darker, noisier, by another camera.")
    ] = False,
    processes: Annotated[int, typer.Option("--processes", min=0, help="0: one for each core.")] = 0,
    ray: Annotated[bool, typer.Option("--ray", help="Judge on a Ray cluster; without --address, a new one.")] = False,
    address: Annotated[str | None, typer.Option("--address", help="A running Ray cluster.")] = None,
    picks: Annotated[bool, typer.Option("--picks", help="Pick the kit's objects in simulation instead.")] = False,
    scenes: Annotated[int, typer.Option("--scenes", help="Simulated tables for --picks.")] = 8,
    json: JsonFlag = False,
) -> None:
    """Errors and recalls as BOP defines them, detection, and whether the certainty can be trusted.

    Writes report.json and report.html. Run again after a kill, it goes on where it was.
    """
    from posebot.evaluation.worker import Split

    if picks:
        _picks(bundle or "kit", scenes, depth, out, json)
        return
    if dataset is None:
        raise InputError("--dataset", "is not given", "the folder of a BOP data set, or --picks")
    if shifted and estimates is not None:
        raise InputError("--shifted", "changes what a bundle sees, and a csv sees nothing", "--bundle")
    name = f"{dataset.name}-{split}{'-shifted' if shifted else ''}-{Path(estimates or bundle or '').stem}"
    folder = out or Path("runs/evaluate") / name
    on_cluster = ray or address is not None
    chosen = Split(dataset.resolve() if on_cluster else dataset, split, depth, _numbers(objects), shifted)
    cores = os.cpu_count() or 1
    threads = 1 if on_cluster else max(1, cores // (processes or cores))
    report = run(chosen, bundle, estimates, folder, _judges(on_cluster, address, processes), partial_truth, threads)
    if json:
        print_json(report)
    else:
        show(report, folder)


def _picks(bundle: str, scenes: int, depth: bool, out: Path | None, json: bool) -> None:
    from posebot.cli import _picks as picking

    folder = out or Path("runs/evaluate") / f"picks-{Path(bundle).stem}"
    report = picking.picks(bundle, scenes, depth, folder)
    if json:
        print_json(report)
    else:
        picking.show(report, folder)


def run(split: Split, bundle: str | None, estimates: Path | None, out: Path, judges: Judges,
        partial_truth: bool = False, threads: int = 1) -> dict[str, Any]:
    """Evaluate and write the report; returns what report.json holds.

    Args:
        judges: who does the work, see `posebot.evaluation.run`. threads: of each worker's networks.
    Raises:
        InputError: bundle, csv or data set cannot be used, or `out` holds another evaluation.
    """
    from posebot.cli._estimates import recipe
    from posebot.evaluation.report import write_report
    from posebot.evaluation.run import evaluate as judge_all

    source, subject = recipe(split, bundle, estimates, threads)
    subject |= {"dataset": str(split.root.resolve()), "split": split.name, "objects": list(split.objects),
                "shifted": split.shifted}
    with _progress() as advance:
        records = judge_all(split, source, out, subject, judges, advance)
    return write_report(out, split, records, subject, partial_truth)


def show(report: dict[str, Any], folder: Path) -> None:
    """The headline as a table on stdout."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    names = ("AR", "VSD", "MSSD", "MSPD", "ADD", "AP")
    table = Table(box=SIMPLE_HEAD, pad_edge=False, caption="recalls and precision in %, median errors")
    table.add_column("object", no_wrap=True)
    for name in ("targets", *names, "mm", "deg"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in [{"label": "all", **report}, *report["per_object"].values()]:
        median = row["median"]
        table.add_row(str(row["label"]), str(row["targets"]), *(_percent(row[name]) for name in names),
                      _number(median["translation_mm"]), _number(median["rotation_deg"]))
    screen = Console(highlight=False)
    screen.print(table)
    for line in (*_lines(report), *report["notes"], f"report: {folder / 'report.html'}"):
        screen.print(line, markup=False, soft_wrap=True)


def _lines(report: dict[str, Any]) -> Iterator[str]:
    yield f"{report['frames']} pictures, {report['targets']} targets, {report['estimates']} estimates"
    if (found := report["detection"]) is not None:
        yield (f"2-D: {_percent(found['recall_50'])} % found at IoU 0.5, "
               f"mAP {_percent(found['mAP'])}, mAP_50 {_percent(found['mAP_50'])}")
    if (sure := report["certainty"]) is not None:
        yield (f"certainty: ECE {sure['ECE']:.3f}, Brier {sure['Brier']:.3f}; wrong poses: "
               f"{_percent(sure['risk']['100%'])} % of all, {_percent(sure['risk']['50%'])} % of the surer half")
    if report["seconds_per_frame"] is not None:
        yield f"{report['seconds_per_frame']:.3f} s a picture"


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    from rich.progress import Progress

    with Progress(console=console(), transient=True) as bar:
        task = bar.add_task("judging", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _judges(on_cluster: bool, address: str | None, processes: int) -> Judges:
    if on_cluster:
        from posebot.cli._on_ray import on_ray

        return on_ray(address, processes)
    from posebot.evaluation.run import local

    return local(processes or os.cpu_count() or 1)


def _numbers(text: str) -> tuple[int, ...]:
    words = text.replace(",", " ").split()
    if not all(word.isdecimal() for word in words):
        raise InputError("--objects", repr(text), "object numbers such as 1,5,6")
    return tuple(sorted({int(word) for word in words}))
