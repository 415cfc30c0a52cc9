"""Streams: list, start, stop, newest result and picture, live results, the robot's pose."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

from posebot.service.bodies import described, json_body
from posebot.service.errors import ApiError
from posebot.service.gate import needs
from posebot.service.schemas.streams import RobotPose, StreamList, StreamResult, StreamStatus
from posebot.service.services import Held, Services
from posebot.service.streams.desk import News
from posebot.service.streams.live import Viewer, framed
from posebot.service.streams.published import Picture

router = APIRouter(prefix="/v1/streams", tags=["streams"])
_BOUNDARY = "posebot-frame"
_JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}}
_PARTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"multipart/x-mixed-replace": {"schema": {"type": "string", "format": "binary"}}}}}
Rate = Annotated[float | None, Query(gt=0, le=60, description="at most so many a second")]


@router.get("")
@needs("read")
async def streams(held: Held) -> StreamList:
    """All streams of the configuration."""
    found = await asyncio.gather(*[held.desk.status(name) for name in held.settings.cameras])
    return StreamList.model_validate({"streams": found})


@router.get("/{name}")
@needs("read")
async def stream(name: str, held: Held) -> StreamStatus:
    """One stream."""
    return StreamStatus.model_validate(await held.desk.status(_known(name, held)))


@router.post("/{name}/start")
@needs("operate")
async def start(name: str, held: Held) -> StreamStatus:
    """Start it; it also runs after a restart of the service."""
    await held.desk.start(_known(name, held))
    return await stream(name, held)


@router.post("/{name}/stop")
@needs("operate")
async def stop(name: str, held: Held) -> StreamStatus:
    """Stop it, for good."""
    await held.desk.stop(_known(name, held))
    return await stream(name, held)


@router.get("/{name}/result", response_model=StreamResult)
@needs("read")
async def result(name: str, held: Held, max_age_ms: Annotated[float | None, Query(gt=0, le=1e9)] = None) -> Response:
    """The newest result, if it is no older than `max_age_ms`."""
    news = await _newest(name, held, "none")
    age_ms = 1000 * (time.time() - news.captured_at)
    if max_age_ms is not None and age_ms > max_age_ms:
        raise ApiError(409, f"the newest result is {age_ms:.0f} ms old", "stale")
    return Response(news.header, media_type="application/json")


@router.get("/{name}/picture", response_class=Response, responses=_JPEG)
@needs("read")
async def picture(name: str, held: Held, overlay: bool = False) -> Response:
    """The newest result's frame as JPEG; `overlay`: with the result drawn into it."""
    news = await _newest(name, held, "overlay" if overlay else "raw")
    assert news.header is not None
    headers = {"X-Sequence": str(news.sequence), "X-Frame-Id": json.loads(news.header)["result"]["frame_id"]}
    return Response(news.jpeg, media_type="image/jpeg", headers=headers)


@router.get("/{name}/mjpeg", response_class=StreamingResponse, responses=_PARTS)
@needs("read", viewer=True)
async def mjpeg(name: str, held: Held, overlay: bool = True, fps: Rate = None) -> Response:
    """Pictures without end, for an `<img>`."""
    viewer = Viewer(held.desk, _known(name, held), "overlay" if overlay else "raw", fps)
    return StreamingResponse(_parts(viewer), media_type=f"multipart/x-mixed-replace; boundary={_BOUNDARY}")


@router.websocket("/{name}/results")
@needs("read", viewer=True)
async def results(socket: WebSocket, name: str, held: Held, picture: Picture = "none", fps: Rate = None,
                  ticket: str = "") -> None:
    """Results as they come, see docs/how-to/serve.md for the messages."""
    await socket.accept()
    if name not in held.settings.cameras:
        await socket.close(4404, "no such stream")
        return
    sending = asyncio.ensure_future(_send(socket, Viewer(held.desk, name, picture, fps)))
    listening = asyncio.ensure_future(_listen(socket))
    try:
        await asyncio.wait((sending, listening), return_when=asyncio.FIRST_COMPLETED)
    finally:
        sending.cancel()
        listening.cancel()
        await asyncio.gather(sending, listening, return_exceptions=True)


@router.post("/{name}/robot-pose", status_code=204, openapi_extra=described(RobotPose))
@needs("operate")
async def robot_pose(name: str, body: Annotated[RobotPose, Depends(json_body(RobotPose))], held: Held) -> None:
    """Where the robot's hand is (or was at `stamp`). Send it at least as often as pictures are taken."""
    await held.desk.push(_known(name, held), body.stamp, body.base_from_gripper.transform())


def _known(name: str, held: Services) -> str:
    if name not in held.settings.cameras:
        raise ApiError(404, f"there is no stream {name!r:.80}; there are {', '.join(held.settings.cameras)}")
    return name


async def _newest(name: str, held: Services, picture: Picture) -> News:
    news = await held.desk.news(_known(name, held), 0, "", picture, 0.0)
    if news.header is None:
        raise ApiError(409, f"stream {name!r} is {news.state} and has no result yet",
                       "not_running" if news.state == "stopped" else "no_result")
    return news


async def _parts(viewer: Viewer) -> AsyncIterator[bytes]:
    async for news in viewer.results():
        jpeg = news.jpeg or b""
        yield (f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n").encode()
        yield jpeg + b"\r\n"


async def _send(socket: WebSocket, viewer: Viewer) -> None:
    async for message in viewer.messages():
        if isinstance(message, News):
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

