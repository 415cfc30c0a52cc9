"""How much one caller may ask for: requests a minute, and at once. Wrong keys are counted per address."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

from posebot.service.settings import Limits
from posebot.service.web.error_responses import ApiError


class RateLimiter:
    """Counts, in one event loop. Raises ApiError 429 where it is too much."""

    def __init__(self, settings: Limits) -> None:
        storage = storage_from_string(settings.storage)
        self._settings = settings
        self._requests = SlidingWindowCounterRateLimiter(storage)
        self._failures = MovingWindowRateLimiter(storage)
        self._rate = RateLimitItemPerMinute(settings.requests_per_minute)
        self._failure_rate = RateLimitItemPerMinute(settings.failures_per_minute)
        self._busy: Counter[tuple[str, bool]] = Counter()

    @contextmanager
    def admitted(self, caller: str, viewer: bool) -> Iterator[None]:
        """For the time of a request. `viewer`: one that lasts (WebSocket, MJPEG); they are counted apart."""
        if not self._requests.hit(self._rate, "requests", caller):
            reset = self._requests.get_window_stats(self._rate, "requests", caller).reset_time
            raise _refusal(f"more than {self._settings.requests_per_minute} requests a minute", reset - time.time())
        busy, most = (caller, viewer), self._settings.viewers if viewer else self._settings.concurrent
        if self._busy[busy] >= most:
            raise _refusal(f"more than {most} {'viewers' if viewer else 'requests'} at once", 1)
        self._busy[busy] += 1
        try:
            yield
        finally:
            self._busy[busy] -= 1

    def failed(self, address: str) -> None:
        """Count a wrong key. Those who have a right one are not kept out by others at the same address."""
        if not self._failures.hit(self._failure_rate, "failures", address):
            raise _refusal("too many wrong keys from this address", 60)


def _refusal(message: str, seconds: float) -> ApiError:
    return ApiError(429, message, headers={"Retry-After": str(max(1, round(seconds)))})
