"""Evaluation of all images of a BOP split in several processes. Records are written as they come; a run can resume."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from posebot.core.errors import OutputError, RunStateError
from posebot.core.files import write_atomic
from posebot.datasets.bop import ImageKey
from posebot.evaluation.metrics import METRICS
from posebot.evaluation.records import ImageRecord
from posebot.evaluation.worker import EstimateSource, EvaluationSplit, EvaluationWorker

FRAMES_FILE = "frames.jsonl"
SourceFactory = Callable[[], EstimateSource]
Executor = Callable[[EvaluationSplit, SourceFactory, Sequence[ImageKey]], Iterator[ImageRecord]]
"""Evaluates images, here or on other machines; the records come in any order."""


def evaluate(split: EvaluationSplit, make_source: SourceFactory, out: Path, fingerprint: dict[str, Any],
             executor: Executor, progress: Callable[[int, int], None] = lambda done, total: None) -> list[ImageRecord]:
    """Evaluate all images that the split's targets name; records are appended to `out/frames.jsonl`.

    Args:
        make_source: makes the source of estimates, in each process. fingerprint: what is evaluated, plain JSON; a run
            in `out` with another fingerprint or other metrics is not touched. executor: `local_executor(processes)` or
            a cluster. progress: is called with the number of finished images and of all images.
    Returns:
        Records in the order of the images.
    Raises:
        InputError: no targets, bad data, or `out` is a file or holds another evaluation.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(out, "is a file", "a folder for the report")
    targets = split.targets()
    path = out / FRAMES_FILE
    done = _resume(path, fingerprint)
    progress(len(done), len(targets))
    remaining = [key for key in targets if key.frame_id not in done]
    with path.open("a", encoding="utf-8") as file:
        for record in executor(split, make_source, remaining):
            file.write(record.to_json() + "\n")
            file.flush()
            done[record.frame_id] = record
            progress(len(done), len(targets))
    return [done[key.frame_id] for key in targets]


def local_executor(processes: int) -> Executor:
    """Executor in this process (1) or in `processes` new processes on this machine."""
    def executor(split: EvaluationSplit, make_source: SourceFactory, keys: Sequence[ImageKey]) -> Iterator[ImageRecord]:
        if processes <= 1 or len(keys) < 2:
            worker = EvaluationWorker(split, make_source) if keys else None
            yield from (worker.evaluate(key) for key in keys if worker)
            return
        workers, spawn = min(processes, len(keys)), get_context("spawn")
        with ProcessPoolExecutor(workers, spawn, _initialize, (split, make_source)) as pool:
            yield from pool.map(_evaluate, keys)

    return executor


_worker_arguments: list[tuple[EvaluationSplit, SourceFactory]] = []  # of a worker process


def _initialize(split: EvaluationSplit, make_source: SourceFactory) -> None:
    _worker_arguments[:] = [(split, make_source)]
    threading.Thread(target=_exit_with_parent, args=(os.getppid(),), daemon=True).start()


def _exit_with_parent(parent: int) -> None:
    """Exit when the parent is gone: a pool's process would wait for work forever."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


@lru_cache(maxsize=1)
def _worker() -> EvaluationWorker:
    """The worker of this process, made with its first image: an exception in the initializer would be lost."""
    return EvaluationWorker(*_worker_arguments[0])


def _evaluate(key: ImageKey) -> ImageRecord:
    return _worker().evaluate(key)


def is_free(out: Path, fingerprint: dict[str, Any]) -> bool:
    """Whether `evaluate` can write into `out`: it holds no evaluation, or this one."""
    path = out / FRAMES_FILE
    if not path.exists():
        return not out.exists() or out.is_dir()
    with path.open(encoding="utf-8") as file:
        return file.readline().rstrip("\n") == _header(fingerprint)


def _header(fingerprint: dict[str, Any]) -> str:
    """The first line of a run's file: what is evaluated, and by which metrics."""
    return json.dumps({**fingerprint, "metrics": list(METRICS)}, sort_keys=True)


def _resume(path: Path, fingerprint: dict[str, Any]) -> dict[str, ImageRecord]:
    """Records of an interrupted run by frame_id. Creates a missing file; truncates an incomplete last line."""
    header = _header(fingerprint)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, header + "\n")
        return {}
    first, *lines = path.read_text(encoding="utf-8").split("\n")
    if first != header:
        raise RunStateError(path, "belongs to another evaluation", "another --out, or delete that folder")
    if not lines or lines[-1]:  # an incomplete last line
        lines[-1:] = [""]
        write_atomic(path, "\n".join([first, *lines]))
    try:
        records = [ImageRecord.from_json(line) for line in lines[:-1]]
    except (ValueError, KeyError, TypeError):
        raise RunStateError(path, "holds a damaged line", "delete the file to begin anew") from None
    return {record.frame_id: record for record in records}
