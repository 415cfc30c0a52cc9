"""`posebot train`: detector, localizer, calibration, bundle. The same command again continues what was cut off."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from posebot.cli._common import JsonFlag, print_json
from posebot.cli.clean import left_behind
from posebot.core.errors import EXIT_VERDICT_NO, MissingFileError


def train(
    out: Annotated[Path, typer.Option(help="Folder of the bundle; its name is the bundle's.")],
    dataset: Annotated[Path | None, typer.Option(help="BOP data set with models/ and a train split.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with settings; see docs/how-to/training.md.")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Time for both networks together.")] = None,
    crops: Annotated[int | None, typer.Option(min=1, help="Samples for the localizer, instead of minutes.")] = None,
    pictures: Annotated[int | None, typer.Option(min=1, help="Samples for the detector, instead of minutes.")] = None,
    detector: Annotated[str | None, typer.Option(help="Trainer of the detector: heatmap or yolo.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="Bundle whose weights training begins with; default: "
                                                           "kit where its networks fit; none: ImageNet.")] = None,
    add: Annotated[Path | None, typer.Option(help="With --from: models folder of objects to learn as well.")] = None,
    only: Annotated[str, typer.Option(help="With --from: the one object of the bundle that is trained again.")] = "",
    frames: Annotated[int, typer.Option(min=50, help="Images to render for --add or --only.")] = 1500,
    backgrounds: Annotated[Path | None, typer.Option(help="Background photographs for these images.")] = None,
    distractors: Annotated[list[Path] | None, typer.Option(
        help="Models of further objects that are not to be detected; may be given more than once.")] = None,
    models: Annotated[Path | None, typer.Option(help="Full meshes of the bundle's objects, if available.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that train together; default: one for "
                                                             "each core, up to 4.")] = None,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster; default: one of its own.")] = None,
    ray: Annotated[bool | None, typer.Option("--ray/--no-ray", help="Train through Ray, or in this process alone; "
                                                                    "default: Ray with --address.")] = None,
    tiny: Annotated[bool, typer.Option("--tiny", help="Small networks, about a minute: to see that it works.")] = False,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed draws the same samples.")] = None,
    runs: Annotated[Path, typer.Option(help="Folder for checkpoints, crops and the MLflow store.")] = Path("runs"),
    json: JsonFlag = False,
) -> None:
    """Train detector and localizer on a BOP data set, calibrate, and write a bundle.

    With --from BUNDLE --add OBJECTS the images are rendered too: the new objects among those of the bundle.
    """
    if dataset is not None and not dataset.is_dir():  # before torch is loaded
        raise MissingFileError(dataset, "is a file" if dataset.exists() else "no such folder",
                               "a folder in BOP format, such as posebot synth writes")
    from posebot.api.training import train as run

    result = run(dataset, out=out, config=config, minutes=minutes, crops=crops, pictures=pictures,
                 detector=detector, start=start, add=add, only=only, frames=frames,
                 backgrounds=backgrounds, distractors=distractors or (), models=models, workers=workers,
                 address=address, ray=ray, tiny=tiny, seed=seed, runs=runs, log=partial(typer.echo, err=True))
    if left := left_behind(runs):
        typer.echo(left, err=True)
    if json:
        print_json(result)
    if not result["usable"] and not tiny:
        raise typer.Exit(EXIT_VERDICT_NO)
