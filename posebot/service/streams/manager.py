"""What the API wants of streams, whoever runs them; and which of them shall run."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from posebot.core.files import write_atomic
from posebot.core.transforms import Array
from posebot.service.settings import Settings
from posebot.service.streams.output import Picture
from posebot.service.streams.runner import StreamRunner


@dataclass(frozen=True)
class StreamUpdate:
    """What has changed: the state, and a newer result (`header` as JSON, its picture) if there is one."""

    state: str
    sequence: int
    header: str | None = None
    jpeg: bytes | None = None
    captured_at: float = 0.0


class StreamManager(Protocol):
    """Runs the streams of a configuration. Names are those of its cameras; anything else raises KeyError."""

    async def start(self, name: str) -> None: ...

    async def stop(self, name: str) -> None: ...

    async def status(self, name: str) -> dict[str, Any]: ...

    async def counts(self, name: str) -> dict[str, Any] | None:
        """`StreamStats.to_dict`, None where the stream does not run."""

    async def news(self, name: str, after: int, state: str, picture: Picture, timeout: float) -> StreamUpdate:
        """As soon as there is another result than `after`, or a state other than `state`; or after the timeout."""

    async def push(self, name: str, stamp: float | None, base_from_gripper: Array) -> None:
        """Raises InputError where the stream does not take poses, ApiError 409 where it does not run."""

    async def resume(self) -> None:
        """Start those that shall run and do not."""

    async def close(self) -> None:
        """Stop all; they are still wanted at the next start."""


class StreamWatcher:
    """A stream seen from one event loop: many may wait for its next result without a thread each."""

    def __init__(self, runner: StreamRunner) -> None:
        self.runner = runner
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        runner.listeners.append(self._told)

    async def news(self, after: int, state: str, picture: Picture, timeout: float) -> StreamUpdate:
        """See `StreamManager.news`."""
        runner, end = self.runner, self._loop.time() + timeout
        while True:
            changed, newest = self._changed, runner.newest
            if newest is not None and newest.sequence != after:  # a stream that was started again counts anew
                jpeg = None if picture == "none" else await asyncio.to_thread(newest.jpeg, picture)
                header = json.dumps(newest.header(), allow_nan=False)
                return StreamUpdate(runner.state, newest.sequence, header, jpeg, newest.frame.captured_at)
            left = end - self._loop.time()
            if runner.state != state or left <= 0:
                return StreamUpdate(runner.state, after)
            try:
                await asyncio.wait_for(changed.wait(), min(left, 0.5))  # it turns stale without anybody telling
            except TimeoutError:
                continue

    def _told(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()


class DesiredStreams:
    """Which streams shall run, in a file: what was started over the API runs again after a restart."""

    def __init__(self, settings: Settings) -> None:
        self._file = settings.state / "streams.json"
        self._default = {name: settings.stream(name).autostart for name in settings.cameras}

    def __getitem__(self, name: str) -> bool:
        return self._default[name] if name not in (known := _read(self._file)) else known[name]

    def set(self, name: str, wanted: bool) -> None:
        """Remember it."""
        data = _read(self._file) | {name: wanted}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._file, json.dumps(data))

    def names(self) -> list[str]:
        """Those that shall run."""
        return [name for name in self._default if self[name]]


def _read(path: Path) -> dict[str, bool]:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): bool(wanted) for name, wanted in data.items()} if isinstance(data, dict) else {}


def resting(settings: Settings, name: str) -> dict[str, Any]:
    """The status of a stream that does not run. Raises KeyError for one that does not exist."""
    return {"name": name, "kind": settings.cameras[name].kind, "state": "stopped"}
