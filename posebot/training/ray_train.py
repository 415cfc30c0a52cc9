"""Ray Train around the plain training loop: workers, checkpoints, failures, and data from Ray Data.

One worker and a hundred run the same code. The loop keeps its checkpoint in the job's folder; Ray Train is given a copy
with every report, so that a run also survives where workers do not share a disk.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from posebot.core.errors import DatasetError
from posebot.core.waiting import announced
from posebot.datasets import ray_data
from posebot.training import jobs, networks
from posebot.training.job import Job
from posebot.training.loop import Batch, Hooks
from posebot.training.ray_start import connect, silence_ray

if TYPE_CHECKING:
    import ray.data
    import ray.train

CHECKPOINT = "checkpoint.pt"
MAX_FAILURES = 3
_WORKER_ENVIRONMENT = {
    # glibc gives freed memory back and asks for it again in every step; keeping it saves a sixth of the CPU time
    "MALLOC_TRIM_THRESHOLD_": "1073741824", "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "RAY_USAGE_STATS_ENABLED": "0", "YOLO_OFFLINE": "true",
}


@contextmanager
def cluster(address: str | None, workers: int, say: Callable[[str], object] = lambda line: None) -> Iterator[None]:
    """A connection to the Ray cluster at `address` (default: `RAY_ADDRESS`, else a cluster of this machine's own).

    Args:
        workers: processes that will train together. say: receives a line while Ray starts, again every few seconds.
    Raises:
        InputError: there is no cluster at the address. PosebotError: this machine's own did not start.
    """
    address = address or os.environ.get("RAY_ADDRESS") or None
    # A cluster of our own may run more workers than there are cores (each has one thread), and one task for data.
    cores = max(os.cpu_count() or 1, workers + 1)
    size: dict[str, Any] = {} if address else {"num_cpus": cores, "include_dashboard": False}
    with announced(say, f"joining the Ray cluster at {address}" if address else "starting Ray"):
        import ray

        ours = not ray.is_initialized()
        if ours:
            connect(address, runtime_env={"env_vars": _WORKER_ENVIRONMENT}, **size)
    try:
        yield
    finally:
        if ours:
            ray.shutdown()


def train(job: Job, use_gpu: bool) -> None:
    """Train one network on the connected cluster until its budget is spent. Continues from the checkpoint in `job.out`.

    Raises:
        ray.train.TrainingFailedError: the workers failed more than `MAX_FAILURES` times; holds the workers' own errors.
    """
    import ray.train
    from ray.train.torch import TorchTrainer

    streamed = job.config.source == "stream" and job.distributed
    data: dict[str, Any] = {}
    if streamed:
        data["train"] = ray_data.streaming_dataset(job.source, job.kind, partial(networks.augmented, job))
    workers = (job.config.workers or 1) if job.distributed else 1
    trainer = TorchTrainer(
        _worker, train_loop_config={"job": job}, datasets=data,
        scaling_config=ray.train.ScalingConfig(num_workers=workers, use_gpu=use_gpu),
        run_config=ray.train.RunConfig(
            name=job.network, storage_path=str((job.out.parent / "ray").resolve()),
            failure_config=ray.train.FailureConfig(max_failures=MAX_FAILURES),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=1)),
    )
    silence_ray()
    result = trainer.fit()
    _fetch(result.checkpoint, job.out)


def _worker(settings: dict[str, Any]) -> None:
    """What every worker of Ray Train runs."""
    import ray.train.torch
    import torch

    job: Job = settings["job"]
    context = ray.train.get_context()
    rank, workers = context.get_world_rank(), context.get_world_size()
    torch.set_num_threads(threads(job, workers))
    _fetch(ray.train.get_checkpoint(), job.out)
    device = ray.train.torch.get_device()
    reporter = WorkerReporter(job.out, rank, workers, str(device))
    hooks = Hooks(report=reporter.note, mean=reporter.mean, wrap=ray.train.torch.prepare_model, first=rank == 0,
                  workers=workers, device=str(device))
    streamed = job.config.source == "stream" and job.distributed
    batches = endless(ray.train.get_dataset_shard("train"), networks.loop_config(job).batch) if streamed else None
    jobs.run(job, hooks, rank, batches)
    reporter.close()


def threads(job: Job, workers: int) -> int:
    """Threads of one worker: as configured, else this machine's cores divided by the workers."""
    return job.config.threads or max(1, (os.cpu_count() or 1) // workers)


class WorkerReporter:
    """Averages progress over the workers in each step, and reports to Ray Train.

    `ray.train.report` is a barrier, so either all workers call it in a step or none does; rank 0 decides.
    """

    def __init__(self, out: Path, rank: int, workers: int, device: str) -> None:
        self.path, self.rank, self.workers, self.device = out / CHECKPOINT, rank, workers, device
        self.news: dict[str, float] | None = None
        self._kept = 0

    def note(self, progress: float, metrics: dict[str, float]) -> None:
        """Keep what rank 0 has to report until the next step."""
        self.news = metrics | {"progress": progress}
        if self.workers == 1:
            self._send()

    def mean(self, value: float) -> float:
        """The mean of `value` over the workers."""
        if self.workers == 1:
            return value
        import torch
        import torch.distributed

        shared = torch.tensor([value / self.workers, float(self.news is not None)], device=self.device)
        torch.distributed.all_reduce(shared)
        mean, news = shared.tolist()
        if news > 0:
            self._send()
        return float(mean)

    def close(self) -> None:
        """Report what is left, with the last checkpoint."""
        self._send()

    def _send(self) -> None:
        """Report to Ray Train, with the checkpoint if it is a new one."""
        import ray.train

        news, self.news = self.news or {}, None
        written = self.path.stat().st_mtime_ns if self.rank == 0 and self.path.exists() else 0
        if written == self._kept:
            ray.train.report(news)
            return
        with tempfile.TemporaryDirectory() as folder:
            shutil.copyfile(self.path, Path(folder) / CHECKPOINT)
            ray.train.report(news, checkpoint=ray.train.Checkpoint.from_directory(folder))
        self._kept = written


def endless(shard: ray.data.DataIterator, batch: int) -> Iterator[Batch]:
    """Batches of a worker's part of a stream, epoch after epoch."""
    while True:
        count = 0
        for found in shard.iter_batches(batch_size=batch, prefetch_batches=4, local_shuffle_buffer_size=4 * batch,
                                        drop_last=True):
            count += 1
            yield {name: np.array(array) for name, array in found.items()}  # Ray's own are read-only
        if not count:
            raise DatasetError("data set", f"has fewer than {batch} samples a worker",
                               "a smaller batch, or more frames")


def _fetch(checkpoint: ray.train.Checkpoint | None, out: Path) -> None:
    """Copy Ray Train's checkpoint into the run's folder, if there is none."""
    if checkpoint is None or (out / CHECKPOINT).exists():
        return
    out.mkdir(parents=True, exist_ok=True)
    with checkpoint.as_directory() as folder:
        if (Path(folder) / CHECKPOINT).exists():
            shutil.copyfile(Path(folder) / CHECKPOINT, out / CHECKPOINT)
