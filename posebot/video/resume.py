"""Resuming an interrupted run: its settings are stored beside the results file and must be the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posebot.core.errors import InputError
from posebot.core.files import write_atomic
from posebot.core.results import FrameResult
from posebot.video.sinks import read_jsonl


def resume(path: Path, settings: Mapping[str, Any], overwrite: bool, live: bool) -> list[FrameResult]:
    """Results that `path` has already, of the same settings; none for a new file. Writes `path` + ".run.json".

    Args:
        settings: everything that results depend on, plain JSON. overwrite: discard existing results. live: the source
            cannot be resumed.
    Raises:
        InputError: the file has results of other settings, or of a live source; nothing is changed then.
    """
    current: dict[str, Any] = json.loads(json.dumps(settings))
    record = path.with_name(path.name + ".run.json")
    if path.exists() and path.stat().st_size > 0 and not overwrite:
        earlier = _read(record)
        if live or earlier != current:
            raise InputError("--out", f"{path} has results of {_difference(earlier, current, live)}",
                             "another file, or --overwrite")
        return read_jsonl(path, repair=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    write_atomic(record, json.dumps(current, indent=2) + "\n")
    return []


def _read(record: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def _difference(earlier: dict[str, Any] | None, settings: dict[str, Any], live: bool) -> str:
    if earlier is None:
        return "unknown origin (no .run.json beside it)"
    changed = next((name for name in settings if earlier.get(name) != settings[name]), None)
    if changed is None:
        return "an earlier run of this camera" if live else "another run"
    return f"another run ({changed} was {earlier.get(changed)}, now {settings[changed]})"
