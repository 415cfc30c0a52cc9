"""`posebot evaluate --picks`: success rate of simulated picks with the poses of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from posebot.cli._common import console, output
from posebot.core.errors import InputError

if TYPE_CHECKING:
    from posebot.picking.pick_recorder import PickRecorder

FIRST_SEED = 10_000  # the demo uses small seeds
VIEW_INTERVAL_S = 2.0  # between two images of a scene
_IMAGE_FILE = "pick.jpg"


def picks(bundle: str, scenes: int, depth: bool, out: Path) -> dict[str, Any]:
    """Run the pick benchmark and write picks.json, picks.html and pick.jpg; returns the report.

    Raises:
        InputError: the bundle is not usable, or no grasps are defined for its objects.
    """
    from posebot.models.bundle import Bundle
    from posebot.picking import benchmark
    from posebot.picking.pick_recorder import PickRecorder
    from posebot.picking.report import write_report
    from posebot.video.simulated_camera import BASE_FROM_WORLD, SimulatedCamera

    if scenes < 1:
        raise InputError("--scenes", f"{scenes}", "at least 1")
    opened, recorders = Bundle.open(bundle), []

    def recorder_of(simulation: Any, camera: benchmark.WristCamera) -> PickRecorder:
        recorders.append(PickRecorder(simulation, camera.scene, camera.objects))
        return recorders[0]

    options = benchmark.BenchmarkOptions(modalities=("rgbd", "rgb") if depth else ("rgb",))
    attempts: list[benchmark.PickAttempt] = []
    out.mkdir(parents=True, exist_ok=True)
    with console().status("picking") as status:
        for attempt in benchmark.run_benchmark(
                opened, lambda seed: SimulatedCamera(None, seed, fps=1 / VIEW_INTERVAL_S), BASE_FROM_WORLD,
                range(FIRST_SEED, FIRST_SEED + scenes), options, recorder_of):
            attempts.append(attempt)
            status.update(f"scene {attempt.scene - FIRST_SEED + 1} of {scenes}: {attempt.label}")
    image = None
    if recorders and recorders[0].images:
        recorders[0].save(out / _IMAGE_FILE)
        image = _IMAGE_FILE
    return write_report(out, {"bundle": opened.manifest.name, "version": opened.manifest.version, "scenes": scenes,
                              "first_seed": FIRST_SEED}, attempts, image)


def show(report: dict[str, Any], folder: Path) -> None:
    """Print the report as a table."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from posebot.picking.report import COLUMNS, table_rows

    table = Table(*COLUMNS, box=SIMPLE_HEAD, pad_edge=False, caption=f"{report['scenes']} scenes")
    for row in table_rows(report):
        table.add_row(*row)
    screen = output(soft_wrap=False)
    screen.print(table)
    screen.print(f"report: {folder / 'picks.html'}", markup=False, soft_wrap=True)
