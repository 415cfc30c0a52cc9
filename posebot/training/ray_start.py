"""Connecting to a Ray cluster: a new one on this machine, or a running one. Imports nothing of training."""

from __future__ import annotations

import logging
import os
import re
import socket
from functools import partial
from typing import Any

from posebot.core.errors import PlatformLostError, PosebotError

START_TRIES = 3
_PROBE_S = 5.0
_LOGS = ("ray", "ray._private.authentication.authentication_token_setup", "ray.train", "ray.data", "ray.serve")


def connect(address: str | None, **options: Any) -> None:
    """`ray.init` with these options, without a word from Ray.

    Args:
        address: of a running cluster; None: a new one of this machine's own.

    Raises:
        PlatformLostError: there is no cluster at the address. PosebotError: this machine's own does not start.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    silence_ray()
    start = partial(ray.init, address=address or "local", logging_level=logging.ERROR, log_to_driver=False, **options)
    if address is None:
        _patiently(start)
        return
    try:
        _probe(address)
        start()
    except Exception as error:  # Ray raises plain Exception here
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise PlatformLostError(f"--address {address}", f"no Ray cluster answers ({reason[:200]})",
                                "the address that `ray start` prints") from None


def silence_ray() -> None:
    """Keep Ray's log lines out of the terminal; errors come as exceptions. To be called again after an import of a part
    of Ray, which sets up its own log."""
    for name in _LOGS:
        logging.getLogger(name).setLevel(logging.ERROR)


def _probe(address: str) -> None:
    """Raise where nothing listens at the address: Ray itself would retry for minutes."""
    place = re.fullmatch(r"(?:ray://)?\[?([^\]/]+)\]?:(\d+)", address)
    if place:
        socket.create_connection((place[1], int(place[2])), _PROBE_S).close()


def _patiently(start: partial[Any]) -> None:
    """Ray gives its node 30 seconds to start, which a busy machine may not make at once."""
    import ray

    for left in reversed(range(START_TRIES)):
        try:
            start()
            return
        except Exception as error:
            ray.shutdown()
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            if not left:
                raise PosebotError(f"Ray did not start ({reason}); try again when the machine is less busy, or leave "
                                   "Ray out where a --no-… option offers it", code="platform_lost") from None
