"""A running stream as seen from one event loop."""

from __future__ import annotations

import asyncio
import json

from posebot.service.streams.manager import StreamUpdate
from posebot.service.streams.output import ImageKind
from posebot.service.streams.runner import StreamRunner

_STATE_POLL_S = 0.5  # a stream becomes stale without any event


class StreamWatcher:
    """Lets many coroutines wait for the next result of a stream without a thread each."""

    def __init__(self, runner: StreamRunner) -> None:
        self.runner = runner
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        runner.listeners.append(self._on_change)

    async def next_update(self, after: int, state: str, image: ImageKind, timeout_s: float) -> StreamUpdate:
        """See `StreamManager.next_update`."""
        runner, deadline = self.runner, self._loop.time() + timeout_s
        while True:
            changed, newest = self._changed, runner.newest
            if newest is not None and newest.sequence != after:  # a restarted stream counts from 1 again
                jpeg = None if image == "none" else await asyncio.to_thread(newest.jpeg, image)
                header = json.dumps(newest.header(), allow_nan=False)
                return StreamUpdate(runner.state, newest.sequence, header, jpeg, newest.frame.captured_at)
            remaining = deadline - self._loop.time()
            if runner.state != state or remaining <= 0:
                return StreamUpdate(runner.state, after)
            try:
                await asyncio.wait_for(changed.wait(), min(remaining, _STATE_POLL_S))
            except TimeoutError:
                continue

    def _on_change(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()
