"""Training the centre-heatmap detector: samples from the frame cache, and the loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from posebot.datasets import augment
from posebot.datasets.cache import Cache
from posebot.datasets.frames import MIN_VISIBLE
from posebot.models.detector_net import STRIDE, boxes_from_map
from posebot.training.loop import Batch

Rng = np.random.Generator


@dataclass(frozen=True)
class SampleConfig:
    """How a cached picture becomes a training sample: zoom (natural log), shift (share of the side), roll (radians)."""

    zoom: float = 0.4
    shift: float = 0.15
    turn: float = 0.2


def sample(picture: dict[str, NDArray[Any]], config: SampleConfig, rng: Rng) -> Batch:
    """`image` uint8 (3, H, W), `boxes` float32 (MAX_BOXES, 4) xyxy, `labels` int64 (MAX_BOXES,): -1 none, -2 ignore."""
    image, boxes = np.asarray(picture["image"]), np.asarray(picture["boxes"])
    height, width = image.shape[:2]
    scale, angle = np.exp(rng.uniform(-config.zoom, config.zoom)), rng.uniform(-config.turn, config.turn)
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    linear = np.array([[cos, -sin], [sin, cos]])
    shift = middle + rng.uniform(-config.shift, config.shift, 2) * (width, height) - linear @ middle
    matrix = np.concatenate([linear, shift[:, None]], axis=1)
    moved = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    image = augment.photometric(np.asarray(moved), rng)
    xyxy, labels = _moved(boxes, matrix, width, height)
    return {"image": np.ascontiguousarray(image.transpose(2, 0, 1)), "boxes": xyxy, "labels": labels}


def _moved(
    boxes: NDArray[Any], matrix: NDArray[np.float64], width: int, height: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Boxes after the affine map, cut at the edge. A turned box keeps its area's ellipse, not its corners."""
    xyxy = boxes["xyxy"].astype(np.float64)
    center, half = (xyxy[:, :2] + xyxy[:, 2:]) / 2, (xyxy[:, 2:] - xyxy[:, :2]) / 2
    center = center @ matrix[:, :2].T + matrix[:, 2]
    half = np.sqrt(half**2 @ (matrix[:, :2].T ** 2))
    moved = np.concatenate([center - half, center + half], axis=1)
    cut = np.clip(moved, -0.5, np.tile([width - 0.5, height - 0.5], 2))
    area, whole = np.prod(cut[:, 2:] - cut[:, :2], axis=1), np.prod(2 * half, axis=1)
    seen = area / np.maximum(whole, 1e-6)
    labels = np.where(boxes["label"] < 0, -1, boxes["label"]).astype(np.int64)
    labels[(labels >= 0) & (seen < 0.25)] = -1
    labels[(labels >= 0) & ((boxes["visible"] < MIN_VISIBLE) | (area < 64))] = -2
    return cut.astype(np.float32), labels


def batches(root: Path, size: int, config: SampleConfig, rng: Rng) -> Iterator[Batch]:
    """Endless shuffled batches. Shards that are added meanwhile are taken up after each round."""
    while True:
        cache = Cache(root)
        order = rng.permutation(len(cache))
        for start in range(0, len(order) - size + 1, size):
            rows = [sample(cache.sample(int(index)), config, rng) for index in order[start : start + size]]
            yield {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def targets(boxes: Tensor, labels: Tensor, classes: int, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Heatmap (N, C, H, W) in 0..1, box truth (N, 4, H, W) and its weight (N, H, W).

    Gaussians around box centres, sigma a tenth of the box (Zhou et al. 2019 use the IoU radius; a share of the size
    serves as well), at least 0.7 cells. Ignored objects blank their box: heatmap -1 there. Boxes are learnt where the
    Gaussian is over 0.3, of the smallest box where several overlap.
    """
    count = boxes.shape[0]
    heat = torch.zeros(count, classes, height, width)
    truth, weight = torch.zeros(count, 4, height, width), torch.zeros(count, height, width)
    ys, xs = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    cells = (boxes + 0.5) / STRIDE - 0.5
    for n in range(count):
        areas = (boxes[n, :, 2:] - boxes[n, :, :2]).prod(dim=1)
        for k in torch.argsort(areas, descending=True).tolist():
            label = int(labels[n, k])
            if label == -1:
                continue
            x0, y0, x1, y1 = cells[n, k].tolist()
            if label == -2:
                inside = (xs >= x0) & (xs <= x1) & (ys >= y0) & (ys <= y1)
                heat[n][:, inside & (heat[n].amax(0) < 0.3)] = -1.0
                continue
            cx, cy = round((x0 + x1) / 2), round((y0 + y1) / 2)
            cx, cy = min(max(cx, 0), width - 1), min(max(cy, 0), height - 1)
            sx, sy = max((x1 - x0) * 0.1, 0.7), max((y1 - y0) * 0.1, 0.7)
            blob = torch.exp(-((xs - cx) ** 2 / (2 * sx**2) + (ys - cy) ** 2 / (2 * sy**2)))
            heat[n, label] = torch.maximum(heat[n, label], blob)
            near = blob > 0.3
            truth[n][:, near] = boxes[n, k][:, None]
            weight[n][near] = blob[near]
    return heat, truth, weight


class DetectorLoss:
    """Penalty-reduced focal loss on the heatmap (Law and Deng, "CornerNet", ECCV 2018) and generalised IoU on boxes."""

    def __call__(self, net: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        logits, log_distances = (part.float() for part in net(batch["image"].float()))
        heat, truth, weight = targets(batch["boxes"].cpu(), batch["labels"].cpu(), logits.shape[1], *logits.shape[2:])
        heat, truth, weight = (part.to(logits.device) for part in (heat, truth, weight))
        positive, known = (heat >= 0.999).float(), (heat >= 0).float()
        log_p, log_not = nn.functional.logsigmoid(logits), nn.functional.logsigmoid(-logits)
        p = torch.sigmoid(logits)
        gain = positive * (1 - p) ** 2 * log_p + (1 - positive) * known * (1 - heat.clamp(min=0)) ** 4 * p**2 * log_not
        score = -gain.sum() / positive.sum().clamp(min=1.0)
        box = ((1 - giou(boxes_from_map(log_distances), truth)) * weight).sum() / weight.sum().clamp(min=1.0)
        return {"loss": score + 2.0 * box, "score": score, "box": box}


def giou(boxes: Tensor, truth: Tensor) -> Tensor:
    """Generalised IoU (N, H, W) of xyxy maps (N, 4, H, W) (Rezatofighi et al., CVPR 2019)."""

    def area(x0: Tensor, y0: Tensor, x1: Tensor, y1: Tensor) -> Tensor:
        return (x1 - x0).clamp(min=0) * (y1 - y0).clamp(min=0)

    a, b = boxes.unbind(1), truth.unbind(1)
    common = area(
        torch.maximum(a[0], b[0]), torch.maximum(a[1], b[1]), torch.minimum(a[2], b[2]), torch.minimum(a[3], b[3])
    )
    hull = area(
        torch.minimum(a[0], b[0]), torch.minimum(a[1], b[1]), torch.maximum(a[2], b[2]), torch.maximum(a[3], b[3])
    )
    union = area(*a) + area(*b) - common
    return common / union.clamp(min=1e-6) - (hull - union) / hull.clamp(min=1e-6)
