"""Going on after a kill: what a results file was made from is kept beside it, and must be the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posebot.core.errors import InputError
from posebot.core.files import write_atomic
from posebot.core.results import FrameResult
from posebot.video.sinks import read_jsonl


def resume(path: Path, made_from: Mapping[str, Any], overwrite: bool, live: bool) -> list[FrameResult]:
    """The results that `path` holds already, by the same command; none for a new file. Writes `path` + ".run.json".

    Args:
        made_from: JSON-able settings that results depend on. overwrite: forget what is there. live: the source cannot
            be continued, since its frames are gone.
    Raises:
        InputError: the file holds results of other settings, or of a live source; nothing is touched then.
    """
    settings = json.loads(json.dumps(made_from))
    record = path.with_name(path.name + ".run.json")
    if path.exists() and path.stat().st_size > 0 and not overwrite:
        earlier = _read(record)
        if live or earlier != settings:
            raise InputError("--out", f"{path} holds results of {_difference(earlier, settings, live)}",
                             "another file, or --overwrite")
        return read_jsonl(path, mend=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    write_atomic(record, json.dumps(settings, indent=2) + "\n")
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
