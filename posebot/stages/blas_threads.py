"""Linear algebra in one thread, while objects are solved in several."""

from __future__ import annotations

from contextlib import ExitStack
from threading import Lock

from threadpoolctl import ThreadpoolController


class _SingleThreadedBlas:
    """While any thread is inside, BLAS uses one thread: products this small take longer in several.

    The setting is the process's: the first thread to enter makes it and the last one to leave restores it.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._open = Lock(), 0, ExitStack()
        self._controller: ThreadpoolController | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._controller = self._controller or ThreadpoolController()
                self._open.enter_context(self._controller.limit(limits=1, user_api="blas"))

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._open.close()


SINGLE_THREADED_BLAS = _SingleThreadedBlas()
