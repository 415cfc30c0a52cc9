"""What commands share: option types, JSON on stdout, messages on stderr."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
BundleOption = Annotated[str, typer.Option("--bundle", help="A bundle: a name (kit), a folder or a zip.")]
DepthFlag = Annotated[bool, typer.Option("--depth/--no-depth", help="Use depth images where there are any.")]
SplitOption = Annotated[str, typer.Option("--split", help="Split of the BOP data set, such as test.")]
PoseSettingsOption = Annotated[Path | None, typer.Option(
    "--pose-settings", help="YAML of pose stage settings that differ from the bundle's.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of the random numbers.")]


def print_json(data: Any) -> None:
    """One JSON document on stdout. Raises ValueError for NaN and infinity, which JSON does not have."""
    typer.echo(json.dumps(data, indent=2, allow_nan=False))


def output(soft_wrap: bool = True) -> Console:
    """A rich console on stdout, for results. soft_wrap: leave long lines to the terminal."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=soft_wrap)


def console() -> Console:
    """A rich console on stderr, for progress and messages: stdout is for results."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)
