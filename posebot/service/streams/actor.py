"""A stream as a Ray actor, in a process of its own: a camera that hangs or crashes affects nothing else.

Actors are detached: the API's replica may die and come back while they keep running. Ray restarts an actor that died.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from posebot.core.files import write_atomic
from posebot.core.frame import Frame
from posebot.core.transforms import Array
from posebot.models.bundle import Bundle
from posebot.service.engine.interface import Prediction
from posebot.service.settings import Settings
from posebot.service.streams.manager import StreamUpdate, not_running
from posebot.service.streams.output import ImageKind
from posebot.service.streams.runner import StreamRunner
from posebot.service.streams.watcher import StreamWatcher

_POLL_S = 0.25


class StreamActor:
    """Runs one stream and answers the API.

    Args:
        deployment, app: the Ray Serve deployment and application that run inference.
        fingerprint: of the settings, to recognize an actor with outdated ones.
    """

    def __init__(self, name: str, settings: Settings, deployment: str, app: str, fingerprint: str) -> None:
        self._name, self._settings, self._fingerprint = name, settings, fingerprint
        self._target, self._stopping = (deployment, app), threading.Event()
        self._watcher: StreamWatcher | None = None

    async def start(self) -> str:
        """Start the stream unless it is running; returns the fingerprint of its settings."""
        import ray

        if self._watcher is None or not self._watcher.runner.alive:
            restarts = 0
            if ray.get_runtime_context().was_current_actor_reconstructed:
                restarts = _count_restart(self._settings.state / "streams" / f"{self._name}.restarts")
            runner = StreamRunner(self._name, self._settings, self._infer, self._open_bundle, restarts)
            self._watcher = StreamWatcher(runner)
            runner.start()
        return self._fingerprint

    async def status(self) -> dict[str, Any]:
        """See `StreamManager.status`. An actor that Ray has restarted starts its stream here."""
        await self.start()
        return self._running.runner.status()

    async def counts(self) -> dict[str, Any]:
        """See `StreamManager.counts`."""
        return self._running.runner.stats.to_dict()

    async def next_update(self, after: int, state: str, image: ImageKind, timeout_s: float) -> StreamUpdate:
        """See `StreamManager.next_update`."""
        await self.start()
        return await self._running.next_update(after, state, image, timeout_s)

    async def push_pose(self, stamp: float | None, base_from_gripper: Array) -> None:
        """See `StreamManager.push_pose`."""
        self._running.runner.camera_pose.push(stamp, base_from_gripper)

    async def stop(self) -> None:
        """Finish recordings. The process can be killed after that."""
        self._stopping.set()
        if self._watcher is not None:
            await asyncio.to_thread(self._watcher.runner.stop)

    @property
    def _running(self) -> StreamWatcher:
        if self._watcher is None:
            raise not_running(self._name)
        return self._watcher

    def _infer(self, frame: Frame, bundle: str | None) -> Prediction:
        from ray import serve

        response = serve.get_deployment_handle(*self._target).infer.remote(frame, bundle)
        deadline = time.monotonic() + self._settings.limits.infer_seconds
        while True:
            try:
                prediction: Prediction = response.result(timeout_s=_POLL_S)
                return prediction
            except TimeoutError:  # there is no response while the service shuts down
                if self._stopping.is_set() or time.monotonic() > deadline:
                    response.cancel()
                    raise

    def _open_bundle(self, name: str) -> Bundle:
        return Bundle.open(self._settings.bundles[name])


def _count_restart(file: Path) -> int:
    """How often a stream has been restarted, kept in a file as the process itself does not survive."""
    count = 1
    with suppress(OSError, ValueError):
        count = int(file.read_text()) + 1
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, str(count))
    return count
