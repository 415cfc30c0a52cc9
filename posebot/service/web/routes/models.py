"""Models: list, show, activate; meshes for drawing."""

from __future__ import annotations

import asyncio
import time

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from posebot.service.web.authentication import requires
from posebot.service.web.schemas.service import Activated, MeshOut, ModelDetail, ModelList
from posebot.service.web.services import ServicesDep

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("")
@requires("read")
async def models(services: ServicesDep) -> ModelList:
    """All models of the configuration."""
    active = services.engine.active
    summaries = await asyncio.to_thread(services.catalog.summaries, active)
    return ModelList.model_validate({"active": active, "models": summaries})


@router.get("/{name}")
@requires("read")
async def model(name: str, services: ServicesDep) -> ModelDetail:
    """Objects, networks, calibration and provenance of a model."""
    detail = await asyncio.to_thread(services.catalog.detail, name, services.engine.active)
    return ModelDetail.model_validate(detail)


@router.post("/{name}/activate")
@requires("operate")
async def activate(name: str, services: ServicesDep) -> Activated:
    """Make a model the active one. The previous one serves until the new one is loaded in every replica."""
    start, previous = time.perf_counter(), services.engine.active
    digest, bundle = await asyncio.to_thread(services.catalog.open, name)
    await services.activate(name, digest)
    return Activated(active=name, version=bundle.manifest.version, previous=previous,
                     seconds=round(time.perf_counter() - start, 3))


@router.get("/{name}/objects/{obj_id}/mesh", response_model=MeshOut, responses={304: {"description": "not modified"}})
@requires("read")
async def mesh(name: str, obj_id: int, request: Request, services: ServicesDep) -> Response:
    """The mesh of an object, for drawing: metres, object frame."""
    etag, mesh_out = await asyncio.to_thread(services.catalog.mesh, name, obj_id)
    headers = {"ETag": etag, "Cache-Control": "private, max-age=0, must-revalidate"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return JSONResponse(mesh_out, headers=headers)
