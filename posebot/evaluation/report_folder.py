"""Where a report goes by default: a folder for each data set, split, source, and way of judging."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

from posebot.evaluation.worker import EvaluationSplit


def folder_name(split: EvaluationSplit, source: Path, pose_settings: Path | None = None) -> str:
    """Such as "part-test-kit-rgbd", "part-test-kit-rgb-shifted" or "part-test-kit-rgbd-objects-1-5-fast".

    Args:
        source: a bundle (folder, zip or name), or a csv, whose name says what it was made from. pose_settings: of the
            bundle, where they are not its own.
    """
    csv = source.suffix == ".csv"
    name = source.stem if source.suffix in (".csv", ".zip") else source.name
    parts = [split.root.resolve().name, split.name, name, *(() if csv else ("rgbd" if split.depth else "rgb",))]
    if split.shifted:
        parts.append("shifted")
    if split.objects:
        parts += ["objects", *map(str, split.objects)]
    if pose_settings is not None:
        parts.append(pose_settings.stem)
    return "-".join(parts)


def first_usable(folder: Path, usable: Callable[[Path], bool]) -> Path:
    """`folder`, or else `folder-2`, `folder-3`, …: a bundle that was trained again gets a report beside the first."""
    numbered = (folder if number == 1 else folder.with_name(f"{folder.name}-{number}") for number in count(1))
    return next(candidate for candidate in numbered if usable(candidate))
