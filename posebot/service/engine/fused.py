"""Inference in threads of this process. In the fused profile every stage runs here; in the distributed profile the
pipelines call remote stages (`remote.py`)."""

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
from posebot.service.errors import Overloaded
from posebot.service.settings import Settings
from posebot.stages.detect import Detection
from posebot.stages.pipeline import Pipeline

_HEALTHY_FOR_S = 30.0


class ThreadedEngine:
    """See `InferenceEngine`. `workers` frames are processed in parallel, `inference.waiting` more may wait, others are
    refused.

    Args:
        build: makes a pipeline without fusion over time from a bundle, its name and digest.
    """

    def __init__(self, settings: Settings, build: Callable[[Bundle, str, str], Pipeline], workers: int) -> None:
        self.active = settings.active
        self._models = ModelCache(settings.bundles, build)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="pipeline")
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._max_pending, self._pending = workers + settings.inference.waiting, 0
        self._succeeded_at = float("-inf")

    async def infer(self, frame: Frame, bundle: str | None = None) -> Prediction:
        """See `InferenceEngine`."""
        if self._pending >= self._max_pending:
            raise Overloaded(f"{self._pending} images are already waiting")
        self._pending += 1
        try:
            prediction = await asyncio.get_running_loop().run_in_executor(self._pool, self._infer, frame, bundle)
        finally:
            self._pending -= 1
        self._succeeded_at = time.monotonic()
        return prediction

    async def activate(self, name: str, digest: str) -> None:
        """See `InferenceEngine`."""
        await asyncio.get_running_loop().run_in_executor(self._loader, self._models.get, name, digest)
        self.active = name

    async def probe(self) -> float:
        """See `InferenceEngine`."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._probe)

    async def check_health(self) -> None:
        """See `InferenceEngine`."""
        if time.monotonic() - self._succeeded_at > _HEALTHY_FOR_S and not self._pending:
            await self.probe()
            self._succeeded_at = time.monotonic()

    def _infer(self, frame: Frame, bundle: str | None) -> Prediction:
        model = self._models.get(bundle or self.active)
        return Prediction(model.instance(frame), model.name, model.bundle.manifest.version, model.digest)

    def _probe(self) -> float:
        """Calls the stages one by one, as nothing would be detected in noise."""
        pipeline, frame, start = self._models.get(self.active).instance, probe_frame(), time.perf_counter()
        pipeline.detector(frame.rgb)
        found = pipeline.localizer(frame.rgb, [Detection(0, 1.0, np.array([99.5, 59.5, 219.5, 179.5]))])
        if not all(np.isfinite(localization.coordinates).all() for localization in found):
            raise PosebotError("the localizer's output is not finite")
        with suppress(np.linalg.LinAlgError):  # noise has no pose; that is not a failure
            for localization in found:
                pipeline.solver(frame, localization)
        return 1000 * (time.perf_counter() - start)


def fused_engine(settings: Settings) -> ThreadedEngine:
    """An engine with all stages in this process."""
    def build(bundle: Bundle, name: str, digest: str) -> Pipeline:
        return Pipeline(bundle, fuse=False, threads=settings.inference.threads)

    return ThreadedEngine(settings, build, settings.inference.workers)
