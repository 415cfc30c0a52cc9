"""Readiness: whether inference works, checked by running it."""

from __future__ import annotations

import asyncio
import time

from posebot.core.errors import PosebotError
from posebot.service.engine.interface import InferenceEngine
from posebot.service.errors import NotReady

_READY_FOR_S = 10.0


class Readiness:
    """A real inference, at most one in ten seconds however often it is asked for."""

    def __init__(self, engine: InferenceEngine) -> None:
        self._engine, self._lock = engine, asyncio.Lock()
        self._checked_at, self._ms, self._problem = 0.0, 0.0, ""

    async def check(self, timeout_s: float = 30.0) -> tuple[float, float]:
        """Time of the last check (seconds since 1970) and its milliseconds. Raises NotReady."""
        async with self._lock:
            if time.time() - self._checked_at > _READY_FOR_S:
                try:
                    self._ms, self._problem = await asyncio.wait_for(self._engine.probe(), timeout_s), ""
                except (PosebotError, TimeoutError) as error:
                    self._problem = str(error) or "inference takes too long"
                self._checked_at = time.time()
        if self._problem:
            raise NotReady(f"not ready: {self._problem}")
        return self._checked_at, self._ms
