"""Deployments of the distributed profile: networks that batch the requests of several frames, and the pose solver.

They hold the same classes as the fused profile. Between replicas travel: the letterboxed image to the detector, crops
to the localizer, and each frame once, by reference, to the solvers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from ray import serve

from posebot.core.frame import Frame
from posebot.models.bundle import Bundle
from posebot.models.runtime import Network
from posebot.models.runtimes import Arrays
from posebot.service.engine.model_cache import ModelCache, ModelKey
from posebot.service.settings import Settings
from posebot.stages.localize import Localization
from posebot.stages.pipeline import bundle_settings
from posebot.stages.pose import PoseSolver
from posebot.stages.solution import PoseSolution


@dataclass
class NetworkRequest:
    """Inputs of a network for one frame, and of which model."""

    model: ModelKey
    inputs: Arrays


class NetworkStage:
    """The detector's or the localizer's network. Requests that arrive together run as one batch.

    Args:
        which: "detector" or "localizer".
    """

    def __init__(self, settings: Settings, which: str) -> None:
        def build(bundle: Bundle, name: str, digest: str) -> Network:
            return Network(getattr(bundle, which), "auto", settings.inference.threads, f"{which}.onnx")

        self._models = ModelCache(settings.bundles, build)
        self.run.set_max_batch_size(settings.inference.batch)  # type: ignore[attr-defined]
        self.run.set_batch_wait_timeout_s(settings.inference.batch_wait_s)  # type: ignore[attr-defined]

    async def reconfigure(self, user_config: dict[str, str]) -> None:
        """Load the model that becomes active."""
        await asyncio.to_thread(self._models.get, user_config["active"], user_config["digest"])

    async def call(self, model: ModelKey, inputs: Arrays) -> Arrays:
        """As `Network`, for one frame."""
        return await self.run(NetworkRequest(model, inputs))

    @serve.batch(max_batch_size=4, batch_wait_timeout_s=0.005)
    async def run(self, requests: list[NetworkRequest]) -> list[Arrays]:
        """The requests of the last few milliseconds."""
        return await asyncio.to_thread(self._run, requests)

    def _run(self, requests: list[NetworkRequest]) -> list[Arrays]:
        outputs: dict[int, Arrays] = {}
        for model in {request.model for request in requests}:
            indices = [index for index, request in enumerate(requests) if request.model == model]
            network = self._models.get(*model).instance
            outputs |= dict(zip(indices, run_batch(network, [requests[index].inputs for index in indices])))
        return [outputs[index] for index in range(len(requests))]


def run_batch(network: Any, inputs: Sequence[Arrays]) -> list[Arrays]:
    """Run a network once on several inputs, concatenated along the first axis, and split its outputs again."""
    sizes = [len(next(iter(arrays.values()))) for arrays in inputs]
    batch = {name: np.concatenate([arrays[name] for arrays in inputs]) for name in inputs[0]}
    outputs = network(batch)
    ends = np.cumsum(sizes)
    return [{name: array[end - size:end] for name, array in outputs.items()} for size, end in zip(sizes, ends)]


class SolverStage:
    """Poses from localizations."""

    def __init__(self, settings: Settings) -> None:
        def build(bundle: Bundle, name: str, digest: str) -> PoseSolver:
            return PoseSolver(bundle.objects, settings.inference.threads, bundle.manifest.upright_prior,
                              bundle_settings(bundle))

        self._models = ModelCache(settings.bundles, build)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="solver")

    async def reconfigure(self, user_config: dict[str, str]) -> None:
        """Load the model that becomes active."""
        await asyncio.to_thread(self._models.get, user_config["active"], user_config["digest"])

    async def solve(self, frame: Frame, model: ModelKey, localizations: list[Localization],
                    use_depth: bool) -> list[PoseSolution]:
        """As `PoseSolver.all`, for some of a frame's objects."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._solve, frame, model, localizations, use_depth)

    def _solve(self, frame: Frame, model: ModelKey, localizations: list[Localization],
               use_depth: bool) -> list[PoseSolution]:
        return self._models.get(*model).instance.all(frame, localizations, use_depth)
