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
from posebot.service.streams.manager import DesiredStreams, StreamUpdate, StreamWatcher, resting
from posebot.service.streams.output import Picture
from posebot.service.streams.runner import StreamRunner
from posebot.service.web.error_responses import ApiError


class LocalStreamManager:
    """See `StreamManager`."""

    def __init__(self, settings: Settings, engine: InferenceEngine) -> None:
        self._settings, self._engine = settings, engine
        self._wanted = DesiredStreams(settings)
        self._watches: dict[str, StreamWatcher] = {}

    async def start(self, name: str) -> None:
        self._settings.cameras[name]
        self._wanted.set(name, True)
        self._begin(name)

    async def stop(self, name: str) -> None:
        self._settings.cameras[name]
        self._wanted.set(name, False)
        watch = self._watches.pop(name, None)
        if watch is not None:
            await asyncio.to_thread(watch.runner.stop)

    async def status(self, name: str) -> dict[str, Any]:
        watch = self._watches.get(name)
        return resting(self._settings, name) if watch is None else watch.runner.status()

    async def counts(self, name: str) -> dict[str, Any] | None:
        watch = self._watches.get(name)
        return None if watch is None else watch.runner.meter.to_dict()

    async def news(self, name: str, after: int, state: str, picture: Picture, timeout: float) -> StreamUpdate:
        watch = self._watches.get(name)
        if watch is not None:
            return await watch.news(after, state, picture, timeout)
        self._settings.cameras[name]
        if state == "stopped":
            await asyncio.sleep(min(timeout, 0.5))
        return StreamUpdate("stopped", after)

    async def push(self, name: str, stamp: float | None, base_from_gripper: Array) -> None:
        self._settings.cameras[name]
        watch = self._watches.get(name)
        if watch is None:
            raise ApiError(409, f"stream {name!r} does not run", "not_running")
        watch.runner.placing.push(stamp, base_from_gripper)

    async def resume(self) -> None:
        for name in self._wanted.names():
            self._begin(name)

    async def close(self) -> None:
        watches, self._watches = list(self._watches.values()), {}
        await asyncio.gather(*[asyncio.to_thread(watch.runner.stop) for watch in watches])

    def _begin(self, name: str) -> None:
        watch = self._watches.get(name)
        if watch is not None and watch.runner.alive:
            return
        loop = asyncio.get_running_loop()

        def infer(frame: Frame, bundle: str | None) -> Prediction:
            future: Future[Prediction] = asyncio.run_coroutine_threadsafe(self._engine.infer(frame, bundle), loop)
            return future.result(self._settings.limits.infer_seconds)

        def open_bundle(key: str) -> Bundle:
            return Bundle.open(self._settings.bundles[key])

        runner = StreamRunner(name, self._settings, infer, open_bundle)
        self._watches[name] = StreamWatcher(runner)
        runner.start()
