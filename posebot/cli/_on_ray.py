"""`posebot evaluate --ray`: pictures are judged by actors on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from posebot.datasets.bop import ImageKey
from posebot.evaluation.records import Record
from posebot.evaluation.run import Judges
from posebot.evaluation.worker import Source, Split, Worker
from posebot.training.ray_train import cluster


def on_ray(address: str | None, processes: int) -> Judges:
    """Judges on the cluster at `address` (see `cluster`): `processes` actors of one CPU, 0 for one per CPU there is.

    Data set and bundle must lie at the same path on all nodes.
    """
    def judges(split: Split, make_source: Callable[[], Source], keys: Sequence[ImageKey]) -> Iterator[Record]:
        import ray
        from ray.util import ActorPool

        with cluster(address, processes):
            count = processes or int(ray.cluster_resources().get("CPU", 1))
            actor = ray.remote(num_cpus=1)(Worker)
            pool = ActorPool([actor.remote(split, make_source) for _ in range(min(count, len(keys)))])
            yield from pool.map(lambda worker, key: worker.judge.remote(key), list(keys))

    return judges
