"""What trainings leave in `runs` and nobody needs once the bundle is written: samples, checkpoints, drafts.

Only what posebot is known to write is ever named: by its place and name below `runs`, never through a link. Bundles,
data sets (those that `train --add` renders, too), reports, the MLflow store and the service's state are left alone.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from posebot.core.errors import InputError, MissingFileError, RunStateError
from posebot.training.state import LOCK, STATE, locked

_TRAINING = ("crops", "images-*", "pictures-*", "detector", "localizer", "parts", "draft", "ray",
             "observations-*.jsonl", "mlflow_run_id")
_TUNING = ("samples", "held", "ray", "trials")  # not best.yaml, the result
_LAST = (STATE, LOCK)  # a run without its state is none
_BELONGS_TO_OTHERS = ("bundle.yaml", "models_info.json", "camera.json", "scene_gt.json", "keys.json")


@dataclass(frozen=True)
class Leftover:
    """Something that can be removed, or a reason why not.

    Attributes:
        path: a run's folder, or a file. parts: what of it would be removed. size: bytes of these.
        kept: why it stays; "" if it can be removed.
    """

    path: Path
    parts: tuple[Path, ...]
    size: int
    kept: str = ""


def leftovers(runs: Path, unfinished: bool = False) -> list[Leftover]:
    """Everything in `runs` that can be removed, and the runs that stay because they are in use or unfinished.

    Args:
        runs: the folder of `posebot train --runs`. unfinished: whether trainings that may still be continued count too.
    Raises:
        InputError: there is no such folder, or it is a link, a bundle or a data set.
    """
    if not runs.is_dir():
        raise MissingFileError("--runs", f"{runs} is no folder", "the folder that posebot train writes, such as runs")
    foreign = next((name for name in _BELONGS_TO_OTHERS if (runs / name).exists()), None)
    if runs.is_symlink() or foreign is not None:
        raise InputError("--runs", f"{runs} {'is a link' if foreign is None else f'has a {foreign}'}",
                         "the folder that posebot train writes, such as runs")
    return [*_runs(runs / "train", _TRAINING, "calibrate", unfinished),
            *_runs(runs / "tune", _TUNING, None, unfinished),
            *_files(runs / "recalibrate", "*.jsonl"), *_files(runs, "posebot-error-*.log")]


def remove(leftover: Leftover) -> None:
    """Remove the parts, and the folder if nothing is left in it. Raises RunStateError where it stays."""
    if leftover.kept:
        raise RunStateError(leftover.path, leftover.kept, "leave it")
    if not leftover.path.is_dir():
        leftover.path.unlink(missing_ok=True)
        return
    with locked(leftover.path):
        for part in leftover.parts:
            if part.is_dir():
                shutil.rmtree(part)
            else:
                part.unlink(missing_ok=True)
    if not any(leftover.path.iterdir()):
        leftover.path.rmdir()


def _runs(folder: Path, patterns: Sequence[str], last_stage: str | None, unfinished: bool) -> Iterator[Leftover]:
    """Folders of runs, known by their state. last_stage: with which a run is finished; None: it always is."""
    for run in _entries(folder, "*"):
        stages = _stages(run / STATE) if run.is_dir() else None
        if stages is None:
            continue
        parts = tuple(part for pattern in (*patterns, *_LAST) for part in _entries(run, pattern))
        kept = "in use" if _in_use(run) else ""
        if not kept and not unfinished and last_stage is not None and last_stage not in stages:
            kept = "unfinished: the same command continues it; --unfinished removes it"
        yield Leftover(run, parts, sum(map(_size, parts)), kept)


def _files(folder: Path, pattern: str) -> Iterator[Leftover]:
    for file in _entries(folder, pattern):
        if file.is_file():
            yield Leftover(file, (file,), _size(file))


def _entries(folder: Path, pattern: str) -> list[Path]:
    """Entries of a folder by name, without links; none where the folder is a link or does not exist."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    return sorted(entry for entry in folder.glob(pattern) if not entry.is_symlink())


def _stages(state: Path) -> set[str] | None:
    """Names of the finished stages; None where this is not the state of a run."""
    try:
        content = json.loads(state.read_text())
        return set(content["stages"]) if "identity" in content else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _in_use(run: Path) -> bool:
    if not (run / LOCK).exists():
        return False
    try:
        with locked(run):
            return False
    except RunStateError:
        return True


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; links count nothing."""
    files = (path,) if not path.is_dir() else (file for file in path.rglob("*") if not file.is_symlink())
    return sum(file.stat().st_size for file in files if file.is_file())
