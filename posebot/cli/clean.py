"""`posebot clean`: remove what trainings have left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from posebot.cli._common import JsonFlag, output, print_json


def clean(
    runs: Annotated[Path, typer.Option(help="Folder of posebot train --runs.")] = Path("runs"),
    yes: Annotated[bool, typer.Option("--yes", help="Remove; without it, only list.")] = False,
    unfinished: Annotated[bool, typer.Option("--unfinished", help="Also trainings that could be continued.")] = False,
    json: JsonFlag = False,
) -> None:
    """List what finished trainings left in runs (samples, checkpoints, drafts), with sizes; --yes removes it.

    Bundles, data sets, reports, the MLflow store and the service's state are never touched.
    """
    from posebot.training.leftovers import leftovers, remove

    found = leftovers(runs, unfinished)
    removable = [leftover for leftover in found if not leftover.kept]
    for leftover in removable if yes else ():
        remove(leftover)
    total = sum(leftover.size for leftover in removable)
    if json:
        print_json({"removed": yes, "bytes": total, "found": [
            {"path": str(leftover.path), "bytes": leftover.size, "parts": [part.name for part in leftover.parts],
             "kept": leftover.kept or None} for leftover in found]})
        return
    screen = output()
    for leftover in found:
        what = leftover.kept and f"kept, {leftover.kept}"
        names = ", ".join(part.name for part in leftover.parts) if leftover.path.is_dir() else ""
        screen.print(f"{_megabytes(leftover.size):>9}  {leftover.path}  {what or names}".rstrip(), markup=False)
    if not removable:
        screen.print(f"nothing to remove in {runs}", markup=False)
    else:
        screen.print(f"{_megabytes(total):>9}  {'removed' if yes else 'in all; posebot clean --yes removes it'}")


def left_behind(runs: Path) -> str:
    """One line about what can be removed; "" where it is nothing."""
    from posebot.training.leftovers import leftovers

    size = sum(leftover.size for leftover in leftovers(runs) if not leftover.kept) if runs.is_dir() else 0
    option = "" if runs == Path("runs") else f" --runs {runs}"
    return f"{_megabytes(size)} of samples and checkpoints are left in {runs}: posebot clean{option}" if size else ""


def _megabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
