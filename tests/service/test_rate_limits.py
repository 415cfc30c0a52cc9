"""Rate limits."""

from __future__ import annotations

import pytest

from posebot.core.error_codes import http_status
from posebot.service.auth.rate_limits import RateLimiter
from posebot.service.errors import RateLimited
from posebot.service.settings import Limits


def test_limits_count_requests_and_those_at_once() -> None:
    limiter = RateLimiter(Limits(requests_per_minute=3, concurrent=1, viewers=1))
    with limiter.admitted("a", False), limiter.admitted("a", True), pytest.raises(RateLimited) as busy:
        limiter.admitted("a", False).__enter__()
    assert http_status(busy.value) == 429
    with pytest.raises(RateLimited) as many, limiter.admitted("a", False):
        pass
    assert (many.value.retry_after_s or 0) > 0
    with limiter.admitted("b", False):
        pass


def test_wrong_keys_are_counted_by_address() -> None:
    limiter = RateLimiter(Limits(failures_per_minute=2))
    limiter.failed("1.2.3.4")
    limiter.failed("1.2.3.4")
    with pytest.raises(RateLimited):
        limiter.failed("1.2.3.4")
    limiter.failed("5.6.7.8")
