"""Is it alive, is it ready, what is it, how does it do."""

from __future__ import annotations

import time

from fastapi import APIRouter, Response

import posebot
from posebot.service.gate import needs
from posebot.service.identity import PUBLIC
from posebot.service.metrics import CONTENT_TYPE
from posebot.service.schemas.other import InfoOut, Live, Ready
from posebot.service.services import Held

router = APIRouter(prefix="/v1", tags=["health"])


@router.get("/health/live")
@needs(PUBLIC)
async def live() -> Live:
    """The process answers."""
    return Live()


@router.get("/health/ready")
@needs(PUBLIC)
async def ready(held: Held) -> Ready:
    """A picture goes through every stage (at most one in 10 seconds); 503 where it does not."""
    checked_at, ms = await held.readiness.check()
    return Ready(checked_at=checked_at, ms=round(ms, 2))


@router.get("/info")
@needs("read")
async def info(held: Held) -> InfoOut:
    """Version, profile, active model and the server's clock."""
    return InfoOut(version=posebot.__version__, profile=held.settings.profile, active=held.engine.active,
                   started_at=held.started_at, server_time=time.time())


@router.get("/metrics", response_class=Response,
            responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})
@needs("read")
async def metrics(held: Held) -> Response:
    """For Prometheus."""
    desk = held.desk
    streams = {name: (await desk.status(name), await desk.counts(name)) for name in held.settings.cameras}
    return Response(held.metrics.exposition(streams), media_type=CONTENT_TYPE)
