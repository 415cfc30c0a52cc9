"""A queue of length one in which the newest item replaces the previous one: bounds the age of live frames."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class LatestSlot(Generic[T]):
    """One slot between a producer thread and a consumer thread. A new item replaces the one not yet taken."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: T | None = None
        self._dropped = 0
        self._closed = False

    def put(self, item: T) -> None:
        """Put an item; one that was not taken yet is dropped and counted."""
        with self._changed:
            if self._item is not None:
                self._dropped += 1
            self._item = item
            self._changed.notify()

    def take(self, timeout: float | None = None) -> tuple[T, int] | None:
        """Wait for the newest item; returns it and the number dropped since the last take; None on close, timeout."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._closed, timeout)
            item, dropped = self._item, self._dropped
            if item is None:
                return None
            self._item, self._dropped = None, 0
            return item, dropped

    def close(self) -> None:
        """End of items: a remaining item can still be taken, then `take` returns None immediately."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        with self._changed:
            return self._closed
