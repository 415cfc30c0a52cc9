"""The distributed profile: a pipeline whose networks and pose solver run in other replicas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.frame import Frame
from posebot.models.bundle import Bundle
from posebot.models.runtimes import Arrays
from posebot.service.engine.fused import ThreadedEngine
from posebot.service.engine.model_cache import ModelKey
from posebot.service.settings import Settings
from posebot.stages.detect import OnnxDetector
from posebot.stages.localize import Localization, OnnxLocalizer
from posebot.stages.pipeline import Pipeline
from posebot.stages.solution import PoseSolution

_MIN_WORKERS = 8  # threads that wait for remote stages


class RemoteNetwork:
    """A `Network` behind a handle. Blocks: call it in a thread without an event loop.

    Args:
        handle: of a deployment with `call(model, inputs)`, see `deployments.stages.NetworkStage`.
    """

    def __init__(self, handle: Any, model: ModelKey, timeout_s: float) -> None:
        self._handle, self._model, self._timeout_s = handle, model, timeout_s

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        arrays = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
        outputs: Arrays = self._handle.call.remote(self._model, arrays).result(timeout_s=self._timeout_s)
        return outputs


class RemoteSolver:
    """A `PoseSolver` behind a handle. The objects of a frame are split into `shards`, one per replica.

    Args:
        handle: of a deployment with `solve(frame, model, localizations, use_depth)`, see `deployments.stages`.
        share: puts a frame into shared memory and returns a reference, so that all shards read one copy.
    """

    def __init__(self, handle: Any, model: ModelKey, shards: int, timeout_s: float,
                 share: Callable[[Frame], Any]) -> None:
        self._handle, self._model, self._shards, self._timeout_s = handle, model, shards, timeout_s
        self._share = share

    def __call__(self, frame: Frame, localization: Localization, use_depth: bool = True) -> PoseSolution:
        return self.all(frame, [localization], use_depth)[0]

    def all(self, frame: Frame, localizations: list[Localization], use_depth: bool) -> list[PoseSolution]:
        """The solutions in the order of the localizations."""
        reference = self._share(frame)
        shards = [localizations[start::self._shards] for start in range(min(self._shards, len(localizations)))]
        responses = [self._handle.solve.remote(reference, self._model, shard, use_depth) for shard in shards]
        solved = [response.result(timeout_s=self._timeout_s) for response in responses]
        return [solved[index % len(shards)][index // len(shards)] for index in range(len(localizations))]


class RemotePipeline(Pipeline):
    """A pipeline of the same stage classes, with remote networks and a remote solver."""

    def __init__(self, bundle: Bundle, detector: RemoteNetwork, localizer: RemoteNetwork, solver: RemoteSolver) -> None:
        manifest = bundle.manifest
        stages: Any = (OnnxDetector(detector, manifest.detector, 20),  # type: ignore[arg-type]
                       OnnxLocalizer(localizer, manifest.localizer), solver)  # type: ignore[arg-type]
        super().__init__(bundle, fuse=False, stages=stages)


def remote_engine(settings: Settings, share: Callable[[Frame], Any], detector: Any, localizer: Any,
                  solver: Any) -> ThreadedEngine:
    """An engine on the deployments behind these handles. `share`: see `RemoteSolver`."""
    timeout_s = settings.limits.infer_seconds

    def build(bundle: Bundle, name: str, digest: str) -> Pipeline:
        model = (name, digest)
        # the upright prior compares all objects of a frame: they must be solved together
        shards = 1 if bundle.manifest.upright_prior else settings.inference.solver.max
        return RemotePipeline(bundle, RemoteNetwork(detector, model, timeout_s),
                              RemoteNetwork(localizer, model, timeout_s),
                              RemoteSolver(solver, model, shards, timeout_s, share))

    return ThreadedEngine(settings, build, max(_MIN_WORKERS, settings.inference.workers))
