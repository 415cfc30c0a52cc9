"""A further detector trainer, as an extension: torchvision's SSD on a small backbone. The entry is in the test."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.ssd import SSD, SSDHead

from posebot.datasets.detector_samples import MIN_VISIBLE
from posebot.datasets.sample_cache import SampleCache
from posebot.training.export import ExportView
from posebot.training.job import Job
from posebot.training.loop import Batch, Hooks

CHANNELS, CANDIDATES, MAX_IOU = 48, 20, 0.5


class Backbone(nn.Module):
    """Feature maps at 1/8 and 1/16 of the image's size."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 16, 32, CHANNELS, CHANNELS)
        self.blocks = nn.ModuleList(nn.Sequential(
            nn.Conv2d(a, b, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())
            for a, b in itertools.pairwise(widths))

    def forward(self, image: Tensor) -> OrderedDict[str, Tensor]:
        maps = []
        for block in self.blocks:
            image = block(image)
            maps.append(image)
        return OrderedDict({"8": maps[2], "16": maps[3]})


def network(job: Job) -> SSD:
    """The SSD of a job's size and classes; class 0 is the background."""
    height, width = job.config.detector.input_size
    anchors = DefaultBoxGenerator([[2], [2]], scales=[0.15, 0.3, 0.5])
    head = SSDHead([CHANNELS, CHANNELS], anchors.num_anchors_per_location(), len(job.labels) + 1)
    return SSD(Backbone(), anchors, (width, height), len(job.labels) + 1, head=head, image_mean=[0.5] * 3,
               image_std=[0.25] * 3)


class SsdTrainer:
    """Trains until the budget of images is spent."""

    distributed = False

    def train(self, job: Job, hooks: Hooks, rank: int = 0, stream: Iterator[Batch] | None = None) -> None:
        settings, samples = job.config.detector, SampleCache(job.cache)
        net = network(job).train()
        optimizer = torch.optim.AdamW(net.parameters(), settings.lr)
        rng = np.random.default_rng(job.config.seed)
        steps = max(1, (settings.pictures or 1000) // settings.batch)
        for step in range(steps):
            chosen = [samples.sample(int(row)) for row in rng.integers(len(samples), size=settings.batch)]
            losses = net([torch.from_numpy(one["image"].copy()).permute(2, 0, 1) / 255 for one in chosen],
                         [target(one["boxes"]) for one in chosen])
            loss = sum(losses.values())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            hooks.report((step + 1) / steps, {"loss": float(loss.detach())})
        torch.save(net.state_dict(), job.out / "ssd.pt")

    def trained(self, job: Job) -> ExportView:
        net = network(job)
        net.load_state_dict(torch.load(job.out / "ssd.pt", weights_only=True))
        return SsdExport(net, job.config.detector.input_size).eval()

    def spent(self, job: Job) -> dict[str, float]:
        return {"samples": float(job.config.detector.pictures or 0)}


def target(boxes: np.ndarray) -> dict[str, Tensor]:
    """Boxes as torchvision wants them: from pixel corners, labels from 1."""
    shown = boxes[(boxes["label"] >= 0) & (boxes["visible"] >= MIN_VISIBLE)]
    return {"boxes": torch.from_numpy(shown["xyxy"] + 0.5),
            "labels": torch.from_numpy(shown["label"].astype(np.int64)) + 1}


class SsdExport(nn.Module):
    """The detector's contract: uint8 images in; boxes, scores and labels out, best first, without duplicates."""

    input_names = ("image",)
    output_names = ("boxes", "scores", "labels")

    def __init__(self, net: SSD, input_size: tuple[int, int]) -> None:
        super().__init__()
        self.net, self.input_size = net, input_size
        maps = list(net.backbone(torch.zeros(1, 3, *input_size)).values())
        anchors = net.anchor_generator(ImageList(torch.zeros(1, 3, *input_size), [input_size]), maps)[0]
        self.register_buffer("anchors", anchors)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        maps = list(self.net.backbone((image.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25).values())
        outputs = self.net.head(maps)
        scores, labels = outputs["cls_logits"].softmax(-1)[..., 1:].max(-1)
        scores, best = scores.topk(CANDIDATES)
        boxes = self._decoded(outputs["bbox_regression"]).gather(1, best[..., None].expand(-1, -1, 4))
        labels = labels.gather(1, best)
        same = (labels[:, :, None] == labels[:, None]) & (overlaps(boxes) > MAX_IOU)
        earlier = torch.ones(CANDIDATES, CANDIDATES, dtype=torch.bool).tril(-1)
        scores, order = (scores * ~(same & earlier).any(-1)).topk(CANDIDATES)
        return boxes.gather(1, order[..., None].expand(-1, -1, 4)) - 0.5, scores, labels.gather(1, order)

    def _decoded(self, codes: Tensor) -> Tensor:
        middle, size = (self.anchors[:, :2] + self.anchors[:, 2:]) / 2, self.anchors[:, 2:] - self.anchors[:, :2]
        center, half = middle + codes[..., :2] / 10 * size, (codes[..., 2:] / 5).exp() * size / 2
        return torch.cat([center - half, center + half], -1)

    def example(self, batch: int = 1) -> tuple[Tensor]:
        return (torch.zeros(batch, *self.input_size, 3, dtype=torch.uint8),)


def overlaps(boxes: Tensor) -> Tensor:
    """IoU (N, K, K) of boxes (N, K, 4) with each other; `torchvision.ops.box_iou` for a batch, in ONNX's operators."""
    low = torch.maximum(boxes[:, :, None, :2], boxes[:, None, :, :2])
    high = torch.minimum(boxes[:, :, None, 2:], boxes[:, None, :, 2:])
    common = (high - low).clamp(min=0).prod(-1)
    area = (boxes[..., 2:] - boxes[..., :2]).prod(-1)
    return common / (area[:, :, None] + area[:, None] - common)


