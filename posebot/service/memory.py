"""Memory that is free goes back to the system.

Threads that come and go with requests each allocate from an arena of their own, and glibc keeps what they free: a
process that serves for weeks grows by some megabytes an hour without holding anything. Asked to, it lets go.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable

EVERY_S = 20.0


def tended(every_s: float = EVERY_S) -> None:
    """From now on give free memory back every so many seconds, in a thread that ends with the process.

    Does nothing where the C library has no `malloc_trim` (macOS, musl).
    """
    trim = _trim()
    if trim is not None:
        threading.Thread(target=_tend, args=(trim, every_s), name="memory", daemon=True).start()


def _tend(trim: Callable[[int], int], every_s: float) -> None:
    while True:
        time.sleep(every_s)
        trim(0)


def _trim() -> Callable[[int], int] | None:
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None
    return found
