"""The state of a run folder: the run's identity, and which of its stages are finished. An interruption loses none."""

from __future__ import annotations

import fcntl
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from posebot.core.errors import RunStateError
from posebot.core.files import write_atomic

STATE, LOCK = "state.json", "lock"


class RunState:
    """`state.json` of a run folder.

    Args:
        folder: the run's. identity: what must stay the same from start to end (data, objects, sizes of the networks).
    Raises:
        InputError: the folder holds another run, or `state.json` is damaged.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.path = folder / STATE
        folder.mkdir(parents=True, exist_ok=True)
        self._content: dict[str, Any] = {"identity": dict(identity), "started": time.time(), "stages": {}}
        if self.path.exists():
            self._content = _read(self.path)
            _require_same(self._content["identity"], json.loads(json.dumps(dict(identity))), folder)
        self._save()

    def stage(self, name: str, token: str, work: Callable[[], dict[str, Any]], say: Callable[[str], None]
              ) -> dict[str, Any]:
        """The result of a stage: of this call of `work`, or of an earlier one with the same token.

        Args:
            token: changes with everything that the stage's result depends on. work: returns plain data to remember.
        """
        record = self._content["stages"].get(name)
        if record is not None and record["token"] == token:
            say(f"{name:<10} done before")
            return dict(record["result"])
        start = time.monotonic()
        result = work()
        seconds = round(time.monotonic() - start, 1)
        self._content["stages"][name] = {"token": token, "seconds": seconds, "result": result}
        self._save()
        return result

    def _save(self) -> None:
        write_atomic(self.path, json.dumps(self._content, indent=1))


def token(*parts: Any) -> str:
    """A short digest of plain data."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run folder for this process alone. Raises InputError where another one has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RunStateError(folder, "another posebot train is running here",
                                "another --out, or wait for it") from None
        yield


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
        started = content.get("started", content.get("begun", 0.0))  # "begun" before 0.2
        return {"identity": dict(content["identity"]), "started": started, "stages": dict(content["stages"])}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunStateError(path, f"is damaged ({error})", "remove the run's folder to start again") from None


def _require_same(before: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    for name in now:
        if before.get(name) != now[name]:
            raise RunStateError(folder, f"this run was started with {name} = {before.get(name)}, not {now[name]}",
                                "the same settings to continue, another --out, or remove the folder to start again")
