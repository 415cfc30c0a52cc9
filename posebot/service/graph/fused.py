"""The fused profile: all stages in this process, no hop between them, no waiting for a batch."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from posebot.core.errors import PosebotError
from posebot.core.frame import Frame
from posebot.models.bundle import Bundle
from posebot.service.errors import ApiError
from posebot.service.graph.engine import Answer, probe_frame
from posebot.service.graph.shelf import Shelf
from posebot.service.settings import Settings
from posebot.stages.detect import Detection
from posebot.stages.pipeline import Pipeline


class FusedEngine:
    """Runs whole pipelines in threads, `graph.workers` at once; a few more may wait, the rest is refused."""

    def __init__(self, settings: Settings) -> None:
        graph = settings.graph

        def build(bundle: Bundle) -> Pipeline:
            return Pipeline(bundle, fuse=False, threads=graph.threads)

        self.active = settings.active
        self._shelf: Shelf[Pipeline] = Shelf(settings.bundles, build)
        self._pool = ThreadPoolExecutor(graph.workers, thread_name_prefix="pipeline")
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._most, self._pending = graph.workers + graph.waiting, 0

    async def infer(self, frame: Frame, bundle: str | None = None) -> Answer:
        """See `Engine`."""
        if self._pending >= self._most:
            raise ApiError(503, f"{self._pending} pictures are waiting already", headers={"Retry-After": "1"})
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._infer, frame, bundle)
        finally:
            self._pending -= 1

    async def activate(self, name: str, digest: str) -> None:
        """See `Engine`."""
        await asyncio.get_running_loop().run_in_executor(self._loader, self._shelf.get, name, digest)
        self.active = name

    async def probe(self) -> float:
        """See `Engine`."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._probe)

    def _infer(self, frame: Frame, bundle: str | None) -> Answer:
        loaded = self._shelf.get(bundle or self.active)
        return Answer(loaded.parts(frame), loaded.name, loaded.bundle.manifest.version, loaded.digest)

    def _probe(self) -> float:
        """Detections cannot be forced through a whole pipeline, so its stages are called one by one."""
        pipeline, frame, start = self._shelf.get(self.active).parts, probe_frame(), time.perf_counter()
        pipeline.detector(frame.rgb)
        found = pipeline.localizer(frame.rgb, [Detection(0, 1.0, np.array([99.5, 59.5, 219.5, 179.5]))])
        if not all(np.isfinite(localization.coordinates).all() for localization in found):
            raise PosebotError("the localizer's output is not finite")
        for localization in found:
            pipeline.solver(frame, localization)
        return 1000 * (time.perf_counter() - start)
