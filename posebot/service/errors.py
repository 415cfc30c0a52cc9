"""Errors of the service, without HTTP: `web/error_responses.py` maps their codes to status codes."""

from __future__ import annotations

from posebot.core.errors import PosebotError


class Retryable(PosebotError):
    """The same request may succeed after `retry_after_s`."""

    retry_after_s: float | None = None

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s


class Overloaded(Retryable):
    """As many requests are waiting as may wait."""

    code = "overloaded"
    retry_after_s = 1.0


class RateLimited(Retryable):
    """One caller sends too many requests."""

    code = "rate_limited"


class TimedOut(PosebotError):
    """It took longer than the configuration allows."""

    code = "timeout"


class NotReady(PosebotError):
    """Inference does not work (yet)."""

    code = "not_ready"


class Unavailable(PosebotError):
    """A part of the cluster does not respond: job server, stream process."""

    code = "unavailable"


class NotFound(PosebotError):
    """There is nothing of this name, id or path."""

    code = "not_found"


class UnknownModel(NotFound):
    """The configuration has no such model, or the model no such object."""


class UnknownStream(NotFound):
    """The configuration has no such camera."""


class UnknownJob(NotFound):
    """The cluster has no such job of posebot."""


class StreamNotRunning(PosebotError):
    """The stream is stopped."""

    code = "not_running"


class NoResult(PosebotError):
    """The stream runs and has no result yet."""

    code = "no_result"


class StaleResult(PosebotError):
    """The newest result is older than asked for."""

    code = "stale"


class TooLarge(PosebotError):
    """More bytes or pixels than the configuration allows."""

    code = "too_large"


class UnsupportedFormat(PosebotError):
    """An image or body of a type that is not read."""

    code = "unsupported_format"


class Unauthorized(PosebotError):
    """No valid credentials."""

    code = "unauthorized"


class Forbidden(PosebotError):
    """The caller is known and may not do this."""

    code = "forbidden"
