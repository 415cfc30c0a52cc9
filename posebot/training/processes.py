"""Training in several processes of this machine, each with the same network and samples of its own.

On a CPU, two processes of one thread each take twice the steps of one with two threads: most layers are too small to
be shared by threads. Gradients are averaged with torch's DistributedDataParallel (gloo). No Ray is needed; `ray_train`
does the same on a cluster, and starts lost workers again.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import torch
import torch.distributed
import torch.multiprocessing
from torch.nn.parallel import DistributedDataParallel

from posebot.core.machine import cores
from posebot.training import jobs
from posebot.training.config import TrainConfig
from posebot.training.job import Job
from posebot.training.loop import Hooks
from posebot.training.timeline import network_stage

MOST = 4
"""Processes where nothing is said: more need another learning rate."""
_WORTH_MINUTES = 5.0  # of training, from which more processes make up for their start
_LEAST_BATCH = 4


def with_workers(config: TrainConfig) -> TrainConfig:
    """The settings with a number of workers, where they leave it open; the batches are then shared among them.

    One for each core, up to `MOST`, beside a CPU; one beside a GPU, and where training takes less than five minutes.
    """
    if config.workers is not None:
        return config
    detector, localizer = config.detector, config.localizer
    height, width = detector.input_size
    seconds = (network_stage(detector.minutes, detector.pictures, height * width).seconds
               + network_stage(localizer.minutes, localizer.crops, localizer.crop_size**2).seconds)
    if seconds < 60 * _WORTH_MINUTES or torch.cuda.is_available():
        return replace(config, workers=1)
    count = min(cores(), MOST)
    return replace(config, workers=count,
                   detector=replace(detector, batch=_shared(detector.batch, count)),
                   localizer=replace(localizer, batch=_shared(localizer.batch, count)))


def _shared(batch: int, count: int) -> int:
    return max(min(batch, _LEAST_BATCH), batch // count)


def threads(config: TrainConfig, workers: int) -> int:
    """Threads of each of so many processes: as the settings say, else the cores that each has; half of them for one."""
    return config.threads or max(1, cores() // max(workers, 2))


def train(job: Job, workers: int) -> None:
    """Train one network, or continue, until its budget is spent. One worker trains in this process.

    Raises:
        torch.multiprocessing.ProcessRaisedException: a worker failed; the same call continues from its checkpoint.
    """
    workers = workers if job.distributed else 1
    if workers < 2:
        torch.set_num_threads(threads(job.config, 1))
        jobs.run(job, Hooks(device="cuda" if torch.cuda.is_available() else "cpu"))
        return
    job.out.mkdir(parents=True, exist_ok=True)
    meeting = job.out / "workers"
    meeting.unlink(missing_ok=True)  # of a run that was killed
    torch.multiprocessing.spawn(_worker, (job, workers, meeting), nprocs=workers)  # type: ignore[attr-defined]
    meeting.unlink(missing_ok=True)


def _worker(rank: int, job: Job, workers: int, meeting: Path) -> None:
    """What each process runs."""
    torch.set_num_threads(threads(job.config, workers))
    cv2.setNumThreads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting.resolve()}", rank=rank,
                                         world_size=workers)
    try:
        jobs.run(job, Hooks(mean=_mean, wrap=DistributedDataParallel, first=rank == 0, workers=workers), rank)
    finally:
        torch.distributed.destroy_process_group()


def _mean(value: float) -> float:
    """The mean over the workers, so that all of them stop at the same step."""
    shared = torch.tensor([value], dtype=torch.float64)
    torch.distributed.all_reduce(shared)
    return float(shared) / torch.distributed.get_world_size()
