"""Streams as Ray actors, one process each: a camera that hangs or dies takes nothing else with it.

The actors are detached: a replica of the API may die and come back while they run on. Ray starts one that died again;
it then says so.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
import time
from contextlib import suppress
from typing import Any

from posebot.core.frame import Frame
from posebot.core.transforms import Array
from posebot.models.bundle import Bundle
from posebot.service.engine.interface import Prediction
from posebot.service.settings import Settings
from posebot.service.streams.manager import DesiredStreams, StreamUpdate, StreamWatcher, resting
from posebot.service.streams.output import Picture
from posebot.service.streams.runner import StreamRunner
from posebot.service.web.error_responses import ApiError

log = logging.getLogger("posebot.service")
NAMESPACE = "posebot"
_CALL_S = 5.0
_PATIENCE_S = 0.25


class StreamActor:
    """Runs one stream and answers the API. `deployment`, `app`: whom to ask for inference."""

    def __init__(self, name: str, settings: Settings, deployment: str, app: str, fingerprint: str) -> None:
        self._name, self._settings, self.fingerprint = name, settings, fingerprint
        self._target, self._ended = (deployment, app), threading.Event()
        self._watch: StreamWatcher | None = None

    async def begin(self) -> str:
        """Start, if it does not run yet; the fingerprint of the settings it runs with."""
        import ray

        if self._watch is None or not self._watch.runner.alive:
            restarts = 0
            if ray.get_runtime_context().was_current_actor_reconstructed:
                restarts = self._counted()
            runner = StreamRunner(self._name, self._settings, self._infer, self._open, restarts)
            self._watch = StreamWatcher(runner)
            runner.start()
        return self.fingerprint

    async def status(self) -> dict[str, Any]:
        """See `StreamManager.status`. A process that Ray has restarted begins here."""
        await self.begin()
        return self._watched.runner.status()

    async def counts(self) -> dict[str, Any]:
        """See `StreamManager.counts`."""
        return self._watched.runner.meter.to_dict()

    async def news(self, after: int, state: str, picture: Picture, timeout: float) -> StreamUpdate:
        """See `StreamManager.news`."""
        await self.begin()
        return await self._watched.news(after, state, picture, timeout)

    async def push(self, stamp: float | None, base_from_gripper: Array) -> None:
        """See `StreamManager.push`."""
        self._watched.runner.placing.push(stamp, base_from_gripper)

    async def stop(self) -> None:
        """Finish recordings; the process is to be killed after that."""
        self._ended.set()
        if self._watch is not None:
            await asyncio.to_thread(self._watch.runner.stop)

    async def pid(self) -> int:
        """Of this process."""
        import os

        return os.getpid()

    @property
    def _watched(self) -> StreamWatcher:
        if self._watch is None:
            raise ApiError(409, f"stream {self._name!r} does not run", "not_running")
        return self._watch

    def _infer(self, frame: Frame, bundle: str | None) -> Prediction:
        from ray import serve

        asked = serve.get_deployment_handle(*self._target).infer.remote(frame, bundle)
        end = time.monotonic() + self._settings.limits.infer_seconds
        while True:
            try:
                answer: Prediction = asked.result(timeout_s=_PATIENCE_S)
                return answer
            except TimeoutError:  # nobody answers any more while the service goes down
                if self._ended.is_set() or time.monotonic() > end:
                    asked.cancel()
                    raise

    def _open(self, key: str) -> Bundle:
        return Bundle.open(self._settings.bundles[key])

    def _counted(self) -> int:
        """How often this stream has been started again, in a file, as the process itself forgets."""
        file = self._settings.state / "streams" / f"{self._name}.restarts"
        count = 1
        with suppress(OSError, ValueError):
            count = int(file.read_text()) + 1
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(count))
        return count


class RayStreamManager:
    """See `StreamManager`."""

    def __init__(self, settings: Settings, deployment: str, app: str) -> None:
        self._settings, self._target = settings, (deployment, app)
        self._wanted = DesiredStreams(settings)
        self._actors: dict[str, Any] = {}
        text = settings.model_dump_json(exclude={"cameras"}) + repr(sorted(settings.cameras.items()))
        self._fingerprint = hashlib.sha256(text.encode()).hexdigest()[:16]

    async def start(self, name: str) -> None:
        self._settings.cameras[name]
        self._wanted.set(name, True)
        await self._begin(name)

    async def stop(self, name: str) -> None:
        self._settings.cameras[name]
        self._wanted.set(name, False)
        await self._end(name)

    async def status(self, name: str) -> dict[str, Any]:
        actor = self._actors.get(name)
        if actor is None:
            return resting(self._settings, name)
        try:
            return dict(await asyncio.wait_for(actor.status.remote(), _CALL_S))
        except Exception as error:
            return self._lost(name, error)

    async def counts(self, name: str) -> dict[str, Any] | None:
        actor = self._actors.get(name)
        if actor is None:
            return None
        with suppress(Exception):
            return dict(await asyncio.wait_for(actor.counts.remote(), _CALL_S))
        return None

    async def news(self, name: str, after: int, state: str, picture: Picture, timeout: float) -> StreamUpdate:
        self._settings.cameras[name]
        actor = self._actors.get(name)
        if actor is None:
            if state == "stopped":
                await asyncio.sleep(min(timeout, 0.5))
            return StreamUpdate("stopped", after)
        try:
            update: StreamUpdate = await asyncio.wait_for(actor.news.remote(after, state, picture, timeout),
                                                          timeout + _CALL_S)
        except Exception:
            await asyncio.sleep(0.5)
            return StreamUpdate("reconnecting", 0)  # a new process counts from 1 again
        return update

    async def push(self, name: str, stamp: float | None, base_from_gripper: Array) -> None:
        self._settings.cameras[name]
        if name not in self._actors:
            raise ApiError(409, f"stream {name!r} does not run", "not_running")
        await _awaited(self._actors[name].push.remote(stamp, base_from_gripper))

    async def resume(self) -> None:
        for name in self._settings.cameras:
            if self._wanted[name]:
                try:
                    await self._begin(name)
                except Exception as error:  # one that cannot start must not keep the others from it
                    log.warning("stream %s: %s", name, error)

    async def close(self) -> None:
        await asyncio.gather(*[self._end(name) for name in list(self._actors)])

    async def _begin(self, name: str) -> None:
        actor = self._actors.get(name) or self._actor(name)
        known = await asyncio.wait_for(actor.begin.remote(), 60)
        if known != self._fingerprint:  # it runs on from before a change of the configuration
            self._actors[name] = actor
            await self._end(name)
            actor = self._actor(name)
            await asyncio.wait_for(actor.begin.remote(), 60)
        self._actors[name] = actor

    async def _end(self, name: str) -> None:
        import ray

        actor = self._actors.pop(name, None)
        if actor is None:
            return
        with suppress(Exception):
            await asyncio.wait_for(actor.stop.remote(), 20)
        ray.kill(actor)

    def _actor(self, name: str) -> Any:
        import ray

        remote = ray.remote(StreamActor).options(
            name=f"stream:{name}", namespace=NAMESPACE, lifetime="detached", get_if_exists=True, max_restarts=-1,
            num_cpus=0, max_concurrency=1000)
        return remote.remote(name, self._settings, *self._target, self._fingerprint)

    def _lost(self, name: str, error: Exception) -> dict[str, Any]:
        import time

        now = time.time()
        message = f"the stream's process does not answer ({type(error).__name__})"
        return resting(self._settings, name) | {"state": "reconnecting", "error": {
            "code": "restarted", "message": message, "since": now, "attempt": 1, "retry_at": now}}


async def _awaited(reference: Any) -> Any:
    """The result of an actor's call; its own errors instead of Ray's wrapping."""
    import ray

    try:
        return await asyncio.wait_for(reference, _CALL_S)
    except ray.exceptions.RayTaskError as error:
        raise error.cause or error from None
    except (ray.exceptions.RayError, TimeoutError):
        raise ApiError(503, "the stream's process does not answer", "unavailable") from None

