"""Streams: list, start, stop, newest result and image, live results, robot poses."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

from posebot.service.errors import NoResult, StaleResult
from posebot.service.streams.manager import StreamUpdate, check_stream, not_running
from posebot.service.streams.output import ImageKind
from posebot.service.streams.subscription import Subscription, binary_message
from posebot.service.web.authentication import requires
from posebot.service.web.request_bodies import json_body, openapi_body
from posebot.service.web.schemas.streams import RobotPose, StreamList, StreamResult, StreamStatus
from posebot.service.web.services import Services, ServicesDep

router = APIRouter(prefix="/v1/streams", tags=["streams"])
_BOUNDARY = "posebot-frame"
_NO_SUCH_STREAM = 4404  # close code of the WebSocket
_JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}}
_MJPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"multipart/x-mixed-replace": {"schema": {"type": "string", "format": "binary"}}}}}
MaxRate = Annotated[float | None, Query(gt=0, le=60, description="maximum rate, results a second")]
MaxAge = Annotated[float | None, Query(gt=0, le=1e9)]


@router.get("")
@requires("read")
async def streams(services: ServicesDep) -> StreamList:
    """All streams of the configuration."""
    statuses = await asyncio.gather(*[services.streams.status(name) for name in services.settings.cameras])
    return StreamList.model_validate({"streams": statuses})


@router.get("/{name}")
@requires("read")
async def stream(name: str, services: ServicesDep) -> StreamStatus:
    """One stream."""
    return StreamStatus.model_validate(await services.streams.status(name))


@router.post("/{name}/start")
@requires("operate")
async def start(name: str, services: ServicesDep) -> StreamStatus:
    """Start a stream. It is started again after a restart of the service."""
    await services.streams.start(name)
    return await stream(name, services)


@router.post("/{name}/stop")
@requires("operate")
async def stop(name: str, services: ServicesDep) -> StreamStatus:
    """Stop a stream. It stays stopped after a restart of the service."""
    await services.streams.stop(name)
    return await stream(name, services)


@router.get("/{name}/result", response_model=StreamResult)
@requires("read")
async def result(name: str, services: ServicesDep, max_age_ms: MaxAge = None) -> Response:
    """The newest result, if it is not older than `max_age_ms`."""
    update = await _newest(name, services, "none")
    age_ms = 1000 * (time.time() - update.captured_at)
    if max_age_ms is not None and age_ms > max_age_ms:
        raise StaleResult(f"the newest result is {age_ms:.0f} ms old")
    return Response(update.header, media_type="application/json")


@router.get("/{name}/picture", response_class=Response, responses=_JPEG)
@requires("read")
async def picture(name: str, services: ServicesDep, overlay: bool = False) -> Response:
    """The frame of the newest result as JPEG; `overlay`: with the result drawn into it."""
    update = await _newest(name, services, "overlay" if overlay else "raw")
    assert update.header is not None
    headers = {"X-Sequence": str(update.sequence), "X-Frame-Id": json.loads(update.header)["result"]["frame_id"]}
    return Response(update.jpeg, media_type="image/jpeg", headers=headers)


@router.get("/{name}/mjpeg", response_class=StreamingResponse, responses=_MJPEG)
@requires("read", viewer=True)
async def mjpeg(name: str, services: ServicesDep, overlay: bool = True, fps: MaxRate = None) -> Response:
    """An endless MJPEG stream, for an `<img>` element."""
    check_stream(services.settings, name)
    subscription = Subscription(services.streams, name, "overlay" if overlay else "raw", fps)
    return StreamingResponse(_mjpeg_parts(subscription),
                             media_type=f"multipart/x-mixed-replace; boundary={_BOUNDARY}")


@router.websocket("/{name}/results")
@requires("read", viewer=True)
async def results(socket: WebSocket, name: str, services: ServicesDep, picture: ImageKind = "none",
                  fps: MaxRate = None, ticket: str = "") -> None:
    """Live results; the messages are described in the documentation of the service."""
    await socket.accept()
    if name not in services.settings.cameras:
        await socket.close(_NO_SUCH_STREAM, "no such stream")
        return
    sending = asyncio.ensure_future(_send(socket, Subscription(services.streams, name, picture, fps)))
    receiving = asyncio.ensure_future(_receive(socket))
    try:
        await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        sending.cancel()
        receiving.cancel()
        await asyncio.gather(sending, receiving, return_exceptions=True)


@router.post("/{name}/robot-pose", status_code=204, openapi_extra=openapi_body(RobotPose))
@requires("operate")
async def robot_pose(name: str, body: Annotated[RobotPose, Depends(json_body(RobotPose))],
                     services: ServicesDep) -> None:
    """Push the pose of the robot's gripper, now or at `stamp`. Send it at least at the camera's frame rate."""
    await services.streams.push_pose(name, body.stamp, body.base_from_gripper.transform())


async def _newest(name: str, services: Services, image: ImageKind) -> StreamUpdate:
    update = await services.streams.next_update(name, 0, "", image, 0.0)
    if update.header is None:
        if update.state == "stopped":
            raise not_running(name)
        raise NoResult(f"stream {name!r} is {update.state} and has no result yet")
    return update


async def _mjpeg_parts(subscription: Subscription) -> AsyncIterator[bytes]:
    async for update in subscription.results():
        jpeg = update.jpeg or b""
        yield (f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n").encode()
        yield jpeg + b"\r\n"


async def _send(socket: WebSocket, subscription: Subscription) -> None:
    async for message in subscription.messages():
        if not isinstance(message, StreamUpdate):
            await socket.send_text(json.dumps(message, allow_nan=False))
        elif message.jpeg is None:
            await socket.send_text(message.header or "")
        else:
            await socket.send_bytes(binary_message(message))


async def _receive(socket: WebSocket) -> None:
    """Returns when the client disconnects."""
    try:
        while True:
            await socket.receive_text()
    except (WebSocketDisconnect, KeyError, RuntimeError):
        return
