"""Streams: list, start, stop, newest result and picture, live results, the robot's pose."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

from posebot.service.streams.manager import StreamUpdate
from posebot.service.streams.output import Picture
from posebot.service.streams.subscription import Subscription, framed
from posebot.service.web.authentication import requires
from posebot.service.web.error_responses import ApiError
from posebot.service.web.request_bodies import described, json_body
from posebot.service.web.schemas.streams import RobotPose, StreamList, StreamResult, StreamStatus
from posebot.service.web.services import Services, ServicesDep

router = APIRouter(prefix="/v1/streams", tags=["streams"])
_BOUNDARY = "posebot-frame"
_JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}}
_PARTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"multipart/x-mixed-replace": {"schema": {"type": "string", "format": "binary"}}}}}
Rate = Annotated[float | None, Query(gt=0, le=60, description="at most so many a second")]


@router.get("")
@requires("read")
async def streams(services: ServicesDep) -> StreamList:
    """All streams of the configuration."""
    found = await asyncio.gather(*[services.desk.status(name) for name in services.settings.cameras])
    return StreamList.model_validate({"streams": found})


@router.get("/{name}")
@requires("read")
async def stream(name: str, services: ServicesDep) -> StreamStatus:
    """One stream."""
    return StreamStatus.model_validate(await services.desk.status(_known(name, services)))


@router.post("/{name}/start")
@requires("operate")
async def start(name: str, services: ServicesDep) -> StreamStatus:
    """Start it; it also runs after a restart of the service."""
    await services.desk.start(_known(name, services))
    return await stream(name, services)


@router.post("/{name}/stop")
@requires("operate")
async def stop(name: str, services: ServicesDep) -> StreamStatus:
    """Stop it, for good."""
    await services.desk.stop(_known(name, services))
    return await stream(name, services)


@router.get("/{name}/result", response_model=StreamResult)
@requires("read")
async def result(name: str, services: ServicesDep,
                 max_age_ms: Annotated[float | None, Query(gt=0, le=1e9)] = None) -> Response:
    """The newest result, if it is no older than `max_age_ms`."""
    news = await _newest(name, services, "none")
    age_ms = 1000 * (time.time() - news.captured_at)
    if max_age_ms is not None and age_ms > max_age_ms:
        raise ApiError(409, f"the newest result is {age_ms:.0f} ms old", "stale")
    return Response(news.header, media_type="application/json")


@router.get("/{name}/picture", response_class=Response, responses=_JPEG)
@requires("read")
async def picture(name: str, services: ServicesDep, overlay: bool = False) -> Response:
    """The newest result's frame as JPEG; `overlay`: with the result drawn into it."""
    news = await _newest(name, services, "overlay" if overlay else "raw")
    assert news.header is not None
    headers = {"X-Sequence": str(news.sequence), "X-Frame-Id": json.loads(news.header)["result"]["frame_id"]}
    return Response(news.jpeg, media_type="image/jpeg", headers=headers)


@router.get("/{name}/mjpeg", response_class=StreamingResponse, responses=_PARTS)
@requires("read", viewer=True)
async def mjpeg(name: str, services: ServicesDep, overlay: bool = True, fps: Rate = None) -> Response:
    """Pictures without end, for an `<img>`."""
    viewer = Subscription(services.desk, _known(name, services), "overlay" if overlay else "raw", fps)
    return StreamingResponse(_parts(viewer), media_type=f"multipart/x-mixed-replace; boundary={_BOUNDARY}")


@router.websocket("/{name}/results")
@requires("read", viewer=True)
async def results(socket: WebSocket, name: str, services: ServicesDep, picture: Picture = "none", fps: Rate = None,
                  ticket: str = "") -> None:
    """Results as they come, see docs/how-to/serve.md for the messages."""
    await socket.accept()
    if name not in services.settings.cameras:
        await socket.close(4404, "no such stream")
        return
    sending = asyncio.ensure_future(_send(socket, Subscription(services.desk, name, picture, fps)))
    bind_socket = asyncio.ensure_future(_listen(socket))
    try:
        await asyncio.wait((sending, bind_socket), return_when=asyncio.FIRST_COMPLETED)
    finally:
        sending.cancel()
        bind_socket.cancel()
        await asyncio.gather(sending, bind_socket, return_exceptions=True)


@router.post("/{name}/robot-pose", status_code=204, openapi_extra=described(RobotPose))
@requires("operate")
async def robot_pose(name: str, body: Annotated[RobotPose, Depends(json_body(RobotPose))],
                     services: ServicesDep) -> None:
    """Where the robot's hand is (or was at `stamp`). Send it at least as often as pictures are taken."""
    await services.desk.push(_known(name, services), body.stamp, body.base_from_gripper.transform())


def _known(name: str, services: Services) -> str:
    if name not in services.settings.cameras:
        raise ApiError(404, f"there is no stream {name!r:.80}; there are {', '.join(services.settings.cameras)}")
    return name


async def _newest(name: str, services: Services, picture: Picture) -> StreamUpdate:
    news = await services.desk.news(_known(name, services), 0, "", picture, 0.0)
    if news.header is None:
        raise ApiError(409, f"stream {name!r} is {news.state} and has no result yet",
                       "not_running" if news.state == "stopped" else "no_result")
    return news


async def _parts(viewer: Subscription) -> AsyncIterator[bytes]:
    async for news in viewer.results():
        jpeg = news.jpeg or b""
        yield (f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n").encode()
        yield jpeg + b"\r\n"


async def _send(socket: WebSocket, viewer: Subscription) -> None:
    async for message in viewer.messages():
        if isinstance(message, StreamUpdate):
            if message.jpeg is None:
                await socket.send_text(message.header or "")
            else:
                await socket.send_bytes(framed(message))
        else:
            await socket.send_text(json.dumps(message, allow_nan=False))


async def _listen(socket: WebSocket) -> None:
    """Until the other side goes."""
    try:
        while True:
            await socket.receive_text()
    except (WebSocketDisconnect, KeyError, RuntimeError):
        return

