"""The FastAPI app: routes, authentication in front of all of them, error handlers, middleware, OpenAPI."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import Depends, FastAPI

import posebot
from posebot.service.web import error_responses
from posebot.service.web.authentication import authenticate
from posebot.service.web.metrics import MetricsMiddleware
from posebot.service.web.middleware import BodySizeLimitMiddleware, SecurityHeadersMiddleware
from posebot.service.web.openapi import DESCRIPTION, openapi_schema
from posebot.service.web.routes import auth, health, infer, jobs, models, pages, streams
from posebot.service.web.schemas.service import ErrorOut
from posebot.service.web.services import Services

log = logging.getLogger("posebot.service")
_RESUME_PERIOD_S = 3.0


def create_app(services: Services) -> FastAPI:
    """The app on its services. Its lifespan starts the streams that should run, and stops all of them at the end."""
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        resuming = asyncio.ensure_future(_resume_streams(services))
        try:
            yield
        finally:
            resuming.cancel()
            with suppress(asyncio.CancelledError):
                await resuming
            await services.streams.close()

    app = FastAPI(title="posebot", version=posebot.__version__, description=DESCRIPTION, lifespan=lifespan,
                  dependencies=[Depends(authenticate)], docs_url=None, redoc_url=None, openapi_url=None,
                  redirect_slashes=False, responses={"4XX": {"model": ErrorOut}, "5XX": {"model": ErrorOut}},
                  license_info={"name": "AGPL-3.0-or-later"})
    app.state.services, app.state.authenticator = services, services.authenticator
    for module in (infer, streams, models, jobs, health, auth, pages):
        app.include_router(module.router)
    error_responses.install(app)
    app.add_middleware(BodySizeLimitMiddleware, max_bytes=services.settings.limits.body_bytes)
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(MetricsMiddleware, metrics=services.metrics)
    app.openapi = lambda: openapi_schema(app)  # type: ignore[method-assign]
    return app


async def _resume_streams(services: Services) -> None:
    """Start the streams that should run and do not: at startup, and whenever one has died for good."""
    while True:
        try:
            await services.streams.resume()
        except Exception:
            log.exception("streams cannot be resumed")
        await asyncio.sleep(_RESUME_PERIOD_S)
