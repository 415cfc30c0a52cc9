"""Rate limits: requests a minute and concurrent requests of a caller, failed authentications of an address."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

from posebot.service.errors import RateLimited
from posebot.service.settings import Limits


class RateLimiter:
    """Counts within one event loop. Raises RateLimited."""

    def __init__(self, settings: Limits) -> None:
        storage = storage_from_string(settings.storage)
        self._settings = settings
        self._requests = SlidingWindowCounterRateLimiter(storage)
        self._failures = MovingWindowRateLimiter(storage)
        self._rate = RateLimitItemPerMinute(settings.requests_per_minute)
        self._failure_rate = RateLimitItemPerMinute(settings.failures_per_minute)
        self._active: Counter[tuple[str, bool]] = Counter()

    @contextmanager
    def admitted(self, caller: str, viewer: bool) -> Iterator[None]:
        """Counts a request while it lasts. `viewer`: a long-lived one (WebSocket, MJPEG), counted separately."""
        if not self._requests.hit(self._rate, "requests", caller):
            reset = self._requests.get_window_stats(self._rate, "requests", caller).reset_time
            raise RateLimited(f"more than {self._settings.requests_per_minute} requests a minute", reset - time.time())
        slot, maximum = (caller, viewer), self._settings.viewers if viewer else self._settings.concurrent
        if self._active[slot] >= maximum:
            raise RateLimited(f"more than {maximum} concurrent {'viewers' if viewer else 'requests'}", 1)
        self._active[slot] += 1
        try:
            yield
        finally:
            self._active[slot] -= 1

    def failed(self, address: str) -> None:
        """Count a failed authentication. Callers with a valid key are not affected by others at the same address."""
        if not self._failures.hit(self._failure_rate, "failures", address):
            raise RateLimited("too many failed authentications from this address", 60)
