"""One subscriber's view of a stream: only the newest result, and a status at least every second."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator
from typing import Any

from posebot.service.streams.manager import StreamManager, StreamUpdate
from posebot.service.streams.output import ImageKind

_STATUS_PERIOD_S = 1.0


class Subscription:
    """A slow subscriber gets fewer results, never older ones: the next is requested when the last has been sent."""

    def __init__(self, streams: StreamManager, name: str, image: ImageKind, fps: float | None) -> None:
        self._streams, self._name, self._image = streams, name, image
        self._period_s = 0.0 if fps is None else 1 / fps

    async def messages(self) -> AsyncIterator[StreamUpdate | dict[str, Any]]:
        """Results as StreamUpdate and statuses as JSON objects, without end."""
        sequence, state, status_due = 0, "", 0.0
        while True:
            now = time.monotonic()
            if now >= status_due:
                status = await self._streams.status(self._name)
                state, status_due = str(status["state"]), now + _STATUS_PERIOD_S
                yield {"type": "status", "sent_at": time.time(), "status": status}
            timeout_s = max(0.01, status_due - time.monotonic())
            update = await self._streams.next_update(self._name, sequence, state, self._image, timeout_s)
            if update.state != state:
                status_due = 0.0
            sequence = update.sequence
            if update.header is not None:
                yield update
                await asyncio.sleep(max(0.0, now + self._period_s - time.monotonic()))

    async def results(self) -> AsyncIterator[StreamUpdate]:
        """The results alone."""
        async for message in self.messages():
            if isinstance(message, StreamUpdate):
                yield message


def binary_message(update: StreamUpdate) -> bytes:
    """Length of the header (4 bytes, big-endian), header, JPEG."""
    header = (update.header or "").encode()
    return struct.pack(">I", len(header)) + header + (update.jpeg or b"")
