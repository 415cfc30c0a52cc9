"""What the routes work with: `app.state.services`, injected as `ServicesDep`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from posebot.core.errors import PosebotError
from posebot.service.engine.catalog import ModelCatalog
from posebot.service.engine.interface import InferenceEngine
from posebot.service.errors import NotReady
from posebot.service.jobs.manager import JobManager
from posebot.service.settings import Settings
from posebot.service.streams.manager import StreamManager
from posebot.service.web.authentication import Authenticator
from posebot.service.web.image_decoder import ImageDecoder
from posebot.service.web.metrics import Metrics

_READY_FOR_S = 10.0


class Readiness:
    """A real inference, at most one in ten seconds however often it is asked for."""

    def __init__(self, engine: InferenceEngine) -> None:
        self._engine, self._lock = engine, asyncio.Lock()
        self._checked_at, self._ms, self._problem = 0.0, 0.0, ""

    async def check(self, timeout_s: float = 30.0) -> tuple[float, float]:
        """Time of the last check (seconds since 1970) and its milliseconds. Raises NotReady."""
        async with self._lock:
            if time.time() - self._checked_at > _READY_FOR_S:
                try:
                    self._ms, self._problem = await asyncio.wait_for(self._engine.probe(), timeout_s), ""
                except (PosebotError, TimeoutError) as error:
                    self._problem = str(error) or "inference takes too long"
                self._checked_at = time.time()
        if self._problem:
            raise NotReady(f"not ready: {self._problem}")
        return self._checked_at, self._ms


@dataclass
class Services:
    """Constructed by `composition`.

    Attributes:
        activate: makes every replica use a model (name, digest). jobs: None where there is no cluster.
    """

    settings: Settings
    engine: InferenceEngine
    streams: StreamManager
    activate: Callable[[str, str], Awaitable[None]]
    jobs: JobManager | None
    authenticator: Authenticator
    catalog: ModelCatalog
    decoder: ImageDecoder
    metrics: Metrics
    readiness: Readiness
    started_at: float = field(default_factory=time.time)


def services_of(connection: HTTPConnection) -> Services:
    """The dependency."""
    services: Services = connection.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]
