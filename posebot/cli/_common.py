"""What commands share: option types, JSON on stdout, messages on stderr."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
BundleOption = Annotated[str, typer.Option("--bundle", help="A bundle's folder or zip, or a name: kit.")]
DepthFlag = Annotated[bool, typer.Option("--depth/--no-depth", help="Use the depth image where a frame has one.")]
SplitOption = Annotated[str, typer.Option("--split", help="Split of a BOP data set: a folder such as test.")]
SeedOption = Annotated[int, typer.Option("--seed", help="The same seed gives the same result.")]
OutOption = Annotated[Path, typer.Option("--out", help="Where to write.")]


def print_json(data: Any) -> None:
    """One JSON document on stdout; NaN and infinity are refused, as JSON has none."""
    typer.echo(json.dumps(data, indent=2, allow_nan=False))


def console() -> Console:
    """A rich console on stderr, so that stdout stays clean for results."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)
