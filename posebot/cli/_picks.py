"""`posebot evaluate --picks`: how often a gripper holds what the bundle's poses lead it to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from posebot.cli._common import console
from posebot.core.errors import InputError

if TYPE_CHECKING:
    from posebot.picking.film import Film

FIRST_SEED = 10_000  # the demo's are small
PAUSE_S = 2.0  # between two pictures of a scene
_STILL = "pick.jpg"


def picks(bundle: str, scenes: int, depth: bool, out: Path) -> dict[str, Any]:
    """Try all picks and write picks.json, picks.html and a picture of one; returns the report.

    Raises:
        InputError: the bundle cannot be used, or no grasps are known for its objects.
    """
    from posebot.models.bundle import Bundle
    from posebot.picking import summary, trial
    from posebot.picking.film import Film
    from posebot.video.simulated_camera import BASE_FROM_WORLD, SimulatedCamera

    if scenes < 1:
        raise InputError("--scenes", f"{scenes}", "at least 1")
    opened, films = Bundle.open(bundle), []

    def filmed(world: Any, camera: trial.WristCamera) -> Film:
        films.append(Film(world, camera.scene, camera.objects))
        return films[0]

    options = trial.Options(senses=("rgbd", "rgb") if depth else ("rgb",))
    attempts: list[trial.Attempt] = []
    out.mkdir(parents=True, exist_ok=True)
    with console().status("picking") as status:
        for attempt in trial.run(opened, lambda seed: SimulatedCamera(None, seed, fps=1 / PAUSE_S), BASE_FROM_WORLD,
                                 range(FIRST_SEED, FIRST_SEED + scenes), options, filmed):
            attempts.append(attempt)
            status.update(f"scene {attempt.scene - FIRST_SEED + 1} of {scenes}: {attempt.label}")
    still = None
    if films and films[0].pictures:
        films[0].save(out / _STILL)
        still = _STILL
    return summary.write(out, {"bundle": opened.manifest.name, "version": opened.manifest.version, "scenes": scenes,
                               "first_seed": FIRST_SEED}, attempts, still)


def show(report: dict[str, Any], folder: Path) -> None:
    """The table on stdout."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from posebot.picking.summary import COLUMNS, lines

    table = Table(*COLUMNS, box=SIMPLE_HEAD, pad_edge=False, caption=f"{report['scenes']} scenes")
    for line in lines(report):
        table.add_row(*line)
    screen = Console(highlight=False)
    screen.print(table)
    screen.print(f"report: {folder / 'picks.html'}", markup=False, soft_wrap=True)
