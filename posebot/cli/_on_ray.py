"""`posebot evaluate --ray`: images are evaluated by actors on a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from posebot.cli._common import console
from posebot.datasets.bop import ImageKey
from posebot.evaluation.records import ImageRecord
from posebot.evaluation.run import Executor, SourceFactory
from posebot.evaluation.worker import EvaluationSplit, EvaluationWorker
from posebot.training.ray_train import cluster


def on_ray(address: str | None, processes: int) -> Executor:
    """Executor on the cluster at `address` (see `cluster`): `processes` actors of one CPU, 0 for one per CPU.

    Data set and bundle must be at the same path on all nodes.
    """
    def executor(split: EvaluationSplit, make_source: SourceFactory, keys: Sequence[ImageKey]) -> Iterator[ImageRecord]:
        import ray
        from ray.util import ActorPool

        with cluster(address, processes, console().print):
            count = processes or int(ray.cluster_resources().get("CPU", 1))
            actor = ray.remote(num_cpus=1)(EvaluationWorker)
            pool = ActorPool([actor.remote(split, make_source) for _ in range(min(count, len(keys)))])
            yield from pool.map(lambda worker, key: worker.evaluate.remote(key), list(keys))

    return executor
