"""All that the routes work with, in one place: `app.state.services`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from posebot.core.errors import PosebotError
from posebot.service.engine.catalog import Catalog
from posebot.service.engine.interface import InferenceEngine
from posebot.service.jobs.manager import JobManager
from posebot.service.settings import Settings
from posebot.service.streams.manager import StreamManager
from posebot.service.web.authentication import Authenticator
from posebot.service.web.error_responses import ApiError
from posebot.service.web.image_decoder import ImageDecoder
from posebot.service.web.metrics import Metrics

_READY_S = 10.0


@dataclass
class Services:
    """What the app is made of.

    Attributes:
        activate: makes a bundle (name, digest) answer in every replica. jobs: None where there is no cluster.
    """

    settings: Settings
    engine: InferenceEngine
    desk: StreamManager
    activate: Callable[[str, str], Awaitable[None]]
    jobs: JobManager | None = None
    started_at: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self.gate = Authenticator(self.settings)
        self.catalog = Catalog(self.settings)
        self.decoder = ImageDecoder(self.settings.limits)
        self.metrics = Metrics()
        self.readiness = Readiness(self.engine)


class Readiness:
    """A real inference, at most one in ten seconds however many ask."""

    def __init__(self, engine: InferenceEngine) -> None:
        self._engine, self._lock = engine, asyncio.Lock()
        self._checked_at, self._ms, self._problem = 0.0, 0.0, ""

    async def check(self, patience: float = 30.0) -> tuple[float, float]:
        """When it was checked last and the milliseconds it took. Raises ApiError 503."""
        async with self._lock:
            if time.time() - self._checked_at > _READY_S:
                try:
                    self._ms, self._problem = await asyncio.wait_for(self._engine.probe(), patience), ""
                except (PosebotError, TimeoutError) as error:
                    self._problem = str(error) or "inference takes too long"
                self._checked_at = time.time()
        if self._problem:
            raise ApiError(503, f"not ready: {self._problem}", "not_ready")
        return self._checked_at, self._ms


def services_of(connection: HTTPConnection) -> Services:
    """The dependency."""
    services: Services = connection.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]
