"""What one viewer of a stream gets to see: only the newest, and a sign of life at least every second."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator
from typing import Any

from posebot.service.streams.manager import StreamManager, StreamUpdate
from posebot.service.streams.output import Picture

_STATUS_S = 1.0


class Subscription:
    """One who looks. A slow one gets fewer results, never older ones: the next is asked for when the last is sent."""

    def __init__(self, desk: StreamManager, name: str, picture: Picture, fps: float | None) -> None:
        self._desk, self._name, self._picture = desk, name, picture
        self._pause = 0.0 if fps is None else 1 / fps

    async def messages(self) -> AsyncIterator[StreamUpdate | dict[str, Any]]:
        """Results as StreamUpdate and statuses as JSON objects, endless."""
        sequence, state, due = 0, "", 0.0
        while True:
            now = time.monotonic()
            if now >= due:
                status = await self._desk.status(self._name)
                state, due = str(status["state"]), now + _STATUS_S
                yield {"type": "status", "sent_at": time.time(), "status": status}
            news = await self._desk.news(self._name, sequence, state, self._picture, max(0.01, due - time.monotonic()))
            if news.state != state:
                due = 0.0
            sequence = news.sequence
            if news.header is not None:
                yield news
                await asyncio.sleep(max(0.0, now + self._pause - time.monotonic()))

    async def results(self) -> AsyncIterator[StreamUpdate]:
        """Only the results."""
        async for message in self.messages():
            if isinstance(message, StreamUpdate):
                yield message


def framed(news: StreamUpdate) -> bytes:
    """A binary message: length of the header (4 bytes, big-endian), header, JPEG."""
    header = (news.header or "").encode()
    return struct.pack(">I", len(header)) + header + (news.jpeg or b"")
