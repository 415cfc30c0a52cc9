"""The distributed profile as the API sees it: a pipeline whose networks and solvers are somewhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.frame import Frame
from posebot.models.bundle import Bundle
from posebot.models.runtime import Arrays
from posebot.service.deployments.stages import Model
from posebot.service.engine.fused import ThreadedEngine
from posebot.service.settings import Settings
from posebot.stages.detect import OnnxDetector
from posebot.stages.localize import Localization, OnnxLocalizer
from posebot.stages.pipeline import Pipeline
from posebot.stages.pose import PoseSolution

_AT_ONCE = 8


class RemoteNetwork:
    """Stands in for a `Network`. To be called in a thread without an event loop."""

    def __init__(self, handle: Any, model: Model, timeout_s: float) -> None:
        self._handle, self._model, self._timeout_s = handle, model, timeout_s

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        arrays = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
        answer: Arrays = self._handle.call.remote(self._model, arrays).result(timeout_s=self._timeout_s)
        return answer


class RemoteSolver:
    """Stands in for a `PoseSolver`; a frame's objects are dealt out to `shares` replicas. One takes them all where they
    tell each other which way is up."""

    def __init__(self, handle: Any, model: Model, shares: int, timeout_s: float) -> None:
        self._handle, self._model, self._shares, self._timeout_s = handle, model, shares, timeout_s

    def __call__(self, frame: Frame, localization: Localization, use_depth: bool = True) -> PoseSolution:
        return self.all(frame, [localization], use_depth)[0]

    def all(self, frame: Frame, found: list[Localization], use_depth: bool) -> list[PoseSolution]:
        """The solutions in the order of the localizations."""
        import ray

        reference = ray.put(frame)
        shares = [found[start::self._shares] for start in range(min(self._shares, len(found)))]
        pending = [self._handle.solve.remote(reference, self._model, share, use_depth) for share in shares]
        answers = [response.result(timeout_s=self._timeout_s) for response in pending]
        return [answers[number % len(shares)][number // len(shares)] for number in range(len(found))]


class RemotePipeline(Pipeline):
    """A pipeline of the same stage classes, their networks and the solver remote."""

    def __init__(self, bundle: Bundle, detector: RemoteNetwork, localizer: RemoteNetwork, solver: RemoteSolver) -> None:
        manifest = bundle.manifest
        stages: Any = (OnnxDetector(detector, manifest.detector, 20),  # type: ignore[arg-type]
                       OnnxLocalizer(localizer, manifest.localizer), solver)  # type: ignore[arg-type]
        super().__init__(bundle, fuse=False, stages=stages)


def remote_engine(settings: Settings, detector: Any, localizer: Any, solver: Any) -> ThreadedEngine:
    """Asks the deployments behind these handles."""
    timeout_s = settings.limits.infer_seconds

    def build(bundle: Bundle, name: str, digest: str) -> Pipeline:
        model = (name, digest)
        solvers = 1 if bundle.manifest.upright_prior else settings.graph.solver.max
        return RemotePipeline(bundle, RemoteNetwork(detector, model, timeout_s),
                              RemoteNetwork(localizer, model, timeout_s),
                              RemoteSolver(solver, model, solvers, timeout_s))

    return ThreadedEngine(settings, build, max(_AT_ONCE, settings.graph.workers))
