"""Training posebot's own networks, the heatmap detector and the localizer: samples, losses, budget, checkpoint.

The same functions run in the process of `posebot train --no-ray` and in the workers of Ray Train.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from posebot.core.coordinates import coordinate_symmetries
from posebot.core.errors import InputError
from posebot.datasets.sample_cache import SampleCache
from posebot.datasets.sample_source import open_dataset
from posebot.models.detector_net import DetectorExport, DetectorNet
from posebot.models.localizer_net import LocalizerExport, LocalizerNet
from posebot.training import localizer
from posebot.training.detectors import heatmap_samples
from posebot.training.export import ExportView
from posebot.training.job import Job
from posebot.training.loading import loaded
from posebot.training.loop import Batch, Budget, Hooks, LoopConfig, fit, resume_salt
from posebot.training.start import average_weights, start_weights, transfer_weights

REPORT_S = 6.0
"""Seconds between two reports of progress."""


def train(job: Job, hooks: Hooks, rank: int = 0, stream: Iterator[Batch] | None = None) -> None:
    """Train, or continue, until the budget is spent. `stream` replaces the cache."""
    config = loop_config(job)
    torch.backends.cudnn.benchmark = True  # all batches have one size
    if stream is None:
        processes = loaders(job.config.loaders, hooks.device)
        stream = loaded(partial(cached, job, config.batch), [job.config.seed, rank, resume_salt(job.out)], processes,
                        hooks.device != "cpu")
    fit(new_network(job), loss_of(job), stream, config, job.out, hooks)


def loaders(wanted: int | None, device: str) -> int:
    """Processes that make batches: as the config says, else none beside a CPU and a core each beside a GPU."""
    if wanted is not None:
        return wanted
    return 0 if device == "cpu" else max(1, (os.cpu_count() or 2) - 1)


def cached(job: Job, batch: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Endless augmented batches from the cache. Raises InputError where nothing is cached."""
    if not len(SampleCache(job.cache)):
        raise InputError(job.cache, "holds no samples", "the run's folder on a disk that all workers can reach")
    if job.network == "detector":
        return heatmap_samples.batches(job.cache, batch, image_samples(job), rng)
    return localizer.batches(job.cache, batch, crop_samples(job), rng, job.focus)


def new_network(job: Job) -> DetectorNet | LocalizerNet:
    """The network with the weights it starts from: those of ImageNet, or those of the bundle `start`."""
    classes, shape, own = len(job.source.labels), job.config.detector, job.config.localizer
    net: DetectorNet | LocalizerNet
    if job.network == "detector":
        net = DetectorNet(classes, shape.width, shape.frozen_stages)
    else:
        net = LocalizerNet(classes, own.bins, own.width, own.crop_size, own.frozen_stages)
    net.encoder.load_imagenet()
    if job.start is not None:
        state, labels = start_weights(job.start, job.network, "heatmap")
        net.load_state_dict(transfer_weights(net.state_dict(), state, labels, job.labels, str(job.start)))
    return net


def loss_of(job: Job) -> heatmap_samples.DetectorLoss | localizer.LocalizerLoss:
    """The loss; the localizer's knows the objects' symmetries and proportions."""
    if job.network == "detector":
        return heatmap_samples.DetectorLoss()
    objects = [open_dataset(job.source).objects[obj_id] for obj_id, _ in job.source.labels]
    extents = np.stack([model.extents / model.diameter for model in objects]).astype(np.float32)
    return localizer.LocalizerLoss([coordinate_symmetries(model) for model in objects], extents)


def image_samples(job: Job) -> heatmap_samples.SampleConfig:
    """How images are augmented."""
    return heatmap_samples.SampleConfig(len(job.source.labels))


def crop_samples(job: Job) -> localizer.SampleConfig:
    """How crops are augmented."""
    own = job.config.localizer
    return localizer.SampleConfig(own.crop_size, own.pad, own.box_jitter, own.turn, own.replace_background, own.cover,
                                  own.relit)


def loop_config(job: Job) -> LoopConfig:
    """Budget, batch, learning rate and how often to checkpoint."""
    every, pictures, crops = job.config.checkpoint_s, job.config.detector, job.config.localizer
    if job.network == "detector":
        budget, batch, lr = Budget(pictures.pictures, pictures.minutes), pictures.batch, pictures.lr
        batch = min(batch, max(1, len(SampleCache(job.cache)))) if job.config.source == "cache" else batch
    else:
        budget, batch, lr = Budget(crops.crops, crops.minutes), crops.batch, crops.lr
    return LoopConfig(budget, batch, lr, checkpoint_s=every, report_s=min(REPORT_S, every))


def augmented(job: Job, batch: Batch) -> Batch:
    """A batch of cached samples as a batch for the network, newly augmented; what runs in the tasks of a stream."""
    rng = np.random.default_rng()
    rows = [dict(zip(batch, row, strict=True)) for row in zip(*batch.values(), strict=True)]
    pairs = [(row, rows[other]) for row, other in zip(rows, rng.integers(len(rows), size=len(rows)), strict=True)]
    if job.network == "detector":
        samples = [heatmap_samples.sample(row, other, image_samples(job), rng) for row, other in pairs]
    else:
        samples = [localizer.sample(row, other, crop_samples(job), rng) for row, other in pairs]
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}


def trained(job: Job) -> ExportView:
    """The trained network as it is exported, from the checkpoint in `job.out`."""
    net = new_network(Job(job.network, job.config, job.source, job.cache, job.out))
    weights = torch.load(job.out / "checkpoint.pt", map_location="cpu", weights_only=True)["averaged"]
    share = getattr(job.config, job.network).weight_averaging
    if share and job.start is not None:
        weights = average_weights(weights, new_network(job).state_dict(), share)
    net.load_state_dict(weights)
    if isinstance(net, DetectorNet):
        return DetectorExport(net, job.config.detector.input_size)
    return LocalizerExport(net)


def spent(job: Job) -> dict[str, float]:
    """Samples seen and minutes used, from the checkpoint in `job.out`."""
    done = torch.load(job.out / "checkpoint.pt", map_location="cpu", weights_only=True)["progress"]
    waited = done["waited"] / max(done["seconds"], 1e-9)
    return {"samples": done["samples"], "minutes": round(done["seconds"] / 60, 2), "waited_share": round(waited, 3)}


def mosaic(job: Job, rows: int = 4) -> NDArray[np.uint8]:
    """rows x rows augmented samples beside each other, uint8 RGB."""
    batch = next(cached(job, 1, np.random.default_rng(0))) if len(SampleCache(job.cache)) < rows**2 else \
        next(cached(job, rows**2, np.random.default_rng(0)))
    pictures = batch["image" if job.network == "detector" else "crop"].transpose(0, 2, 3, 1)
    side = int(len(pictures) ** 0.5)
    return np.concatenate([np.concatenate(list(pictures[row * side:(row + 1) * side]), axis=1) for row in range(side)])
