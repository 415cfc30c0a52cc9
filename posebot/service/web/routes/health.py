"""Liveness, readiness, information about the service, metrics."""

from __future__ import annotations

import time

from fastapi import APIRouter, Response

import posebot
from posebot.service.auth.identity import PUBLIC
from posebot.service.web.authentication import requires
from posebot.service.web.metrics import CONTENT_TYPE
from posebot.service.web.schemas.service import InfoOut, LiveOut, ReadyOut
from posebot.service.web.services import ServicesDep

router = APIRouter(prefix="/v1", tags=["health"])


@router.get("/health/live")
@requires(PUBLIC)
async def live() -> LiveOut:
    """The process responds."""
    return LiveOut()


@router.get("/health/ready")
@requires(PUBLIC)
async def ready(services: ServicesDep) -> ReadyOut:
    """Inference works: an image goes through every stage (at most once in 10 seconds). 503 if it fails."""
    checked_at, ms = await services.readiness.check()
    return ReadyOut(checked_at=checked_at, ms=round(ms, 2))


@router.get("/info")
@requires("read")
async def info(services: ServicesDep) -> InfoOut:
    """Version, profile, active model, and the server's clock."""
    return InfoOut(version=posebot.__version__, profile=services.settings.profile, active=services.engine.active,
                   started_at=services.started_at, server_time=time.time())


@router.get("/metrics", response_class=Response,
            responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})
@requires("read")
async def metrics(services: ServicesDep) -> Response:
    """Metrics in the Prometheus text format."""
    manager = services.streams
    streams = {name: (await manager.status(name), await manager.counts(name)) for name in services.settings.cameras}
    return Response(services.metrics.exposition(streams), media_type=CONTENT_TYPE)
