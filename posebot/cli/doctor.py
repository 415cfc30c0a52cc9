"""`posebot doctor`: check this machine for what posebot needs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from posebot.cli._common import JsonFlag, output, print_json
from posebot.core.errors import EXIT_VERDICT_NO

if TYPE_CHECKING:
    from posebot.cli._packages import Check

STYLES = {"ok": "green", "warn": "yellow", "missing": "red"}


def doctor(
    json: JsonFlag = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Skip the checks that take seconds: renderers, torch.")
    ] = False,
) -> None:
    """Check this machine: Python, packages, libraries, runtimes, renderers, memory and disk.

    Each problem comes with the command that fixes it. Exit code 3 if inference would not run.
    """
    from posebot.cli._machine import examine

    checks = []
    for check in examine(quick):
        checks.append(check)
        if not json:
            _print(check)
    ready = all(check.status != "missing" for check in checks)
    if json:
        print_json({"ready": ready, "checks": [asdict(check) for check in checks]})
    if not ready:
        raise typer.Exit(EXIT_VERDICT_NO)


def _print(check: Check) -> None:
    from rich.text import Text

    line = Text.assemble((f"{check.status:8}", STYLES[check.status]), f"{check.name}: {check.found}")
    if check.advice:
        line.append(f"\n        → {check.advice}")
    output().print(line)
