"""Inference on one image: `POST /v1/infer`."""

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
from posebot.service.errors import TimedOut, UnsupportedFormat
from posebot.service.web.authentication import requires
from posebot.service.web.request_bodies import content_type, validated
from posebot.service.web.schemas.poses import FrameResultOut, InferIn
from posebot.service.web.services import Services, ServicesDep

router = APIRouter(prefix="/v1", tags=["infer"])
_FILE_PARTS, _JSON_PARTS = ("image", "depth"), ("camera", "base_from_cam")
_FORM_SCHEMA = {"type": "object", "required": ["image", "camera"], "additionalProperties": False, "properties": {
    "image": {"type": "string", "format": "binary", "description": "PNG, JPEG or WebP"},
    "depth": {"type": "string", "format": "binary", "description": "16-bit PNG registered to the image"},
    "camera": {"type": "string", "description": "JSON, see CameraIn"},
    "base_from_cam": {"type": "string", "description": "JSON, see PoseIn"},
    "depth_scale": {"type": "number", "description": "millimetres per unit of depth", "default": 1.0},
    "frame_id": {"type": "string"}, "bundle": {"type": "string"}}}
_REQUEST_BODY = {"required": True, "content": {
    "multipart/form-data": {"schema": _FORM_SCHEMA},
    "application/json": {"schema": {"$ref": "#/components/schemas/InferIn"}}}}
Parts = tuple[InferIn, bytes, bytes | None]
"""Fields, image file, depth file."""


@router.post("/infer", response_model=FrameResultOut, openapi_extra={"requestBody": _REQUEST_BODY})
@requires("infer")
async def infer(request: Request, services: ServicesDep) -> Response:
    """Objects and their poses in one image. Requests are independent: views are not fused."""
    fields, image, depth = await _read(request)
    frame = await _frame(fields, image, depth, services)
    timeout_s = services.settings.limits.infer_seconds
    try:
        prediction = await asyncio.wait_for(services.engine.infer(frame, fields.bundle), timeout_s)
    except TimeoutError:
        raise TimedOut(f"inference took longer than {timeout_s:g} s") from None
    services.metrics.observe_inference(prediction.result)
    return Response(prediction.result.to_json(), media_type="application/json")


async def _read(request: Request) -> Parts:
    kind = content_type(request)
    if kind == "application/json":
        fields = validated(InferIn, await request.body())
        depth = _from_base64(fields.depth, "depth") if fields.depth else b""
        return fields, _from_base64(fields.image, "image"), depth or None
    if kind != "multipart/form-data":
        raise UnsupportedFormat("the body must be multipart/form-data or application/json")
    async with request.form(max_files=2, max_fields=8, max_part_size=64_000) as form:
        return await _from_form(dict(form), len(form.multi_items()))


async def _from_form(parts: dict[str, Any], count: int) -> Parts:
    if count > len(parts):
        raise InputError("form", "a part appears twice", "each part once")
    files: dict[str, bytes] = {}
    fields: dict[str, Any] = {}
    for name, part in parts.items():
        if isinstance(part, UploadFile) != (name in _FILE_PARTS):
            raise InputError(name, "is text" if name in _FILE_PARTS else "is a file",
                             "a file" if name in _FILE_PARTS else "text")
        if isinstance(part, UploadFile):
            files[name] = await part.read()
        else:
            fields[name] = _from_json(part, name) if name in _JSON_PARTS else part
    if "image" not in files:
        raise InputError("image", "is missing", "an image file")
    return validated(InferIn, fields | {"image": "-"}), files["image"], files.get("depth")


def _from_json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(where, f"{text[:40]!r} is not valid JSON", "a JSON object") from None


def _from_base64(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(where, "is not valid base64", "the file's bytes in base64") from None


async def _frame(fields: InferIn, image: bytes, depth: bytes | None, services: Services) -> Frame:
    camera = fields.camera.camera()
    captured_at = time.time()
    rgb, metres = await asyncio.gather(services.decoder.image(image), _depth(fields, depth, services))
    base_from_cam = None if fields.base_from_cam is None else fields.base_from_cam.transform()
    return Frame(rgb, camera, metres, base_from_cam, fields.frame_id, captured_at)


async def _depth(fields: InferIn, depth: bytes | None, services: Services) -> NDArray[np.float32] | None:
    return None if depth is None else await services.decoder.depth(depth, fields.depth_scale)
