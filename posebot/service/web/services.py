"""What the routes work with: `app.state.services`, injected as `ServicesDep`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from posebot.service.engine.catalog import ModelCatalog
from posebot.service.engine.interface import InferenceEngine
from posebot.service.engine.readiness import Readiness
from posebot.service.jobs.manager import JobManager
from posebot.service.settings import Settings
from posebot.service.streams.manager import StreamManager
from posebot.service.web.authentication import Authenticator
from posebot.service.web.image_decoder import ImageDecoder
from posebot.service.web.metrics import Metrics


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
