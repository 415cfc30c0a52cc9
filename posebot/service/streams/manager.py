"""What the API needs of streams, whoever runs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from posebot.core.transforms import Array
from posebot.service.errors import StreamNotRunning, UnknownStream
from posebot.service.settings import Settings
from posebot.service.streams.output import ImageKind


@dataclass(frozen=True)
class StreamUpdate:
    """What has changed in a stream: its state, and its newest result, if there is a newer one.

    Attributes:
        header: JSON of `schemas.streams.StreamResult`. jpeg: the image of that frame, if it was asked for.
        captured_at: of that frame, seconds since 1970.
    """

    state: str
    sequence: int
    header: str | None = None
    jpeg: bytes | None = None
    captured_at: float = 0.0


class StreamManager(Protocol):
    """Runs the streams of a configuration. Names are those of its cameras; any other raises UnknownStream."""

    async def start(self, name: str) -> None:
        """Start a stream, now and after a restart of the service."""

    async def stop(self, name: str) -> None:
        """Stop a stream, also after a restart of the service."""

    async def status(self, name: str) -> dict[str, Any]:
        """See `schemas.streams.StreamStatus`."""

    async def counts(self, name: str) -> dict[str, Any] | None:
        """`StreamStats.to_dict`; None where the stream is not running."""

    async def next_update(self, name: str, after: int, state: str, image: ImageKind, timeout_s: float) -> StreamUpdate:
        """Waits for a result other than number `after` or a state other than `state`, at most `timeout_s`."""

    async def push_pose(self, name: str, stamp: float | None, base_from_gripper: Array) -> None:
        """Raises InputError where the stream does not take poses, StreamNotRunning where it is stopped."""

    async def resume(self) -> None:
        """Start the streams that should run and do not."""

    async def close(self) -> None:
        """Stop all; they are resumed at the next start of the service."""


def check_stream(settings: Settings, name: str) -> None:
    """Raises UnknownStream for a name that is not a camera of the configuration."""
    if name not in settings.cameras:
        raise UnknownStream(f"there is no stream {name!r:.80}; there are {', '.join(settings.cameras)}")


def not_running(name: str) -> StreamNotRunning:
    """The error of a request that needs a running stream."""
    return StreamNotRunning(f"stream {name!r} is not running")


def stopped_status(settings: Settings, name: str) -> dict[str, Any]:
    """The status of a stream that is not running. Raises UnknownStream."""
    check_stream(settings, name)
    return {"name": name, "kind": settings.cameras[name].kind, "state": "stopped"}
