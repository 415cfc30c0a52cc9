"""Judge all pictures of a BOP split, in several processes, resumable: records go to disk as they are made."""

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
from posebot.evaluation.records import Record
from posebot.evaluation.worker import Source, Split, Worker

FRAMES_FILE = "frames.jsonl"
Judges = Callable[[Split, Callable[[], Source], Sequence[ImageKey]], Iterator[Record]]


def evaluate(split: Split, make_source: Callable[[], Source], out: Path, fingerprint: dict[str, Any], judges: Judges,
             progress: Callable[[int, int], None] = lambda done, total: None) -> list[Record]:
    """Judge every picture that the split's targets name; records go to `out/frames.jsonl` as they are made.

    Args:
        make_source: recipe of the source. fingerprint: what is evaluated, plain JSON; a file in `out` with another one
            is not touched. judges: who does the work, `local(processes)` or a cluster. progress: told the number of
            pictures that are done and of all.
    Returns:
        Records in the order of the pictures.
    Raises:
        InputError: no targets, bad data, or `out` is a file or holds another evaluation.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(out, "is a file", "a folder for the report")
    wanted = split.wanted()
    path = out / FRAMES_FILE
    done = _resume(path, fingerprint)
    progress(len(done), len(wanted))
    left = [key for key in wanted if key.frame_id not in done]
    with path.open("a", encoding="utf-8") as file:
        for record in judges(split, make_source, left):
            file.write(record.to_json() + "\n")
            file.flush()
            done[record.frame_id] = record
            progress(len(done), len(wanted))
    return [done[key.frame_id] for key in wanted]


def local(processes: int) -> Judges:
    """Judges in this process (1) or in `processes` new ones on this machine."""
    def judges(split: Split, make_source: Callable[[], Source], keys: Sequence[ImageKey]) -> Iterator[Record]:
        if processes <= 1 or len(keys) < 2:
            worker = Worker(split, make_source) if keys else None
            yield from (worker.judge(key) for key in keys if worker)
            return
        workers, spawn = min(processes, len(keys)), get_context("spawn")
        with ProcessPoolExecutor(workers, spawn, _keep, (split, make_source)) as pool:
            yield from pool.map(_judge, keys)

    return judges


_recipe: list[tuple[Split, Callable[[], Source]]] = []  # in a worker process: what its worker is to be made of


def _keep(split: Split, make_source: Callable[[], Source]) -> None:
    _recipe[:] = [(split, make_source)]
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    """A pool's process whose parent was killed would wait for work for ever."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


@lru_cache(maxsize=1)
def _worker() -> Worker:
    """This process's worker, made with its first picture: an error at the start of a process would be lost."""
    return Worker(*_recipe[0])


def _judge(key: ImageKey) -> Record:
    return _worker().judge(key)


def _resume(path: Path, fingerprint: dict[str, Any]) -> dict[str, Record]:
    """The records already there. Starts the file where there is none, and cuts off half a last line."""
    header = json.dumps(fingerprint, sort_keys=True)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, header + "\n")
        return {}
    first, *lines = path.read_text(encoding="utf-8").split("\n")
    if first != header:
        raise RunStateError(path, "belongs to another evaluation", "another --out, or delete that folder")
    if not lines or lines[-1]:  # what follows the last line break was cut off
        lines[-1:] = [""]
        write_atomic(path, "\n".join([first, *lines]))
    try:
        records = [Record.from_json(line) for line in lines[:-1]]
    except (ValueError, KeyError, TypeError):
        raise RunStateError(path, "holds a damaged line", "delete the file to begin anew") from None
    return {record.frame_id: record for record in records}
