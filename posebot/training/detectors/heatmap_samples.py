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
from posebot.datasets.detector_samples import MIN_VISIBLE
from posebot.datasets.sample_cache import SampleCache
from posebot.models.detector_net import STRIDE, boxes_from_map
from posebot.training.loop import Batch

Rng = np.random.Generator
_LEFT = 0.25  # visible share below which an object that others are pasted over is ignored
NOTHING, IGNORED = -1, -2  # instead of a class: no box; a box that counts neither as object nor as background


@dataclass(frozen=True)
class SampleConfig:
    """How a cached image becomes a training sample.

    Attributes:
        classes: how many. zoom (natural log), shift (share of the side), turn (radians): largest change of the image.
        relit: share of the objects that are relit by themselves, and of the images of which other parts are.
        pasted: share of the images that get objects of another one in front.
    """

    classes: int
    zoom: float = 0.4
    shift: float = 0.15
    turn: float = 0.2
    relit: float = 0.4
    pasted: float = 0.4


@dataclass(frozen=True)
class _View:
    """An image being augmented: image uint8 (H, W, 3), xyxy (K, 4), labels (K,), owner (H, W) as in
    `datasets.detector_samples`, and ghosts (H, W): where mirrored objects are seen, beyond the image's edge."""

    image: NDArray[Any]
    xyxy: NDArray[np.float32]
    labels: NDArray[np.int64]
    owner: NDArray[Any]
    ghosts: NDArray[np.bool_]


def sample(cached: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]], config: SampleConfig, rng: Rng) -> Batch:
    """`image` uint8 (3, H, W), and the `targets` of its map. `other`: an image to take objects from."""
    view = _moved_view(cached, config, rng)
    if rng.random() < config.pasted:
        view = _pasted(view, _moved_view(other, config, rng), rng)
    image = augment.photometric(_relit(view, np.asarray(other["image"]), config.relit, rng), rng)
    map_size = image.shape[0] // STRIDE, image.shape[1] // STRIDE
    return {"image": np.ascontiguousarray(image.transpose(2, 0, 1)),
            **targets(view.xyxy, view.labels, config.classes, *map_size, _cells(view.ghosts, map_size))}


def _moved_view(cached: dict[str, NDArray[Any]], config: SampleConfig, rng: Rng) -> _View:
    """A cached image after a random similarity transform."""
    image, boxes = np.asarray(cached["image"]), np.asarray(cached["boxes"])
    height, width = image.shape[:2]
    scale, angle = np.exp(rng.uniform(-config.zoom, config.zoom)), rng.uniform(-config.turn, config.turn)
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    linear = np.array([[cos, -sin], [sin, cos]])
    shift = middle + rng.uniform(-config.shift, config.shift, 2) * (width, height) - linear @ middle
    matrix = np.concatenate([linear, shift[:, None]], axis=1)
    moved = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    mirrored = cv2.warpAffine(np.asarray(cached["owner"]), matrix, (width, height), flags=cv2.INTER_NEAREST,
                              borderMode=cv2.BORDER_REFLECT_101)
    inside = cv2.warpAffine(np.ones((height, width), np.uint8), matrix, (width, height), flags=cv2.INTER_NEAREST)
    return _View(np.asarray(moved), *_moved(boxes, matrix, width, height), mirrored * inside,
                 (mirrored > 0) & (inside == 0))


def _cells(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The cells (h, w) of the map that a mask (H, W) touches."""
    return np.asarray(cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA) > 0)


def _relit(view: _View, other: NDArray[Any], share: float, rng: Rng) -> NDArray[Any]:
    """The image with some objects relit, and sometimes other parts too, so that relighting does not mark objects."""
    image = view.image.copy()
    for row in np.flatnonzero(view.labels >= 0):
        if rng.random() < share:
            _light(image, view.owner == row + 1, other, rng)
    if rng.random() < share:
        _light(image, augment.random_occluder_mask(view.owner.shape, rng) & (view.owner == 0), other, rng)
    return image


def _light(image: NDArray[Any], mask: NDArray[np.bool_], other: NDArray[Any], rng: Rng) -> None:
    """Relight the part under a mask, in place."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    if min(width, height) < 3:
        return
    part = image[y:y + height, x:x + width]
    alpha = augment.feather(mask[y:y + height, x:x + width].astype(np.float32), rng)[..., None]
    part[:] = augment.relight(part, rng, other) * alpha + part * (1 - alpha)


def _pasted(view: _View, other: _View, rng: Rng) -> _View:
    """The view with some of the other's objects in front; objects that they hide are `IGNORED`."""
    chosen = [row for row in np.flatnonzero(other.labels >= 0) if rng.random() < 0.4]
    mask = np.isin(other.owner, np.array(chosen) + 1)
    if not mask.any():
        return view
    alpha = augment.feather(mask.astype(np.float32), rng)[..., None]
    image = (other.image * alpha + view.image * (1 - alpha)).astype(np.uint8)
    count, owner, labels = len(view.labels), view.owner.astype(np.int64), view.labels.copy()
    before, after = (np.bincount(each, minlength=count + 1)[1:] for each in (owner.ravel(), owner[~mask].ravel()))
    labels[(labels >= 0) & (before > 0) & (after < _LEFT * before)] = IGNORED
    owner[mask] = count + np.searchsorted(chosen, other.owner[mask].astype(np.int64) - 1) + 1
    return _View(image, np.concatenate([view.xyxy, other.xyxy[chosen]]),
                 np.concatenate([labels, other.labels[chosen]]), owner, view.ghosts & ~mask)


def _moved(
    boxes: NDArray[Any], matrix: NDArray[np.float64], width: int, height: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Boxes (xyxy) after the affine map, clipped to the image, and their class, `NOTHING` or `IGNORED`."""
    rim = boxes["rim"].astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
    moved = np.concatenate([rim.min(axis=1), rim.max(axis=1)], axis=1)
    cut = np.clip(moved, -0.5, np.tile([width - 0.5, height - 0.5], 2))
    area, whole = np.prod(cut[:, 2:] - cut[:, :2], axis=1), np.prod(moved[:, 2:] - moved[:, :2], axis=1)
    seen = area / np.maximum(whole, 1e-6)
    labels = np.where(boxes["label"] < 0, NOTHING, boxes["label"]).astype(np.int64)
    labels[(labels >= 0) & (seen < 0.25)] = NOTHING
    labels[(labels >= 0) & ((boxes["visible"] < MIN_VISIBLE) | (area < 64))] = IGNORED
    return cut.astype(np.float32), labels


def batches(root: Path, size: int, config: SampleConfig, rng: Rng) -> Iterator[Batch]:
    """Endless shuffled batches. Shards that are added meanwhile are used from the next round on."""
    while True:
        cache = SampleCache(root)
        order = rng.permutation(len(cache))
        for start in range(0, len(order) - size + 1, size):
            rows = [sample(cache.sample(int(index)), cache.sample(int(rng.integers(len(cache)))), config, rng)
                    for index in order[start : start + size]]
            yield {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def targets(boxes: NDArray[np.float32], labels: NDArray[np.int64], classes: int, height: int, width: int,
            unsure: NDArray[np.bool_]) -> Batch:
    """Targets of a map of (height, width) cells: `heat` (C, H, W) 0..1, `truth` (4, H, W) boxes, `weight` (H, W).

    Gaussians around box centres, sigma a tenth of the box (Zhou et al. 2019 use the IoU radius; a share of the size
    serves as well), at least 0.7 cells. Ignored objects blank their box: heat -1 there, and where it is `unsure` (H, W)
    what there is. Boxes are trained where the Gaussian is over 0.3, of the smallest box where several overlap.
    """
    heat = np.zeros((classes, height, width), np.float32)
    truth, weight = np.zeros((4, height, width), np.float32), np.zeros((height, width), np.float32)
    rows, columns = np.arange(height)[:, None], np.arange(width)[None]
    cells = (boxes + 0.5) / STRIDE - 0.5
    for k in np.argsort(-np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), kind="stable"):
        if labels[k] == NOTHING:
            continue
        x0, y0, x1, y1 = cells[k]
        if labels[k] == IGNORED:
            inside = (columns >= x0) & (columns <= x1) & (rows >= y0) & (rows <= y1)
            heat[:, inside & (heat.max(axis=0) < 0.3)] = -1.0
            continue
        x, y = np.clip(np.round((x0 + x1) / 2), 0, width - 1), np.clip(np.round((y0 + y1) / 2), 0, height - 1)
        spread_x, spread_y = max((x1 - x0) * 0.1, 0.7), max((y1 - y0) * 0.1, 0.7)
        blob = np.exp(-((rows - y) ** 2) / (2 * spread_y**2)) * np.exp(-((columns - x) ** 2) / (2 * spread_x**2))
        np.maximum(heat[labels[k]], blob, out=heat[labels[k]])
        near = blob > 0.3
        truth[:, near] = boxes[k][:, None]
        weight[near] = blob[near]
    heat[:, unsure & (heat.max(axis=0) < 0.3)] = -1.0
    return {"heat": heat, "truth": truth, "weight": weight}


class DetectorLoss:
    """Penalty-reduced focal loss on the heatmap (Law and Deng, "CornerNet", ECCV 2018) and generalised IoU on boxes."""

    def __call__(self, net: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        logits, log_distances = (part.float() for part in net(batch["image"].float()))
        heat, truth, weight = batch["heat"], batch["truth"], batch["weight"]
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
