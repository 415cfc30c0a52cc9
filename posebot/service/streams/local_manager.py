"""Streams as threads of this process: for tests, and where there is no Ray."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

from posebot.core.frame import Frame
from posebot.core.transforms import Array
from posebot.models.bundle import Bundle
from posebot.service.engine.interface import InferenceEngine, Prediction
from posebot.service.settings import Settings
from posebot.service.streams.desired import DesiredStreams
from posebot.service.streams.manager import StreamUpdate, check_stream, not_running, stopped_status
from posebot.service.streams.output import ImageKind
from posebot.service.streams.runner import StreamRunner
from posebot.service.streams.watcher import StreamWatcher

_STOPPED_POLL_S = 0.5


class LocalStreamManager:
    """See `StreamManager`."""

    def __init__(self, settings: Settings, engine: InferenceEngine) -> None:
        self._settings, self._engine = settings, engine
        self._desired = DesiredStreams(settings)
        self._watchers: dict[str, StreamWatcher] = {}

    async def start(self, name: str) -> None:
        check_stream(self._settings, name)
        self._desired.set(name, True)
        self._run(name)

    async def stop(self, name: str) -> None:
        check_stream(self._settings, name)
        self._desired.set(name, False)
        watcher = self._watchers.pop(name, None)
        if watcher is not None:
            await asyncio.to_thread(watcher.runner.stop)

    async def status(self, name: str) -> dict[str, Any]:
        watcher = self._watchers.get(name)
        return stopped_status(self._settings, name) if watcher is None else watcher.runner.status()

    async def counts(self, name: str) -> dict[str, Any] | None:
        watcher = self._watchers.get(name)
        return None if watcher is None else watcher.runner.stats.to_dict()

    async def next_update(self, name: str, after: int, state: str, image: ImageKind, timeout_s: float) -> StreamUpdate:
        watcher = self._watchers.get(name)
        if watcher is not None:
            return await watcher.next_update(after, state, image, timeout_s)
        check_stream(self._settings, name)
        if state == "stopped":
            await asyncio.sleep(min(timeout_s, _STOPPED_POLL_S))
        return StreamUpdate("stopped", after)

    async def push_pose(self, name: str, stamp: float | None, base_from_gripper: Array) -> None:
        check_stream(self._settings, name)
        watcher = self._watchers.get(name)
        if watcher is None:
            raise not_running(name)
        watcher.runner.camera_pose.push(stamp, base_from_gripper)

    async def resume(self) -> None:
        for name in self._desired.names():
            self._run(name)

    async def close(self) -> None:
        watchers, self._watchers = list(self._watchers.values()), {}
        await asyncio.gather(*[asyncio.to_thread(watcher.runner.stop) for watcher in watchers])

    def _run(self, name: str) -> None:
        watcher = self._watchers.get(name)
        if watcher is not None and watcher.runner.alive:
            return
        loop = asyncio.get_running_loop()

        def infer(frame: Frame, bundle: str | None) -> Prediction:
            future: Future[Prediction] = asyncio.run_coroutine_threadsafe(self._engine.infer(frame, bundle), loop)
            return future.result(self._settings.limits.infer_seconds)

        def open_bundle(key: str) -> Bundle:
            return Bundle.open(self._settings.bundles[key])

        runner = StreamRunner(name, self._settings, infer, open_bundle)
        self._watchers[name] = StreamWatcher(runner)
        runner.start()
