"""Messages while something takes long, so that no command is silent for more than `EVERY_S` seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_S = 5.0  # some libraries hold the interpreter for as long again


@contextmanager
def announced(say: Callable[[str], object], what: str, every_s: float = EVERY_S) -> Iterator[None]:
    """Say what the block does when it begins, and again with its time every `every_s` seconds until it ends.

    Args:
        say: receives each line; called from another thread for all but the first. what: such as "starting Ray".
    """
    started, ended = time.monotonic(), threading.Event()

    def remind() -> None:
        while not ended.wait(every_s):
            say(f"{what} … {time.monotonic() - started:.0f} s")

    say(f"{what} …")
    thread = threading.Thread(target=remind, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
