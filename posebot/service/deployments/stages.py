"""The distributed profile's deployments: networks that batch what several pictures ask, and the pose solver.

They hold the same classes as the fused profile. What crosses a hop: the letterboxed picture to the detector, crops to
the localizer, and to the solvers the frame once, by reference.
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
from posebot.models.runtime import Arrays, Network
from posebot.service.engine.model_cache import ModelCache
from posebot.service.settings import Settings
from posebot.stages.localize import Localization
from posebot.stages.pose import PoseSolution, PoseSolver

Model = tuple[str, str]
"""Name and digest of a bundle."""


@dataclass
class Asked:
    """Inputs of a network for one picture, and of which bundle."""

    model: Model
    inputs: Arrays


class NetworkStage:
    """The detector's or the localizer's network; pictures and crops that come together run together.

    Args:
        which: "detector" or "localizer".
    """

    def __init__(self, settings: Settings, which: str) -> None:
        def build(bundle: Bundle, name: str, digest: str) -> Network:
            return Network(getattr(bundle, which), "auto", settings.graph.threads, f"{which}.onnx")

        self._shelf = ModelCache(settings.bundles, build)
        self.run.set_max_batch_size(settings.graph.batch)  # type: ignore[attr-defined]
        self.run.set_batch_wait_timeout_s(settings.graph.batch_wait_s)  # type: ignore[attr-defined]

    async def reconfigure(self, user_config: dict[str, str]) -> None:
        """Load the bundle that is going to be active."""
        await asyncio.to_thread(self._shelf.get, user_config["active"], user_config["digest"])

    async def call(self, model: Model, inputs: Arrays) -> Arrays:
        """As `Network`, for one picture."""
        return await self.run(Asked(model, inputs))

    @serve.batch(max_batch_size=4, batch_wait_timeout_s=0.005)
    async def run(self, asked: list[Asked]) -> list[Arrays]:
        """What has come within a few milliseconds."""
        return await asyncio.to_thread(self._run, asked)

    def _run(self, asked: list[Asked]) -> list[Arrays]:
        answers: dict[int, Arrays] = {}
        for model in {one.model for one in asked}:
            numbers = [number for number, one in enumerate(asked) if one.model == model]
            network = self._shelf.get(*model).parts
            answers |= dict(zip(numbers, together(network, [asked[number].inputs for number in numbers])))
        return [answers[number] for number in range(len(asked))]


def together(network: Any, inputs: Sequence[Arrays]) -> list[Arrays]:
    """Run a network once for several inputs, joined along the first axis, and take its outputs apart again."""
    sizes = [len(next(iter(one.values()))) for one in inputs]
    joined = {name: np.concatenate([one[name] for one in inputs]) for name in inputs[0]}
    outputs = network(joined)
    ends = np.cumsum(sizes)
    return [{name: array[end - size:end] for name, array in outputs.items()} for size, end in zip(sizes, ends)]


class SolverStage:
    """Poses from localizations."""

    def __init__(self, settings: Settings) -> None:
        def build(bundle: Bundle, name: str, digest: str) -> PoseSolver:
            return PoseSolver(bundle.objects, settings.graph.threads, bundle.manifest.upright_prior)

        self._shelf = ModelCache(settings.bundles, build)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="solver")

    async def reconfigure(self, user_config: dict[str, str]) -> None:
        """Load the bundle that is going to be active."""
        await asyncio.to_thread(self._shelf.get, user_config["active"], user_config["digest"])

    async def solve(self, frame: Frame, model: Model, found: list[Localization], depth: bool) -> list[PoseSolution]:
        """As `PoseSolver`, for some of a frame's objects."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._solve, frame, model, found, depth)

    def _solve(self, frame: Frame, model: Model, found: list[Localization], depth: bool) -> list[PoseSolution]:
        return self._shelf.get(*model).parts.all(frame, found, depth)
