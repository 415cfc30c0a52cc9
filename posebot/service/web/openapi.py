"""The OpenAPI schema, with what FastAPI cannot derive: scopes, and bodies that are read after authentication."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from posebot.service.auth.identity import PUBLIC
from posebot.service.web.schemas.poses import CameraIn, InferIn, PoseIn
from posebot.service.web.schemas.service import JobIn, LoginIn
from posebot.service.web.schemas.streams import RobotPose

DESCRIPTION = """6-D object poses from a robot's camera. Units and frames: metres, radians, seconds; transforms
`a_from_b` as 4x4 matrices; quaternions xyzw; OpenCV camera frame; pixel centres at integer coordinates; covariances
6x6 (x, y, z, rx, ry, rz). All requests except the public ones need `Authorization: Bearer <key>`. The WebSocket is
described in docs/how-to/serve.md."""
_BODIES = (InferIn, CameraIn, PoseIn, RobotPose, JobIn, LoginIn)


def openapi_schema(app: FastAPI) -> dict[str, Any]:
    """Generated once per app."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version="1", description=app.description, routes=app.routes,
                             license_info=app.license_info)
        _add_bodies(schema.setdefault("components", {}))
        _add_security(schema, app)
        app.openapi_schema = schema
    return app.openapi_schema


def _add_bodies(components: dict[str, Any]) -> None:
    for model in _BODIES:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        components["schemas"] |= schema.pop("$defs", {}) | {model.__name__: schema}


def _add_security(schema: dict[str, Any], app: FastAPI) -> None:
    schema["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "pb_<id>_<secret>"}}
    for route in iter_route_contexts(app.routes):
        for method in route.methods or ():
            operation = schema["paths"].get(route.path, {}).get(method.lower())
            if operation is not None:
                scope = getattr(route.endpoint, "scope", "admin")
                operation["x-scope"] = scope
                operation["security"] = [] if scope == PUBLIC else [{"key": []}]
