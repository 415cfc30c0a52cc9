"""One picture in, one FrameResult out."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import time
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from numpy.typing import NDArray
from starlette.datastructures import UploadFile

from posebot.core.errors import InputError
from posebot.core.frame import Frame
from posebot.service.web.authentication import requires
from posebot.service.web.error_responses import ApiError
from posebot.service.web.request_bodies import validated
from posebot.service.web.schemas.poses import FrameResultOut, InferIn
from posebot.service.web.services import Services, ServicesDep

router = APIRouter(prefix="/v1", tags=["infer"])
_FILES, _JSON_PARTS = ("image", "depth"), ("camera", "base_from_cam")
_REFERENCE = {"$ref": "#/components/schemas/InferIn"}
_FORM = {"type": "object", "required": ["image", "camera"], "additionalProperties": False, "properties": {
    "image": {"type": "string", "format": "binary", "description": "PNG, JPEG or WebP"},
    "depth": {"type": "string", "format": "binary", "description": "16 bit PNG registered to the image"},
    "camera": {"type": "string", "description": "JSON, see CameraIn"},
    "base_from_cam": {"type": "string", "description": "JSON, see PoseIn"},
    "depth_scale": {"type": "number", "description": "millimetres per unit of depth", "default": 1.0},
    "frame_id": {"type": "string"}, "bundle": {"type": "string"}}}
_BODY = {"required": True, "content": {"multipart/form-data": {"schema": _FORM},
                                       "application/json": {"schema": _REFERENCE}}}


@router.post("/infer", response_model=FrameResultOut, openapi_extra={"requestBody": _BODY})
@requires("infer")
async def infer(request: Request, services: ServicesDep) -> Response:
    """Objects and their poses in one picture. Views are not fused: each picture stands for itself."""
    asked, image, depth = await _read(request)
    frame = await _frame(asked, image, depth, services)
    try:
        answer = await asyncio.wait_for(services.engine.infer(frame, asked.bundle),
                                        services.settings.limits.infer_seconds)
    except TimeoutError:
        raise ApiError(503, "inference took too long", "timeout") from None
    services.metrics.inferred(answer.result)
    return Response(answer.result.to_json(), media_type="application/json")


async def _read(request: Request) -> tuple[InferIn, bytes, bytes | None]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        asked = validated(InferIn, await request.body())
        return asked, _from_base64(asked.image, "image"), (asked.depth and _from_base64(asked.depth, "depth")) or None
    if kind != "multipart/form-data":
        raise ApiError(415, "the body must be multipart/form-data or application/json")
    async with request.form(max_files=2, max_fields=8, max_part_size=64_000) as form:
        return await _from_form(dict(form), len(form.multi_items()))


async def _from_form(parts: dict[str, Any], count: int) -> tuple[InferIn, bytes, bytes | None]:
    if count > len(parts):
        raise InputError("form", "a part came twice", "each part once")
    files: dict[str, bytes] = {}
    fields: dict[str, Any] = {}
    for name, part in parts.items():
        if isinstance(part, UploadFile) != (name in _FILES):
            raise InputError(name, "is text" if name in _FILES else "is a file", "see docs/how-to/serve.md")
        if isinstance(part, UploadFile):
            files[name] = await part.read()
        else:
            fields[name] = _json(part, name) if name in _JSON_PARTS else part
    if "image" not in files:
        raise InputError("image", "is missing", "a picture file")
    return validated(InferIn, fields | {"image": "-"}), files["image"], files.get("depth")


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(where, f"{text[:40]!r} is no JSON", "see docs/how-to/serve.md") from None


def _from_base64(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(where, "is no base64", "the file's bytes in base64") from None


async def _frame(asked: InferIn, image: bytes, depth: bytes | None, services: Services) -> Frame:
    camera = asked.camera.camera()
    captured_at = time.time()
    rgb, metres = await asyncio.gather(services.decoder.picture(image), _depth(asked, depth, services))
    pose = None if asked.base_from_cam is None else asked.base_from_cam.transform()
    return Frame(rgb, camera, metres, pose, asked.frame_id, captured_at)


async def _depth(asked: InferIn, depth: bytes | None, services: Services) -> NDArray[np.float32] | None:
    return None if depth is None else await services.decoder.depth(depth, asked.depth_scale)
