"""Pipelines in threads of this process. In the fused profile all their stages are here, with no hop between them and
no waiting for a batch; in the distributed one they ask the deployments of `stages`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np

from posebot.core.errors import PosebotError
from posebot.core.frame import Frame
from posebot.models.bundle import Bundle
from posebot.service.engine.interface import Prediction, probe_frame
from posebot.service.engine.model_cache import ModelCache
from posebot.service.settings import Settings
from posebot.service.web.error_responses import ApiError
from posebot.stages.detect import Detection
from posebot.stages.pipeline import Pipeline

_TRUST_S = 30.0


class ThreadedEngine:
    """See `InferenceEngine`. Some pictures are worked on at once, a few more may wait, the rest is refused.

    Args:
        build: a pipeline without fusion over time, of a bundle with its name and digest. workers: pictures at once.
    """

    def __init__(self, settings: Settings, build: Callable[[Bundle, str, str], Pipeline], workers: int) -> None:
        self.active = settings.active
        self._shelf = ModelCache(settings.bundles, build)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="pipeline")
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._most, self._pending = workers + settings.graph.waiting, 0
        self._succeeded = float("-inf")

    async def infer(self, frame: Frame, bundle: str | None = None) -> Prediction:
        """See `InferenceEngine`."""
        if self._pending >= self._most:
            raise ApiError(503, f"{self._pending} pictures are waiting already", headers={"Retry-After": "1"})
        self._pending += 1
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._pool, self._infer, frame, bundle)
        finally:
            self._pending -= 1
        self._succeeded = time.monotonic()
        return answer

    async def activate(self, name: str, digest: str) -> None:
        """See `InferenceEngine`."""
        await asyncio.get_running_loop().run_in_executor(self._loader, self._shelf.get, name, digest)
        self.active = name

    async def probe(self) -> float:
        """See `InferenceEngine`."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._probe)

    async def check(self) -> None:
        """Health: a real inference, unless one has just succeeded. Raises PosebotError."""
        if time.monotonic() - self._succeeded > _TRUST_S and not self._pending:
            await self.probe()
            self._succeeded = time.monotonic()

    def _infer(self, frame: Frame, bundle: str | None) -> Prediction:
        loaded = self._shelf.get(bundle or self.active)
        return Prediction(loaded.parts(frame), loaded.name, loaded.bundle.manifest.version, loaded.digest)

    def _probe(self) -> float:
        """Detections cannot be forced through a whole pipeline, so its stages are called one by one."""
        pipeline, frame, start = self._shelf.get(self.active).parts, probe_frame(), time.perf_counter()
        pipeline.detector(frame.rgb)
        found = pipeline.localizer(frame.rgb, [Detection(0, 1.0, np.array([99.5, 59.5, 219.5, 179.5]))])
        if not all(np.isfinite(localization.coordinates).all() for localization in found):
            raise PosebotError("the localizer's output is not finite")
        with suppress(np.linalg.LinAlgError):  # that there is no pose in noise is no illness
            for localization in found:
                pipeline.solver(frame, localization)
        return 1000 * (time.perf_counter() - start)


def fused_engine(settings: Settings) -> ThreadedEngine:
    """All stages here."""
    def build(bundle: Bundle, name: str, digest: str) -> Pipeline:
        return Pipeline(bundle, fuse=False, threads=settings.graph.threads)

    return ThreadedEngine(settings, build, settings.graph.workers)
