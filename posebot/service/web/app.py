"""The FastAPI app: routes, the gate before all of them, errors, limits, and the schema."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

import posebot
from posebot.service.auth.identity import PUBLIC
from posebot.service.web import error_responses as errors
from posebot.service.web.authentication import gate
from posebot.service.web.metrics import MetricsMiddleware
from posebot.service.web.middleware import BodySizeLimitMiddleware, SecurityHeadersMiddleware
from posebot.service.web.routes import auth, health, infer, jobs, models, pages, streams
from posebot.service.web.schemas.poses import CameraIn, InferIn, PoseIn
from posebot.service.web.schemas.service import ErrorOut, JobIn, LoginIn
from posebot.service.web.schemas.streams import RobotPose
from posebot.service.web.services import Services

log = logging.getLogger("posebot.service")
_RESUME_S = 3.0
_ABOUT = """Objects and their poses in a robot's camera. Metres, radians, seconds, transforms `a_from_b` as 4x4
matrices, quaternions xyzw, OpenCV camera frame; pixel centres at whole numbers; covariances 6x6 (x, y, z, rx, ry, rz).
Every request but the public ones requires `Authorization: Bearer <key>`. See docs/how-to/serve.md for the WebSocket."""


def create_app(services: Services) -> FastAPI:
    """The app around its services. Starts the streams that shall run, and stops all at the end."""
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        keeper = asyncio.ensure_future(_keep_running(services))
        try:
            yield
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
            await services.desk.close()

    app = FastAPI(title="posebot", version=posebot.__version__, description=_ABOUT, dependencies=[Depends(gate)],
                  docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan, redirect_slashes=False,
                  responses={"4XX": {"model": ErrorOut}, "5XX": {"model": ErrorOut}},
                  license_info={"name": "AGPL-3.0-or-later"})
    app.state.services, app.state.gate = services, services.gate
    for part in (infer, streams, models, jobs, health, auth, pages):
        app.include_router(part.router)
    errors.install(app)
    app.add_middleware(BodySizeLimitMiddleware, most=services.settings.limits.body_bytes)
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(MetricsMiddleware, metrics=services.metrics)
    app.openapi = lambda: schema(app)  # type: ignore[method-assign]
    return app


async def _keep_running(services: Services) -> None:
    """Streams that shall run and do not, are started: at the beginning, and whenever one has gone for good."""
    while True:
        try:
            await services.desk.resume()
        except Exception:
            log.exception("streams")
        await asyncio.sleep(_RESUME_S)


def schema(app: FastAPI) -> dict[str, Any]:
    """OpenAPI, with what FastAPI does not know: the scope of every operation, and the two bodies of /v1/infer."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version="1", description=app.description, routes=app.routes,
                            license_info=app.license_info)
        components = found.setdefault("components", {})
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "pb_<id>_<secret>"}}
        template = "#/components/schemas/{model}"
        for model in (InferIn, CameraIn, PoseIn, RobotPose, JobIn, LoginIn):
            own = model.model_json_schema(ref_template=template)
            components["schemas"] |= own.pop("$defs", {}) | {model.__name__: own}
        for route in iter_route_contexts(app.routes):
            for method in route.methods or ():
                operation = found["paths"].get(route.path, {}).get(method.lower())
                if operation is not None:
                    _secured(operation, getattr(route.endpoint, "scope", "admin"))
        app.openapi_schema = found
    return app.openapi_schema


def _secured(operation: dict[str, Any], scope: str) -> None:
    operation["x-scope"] = scope
    operation["security"] = [] if scope == PUBLIC else [{"key": []}]
