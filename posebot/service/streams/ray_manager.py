"""Streams as detached Ray actors."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from contextlib import suppress
from typing import Any

from posebot.core.transforms import Array
from posebot.service.errors import Unavailable
from posebot.service.settings import Settings
from posebot.service.streams.actor import StreamActor
from posebot.service.streams.desired import DesiredStreams
from posebot.service.streams.manager import StreamUpdate, check_stream, not_running, stopped_status
from posebot.service.streams.output import ImageKind

log = logging.getLogger("posebot.service")
NAMESPACE = "posebot"
_CALL_TIMEOUT_S, _START_TIMEOUT_S, _STOP_TIMEOUT_S = 5.0, 60.0, 20.0
_RETRY_S = 0.5


class RayStreamManager:
    """See `StreamManager`. `deployment`, `app`: see `StreamActor`."""

    def __init__(self, settings: Settings, deployment: str, app: str) -> None:
        self._settings, self._target = settings, (deployment, app)
        self._desired = DesiredStreams(settings)
        self._actors: dict[str, Any] = {}
        self._fingerprint = _fingerprint(settings)

    async def start(self, name: str) -> None:
        check_stream(self._settings, name)
        self._desired.set(name, True)
        await self._run(name)

    async def stop(self, name: str) -> None:
        check_stream(self._settings, name)
        self._desired.set(name, False)
        await self._end(name)

    async def status(self, name: str) -> dict[str, Any]:
        actor = self._actors.get(name)
        if actor is None:
            return stopped_status(self._settings, name)
        try:
            return dict(await asyncio.wait_for(actor.status.remote(), _CALL_TIMEOUT_S))
        except Exception as error:
            return self._lost_status(name, error)

    async def counts(self, name: str) -> dict[str, Any] | None:
        actor = self._actors.get(name)
        if actor is None:
            return None
        with suppress(Exception):
            return dict(await asyncio.wait_for(actor.counts.remote(), _CALL_TIMEOUT_S))
        return None

    async def next_update(self, name: str, after: int, state: str, image: ImageKind, timeout_s: float) -> StreamUpdate:
        check_stream(self._settings, name)
        actor = self._actors.get(name)
        if actor is None:
            if state == "stopped":
                await asyncio.sleep(min(timeout_s, _RETRY_S))
            return StreamUpdate("stopped", after)
        try:
            reference = actor.next_update.remote(after, state, image, timeout_s)
            update: StreamUpdate = await asyncio.wait_for(reference, timeout_s + _CALL_TIMEOUT_S)
        except Exception:
            await asyncio.sleep(_RETRY_S)
            return StreamUpdate("reconnecting", 0)  # a new process counts from 1 again
        return update

    async def push_pose(self, name: str, stamp: float | None, base_from_gripper: Array) -> None:
        check_stream(self._settings, name)
        if name not in self._actors:
            raise not_running(name)
        await _call(self._actors[name].push_pose.remote(stamp, base_from_gripper))

    async def resume(self) -> None:
        for name in self._desired.names():
            try:
                await self._run(name)
            except Exception as error:  # one that cannot start must not prevent the others
                log.warning("stream %s cannot be started: %s", name, error)

    async def close(self) -> None:
        await asyncio.gather(*[self._end(name) for name in list(self._actors)])

    async def _run(self, name: str) -> None:
        actor = self._actors.get(name) or self._get_or_create(name)
        fingerprint = await asyncio.wait_for(actor.start.remote(), _START_TIMEOUT_S)
        if fingerprint != self._fingerprint:  # it was started with another configuration
            self._actors[name] = actor
            await self._end(name)
            actor = self._get_or_create(name)
            await asyncio.wait_for(actor.start.remote(), _START_TIMEOUT_S)
        self._actors[name] = actor

    async def _end(self, name: str) -> None:
        import ray

        actor = self._actors.pop(name, None)
        if actor is None:
            return
        with suppress(Exception):
            await asyncio.wait_for(actor.stop.remote(), _STOP_TIMEOUT_S)
        ray.kill(actor)

    def _get_or_create(self, name: str) -> Any:
        import ray

        remote = ray.remote(StreamActor).options(
            name=f"stream:{name}", namespace=NAMESPACE, lifetime="detached", get_if_exists=True, max_restarts=-1,
            num_cpus=0, max_concurrency=1000)
        return remote.remote(name, self._settings, *self._target, self._fingerprint)

    def _lost_status(self, name: str, error: Exception) -> dict[str, Any]:
        now = time.time()
        message = f"the stream's process does not respond ({type(error).__name__})"
        return stopped_status(self._settings, name) | {"state": "reconnecting", "error": {
            "code": "restarted", "message": message, "since": now, "attempt": 1, "retry_at": now}}


def _fingerprint(settings: Settings) -> str:
    text = settings.model_dump_json(exclude={"cameras"}) + repr(sorted(settings.cameras.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


async def _call(reference: Any) -> Any:
    """The result of an actor's method. Raises its own errors without Ray's wrapper, or Unavailable."""
    import ray

    try:
        return await asyncio.wait_for(reference, _CALL_TIMEOUT_S)
    except ray.exceptions.RayTaskError as error:
        raise error.cause or error from None
    except (ray.exceptions.RayError, TimeoutError):
        raise Unavailable("the stream's process does not respond") from None
