"""`posebot doctor`: check this machine for what posebot needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from posebot.cli._common import JsonFlag, output, print_json
from posebot.core.errors import EXIT_VERDICT_NO

if TYPE_CHECKING:
    from posebot.cli._packages import Check, Task

STYLES = {"ok": "green", "warn": "yellow", "missing": "red"}


def doctor(
    json: JsonFlag = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Skip the checks that take seconds: renderers, torch.")
    ] = False,
) -> None:
    """Check this machine: Python, packages, libraries, runtimes, renderers, memory and disk.

    Each problem comes with the command that fixes it. The last line says what works: inference, training, serving,
    rendering. Exit code 3 if inference would not run.
    """
    from posebot.cli._machine import examine
    from posebot.cli._packages import able

    checks = []
    for check in examine(quick):
        checks.append(check)
        if not json:
            _print(check)
    obstacles = able(checks)
    ready = obstacles["inference"] is None
    if json:
        print_json({"ready": ready, "able": {task: check is None for task, check in obstacles.items()},
                    "checks": [asdict(check) for check in checks]})
    else:
        output().print(summary(obstacles) + ("; --quick has tried nothing" if quick else ""), markup=False)
    if not ready:
        raise typer.Exit(EXIT_VERDICT_NO)


def summary(obstacles: Mapping[Task, Check | None]) -> str:
    """`inference: yes, training: no, because … (pip install 'posebot[train]'), …`."""
    return ", ".join(f"{task}: {'yes' if check is None else f'no, because {check.found} ({check.advice})'}"
                     for task, check in obstacles.items())


def _print(check: Check) -> None:
    from rich.text import Text

    line = Text.assemble((f"{check.status:8}", STYLES[check.status]), f"{check.name}: {check.found}")
    if check.advice:
        line.append(f"\n        → {check.advice}")
    output().print(line)
