"""`posebot train`: detector, localizer, calibration, bundle. The same command again continues what was cut off."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posebot.cli._common import JsonFlag, print_json

if TYPE_CHECKING:
    from posebot.training.config import TrainConfig


class DetectorKind(StrEnum):
    """Who trains the detector."""

    head = "head"
    yolo = "yolo"


def train(
    dataset: Annotated[Path, typer.Option(help="BOP data set: models/ and a train split, as posebot synth writes.")],
    out: Annotated[Path, typer.Option(help="Folder of the bundle; its name is the bundle's.")],
    config: Annotated[Path | None, typer.Option(help="YAML file with settings; see docs/training.md.")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Time for both networks together.")] = None,
    crops: Annotated[int | None, typer.Option(min=1, help="Samples for the localizer, instead of minutes.")] = None,
    pictures: Annotated[int | None, typer.Option(min=1, help="Samples for the detector, instead of minutes.")] = None,
    detector: Annotated[DetectorKind | None, typer.Option(help="Which trainer makes the detector.")] = None,
    start: Annotated[Path | None, typer.Option("--from", help="Bundle whose weights training begins with.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that train together.")] = None,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster; default: one of its own.")] = None,
    ray: Annotated[bool, typer.Option("--ray/--no-ray", help="Train through Ray, or in this process alone.")] = True,
    tiny: Annotated[bool, typer.Option("--tiny", help="Small networks, about a minute: to see that it works.")] = False,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed draws the same samples.")] = None,
    runs: Annotated[Path, typer.Option(help="Folder for checkpoints, crops and the MLflow store.")] = Path("runs"),
    json: JsonFlag = False,
) -> None:
    """Train detector and localizer on a BOP data set, calibrate, and write a bundle."""
    from posebot.training.config import TINY, TrainConfig, load_config, with_budget
    from posebot.training.run import Request
    from posebot.training.run import train as run

    base = TINY if tiny else TrainConfig()
    settings = with_budget(load_config(config, base) if config else base, minutes, crops, pictures)
    settings = _overridden(settings, detector, workers, seed)
    result = run(Request(dataset, out, settings, start, ray, address, runs), say=partial(typer.echo, err=True))
    if json:
        print_json(result)


def _overridden(config: TrainConfig, detector: DetectorKind | None, workers: int | None, seed: int | None
                ) -> TrainConfig:
    """The config with what the command line says."""
    if detector is not None:
        config = replace(config, detector=replace(config.detector, kind=detector.value))
    if workers is not None:
        config = replace(config, workers=workers)
    return config if seed is None else replace(config, seed=seed)
