"""`posebot tune`: Ray Tune over the settings of training."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from posebot.cli._common import JsonFlag, print_json
from posebot.core.files import write_atomic


class Network(StrEnum):
    """Whose settings are tried."""

    detector = "detector"
    localizer = "localizer"


def tune(
    dataset: Annotated[Path, typer.Option(help="BOP data set: models/ and a train split, as posebot synth writes.")],
    trials: Annotated[int, typer.Option(min=1, help="Settings to try; the first is the configuration as it is.")] = 12,
    minutes: Annotated[float, typer.Option(min=0.05, help="Of each trial; the worse ones are stopped early.")] = 10.0,
    network: Annotated[Network, typer.Option(help="Whose settings.")] = Network.localizer,
    config: Annotated[Path | None, typer.Option(help="YAML file with settings to start from.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="Bundle whose weights all trials start with.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the best settings are copied to, as YAML.")] = None,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster; default: one of its own.")] = None,
    tiny: Annotated[bool, typer.Option("--tiny", help="Small networks: to see that it works.")] = False,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed draws the same settings.")] = None,
    runs: Annotated[Path, typer.Option(help="Folder for trials and samples.")] = Path("runs"),
    json: JsonFlag = False,
) -> None:
    """Search for better training settings, in parallel; writes them as a file for `posebot train --config`.

    The same command again continues an interrupted search.
    """
    from posebot.training.config import TINY, TrainConfig, load_config
    from posebot.training.tune import Study
    from posebot.training.tune import tune as search

    base = TINY if tiny else TrainConfig()
    settings = load_config(config, base) if config else base
    settings = settings if seed is None else replace(settings, seed=seed)
    study = Study(dataset, network.value, settings, trials, minutes, start, address, runs)
    found = search(study, say=partial(typer.echo, err=True))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(out, Path(found["config"]).read_bytes())
    if json:
        print_json(found)
