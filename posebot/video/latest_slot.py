"""A slot that holds one thing, the newest: what keeps a live image from growing old in a queue."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class LatestSlot(Generic[T]):
    """One slot between a thread that produces and one that consumes. A new item replaces the one not yet taken."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: T | None = None
        self._dropped = 0
        self._closed = False

    def put(self, item: T) -> None:
        """Leave an item; one that lies there untaken is dropped and counted."""
        with self._changed:
            if self._item is not None:
                self._dropped += 1
            self._item = item
            self._changed.notify()

    def take(self, timeout: float | None = None) -> tuple[T, int] | None:
        """Wait for the newest item and the number dropped since the last one taken; None after close or timeout."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._closed, timeout)
            item, dropped = self._item, self._dropped
            if item is None:
                return None
            self._item, self._dropped = None, 0
            return item, dropped

    def close(self) -> None:
        """No more items will come: an item still there can be taken, after that `take` gives None at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        with self._changed:
            return self._closed
