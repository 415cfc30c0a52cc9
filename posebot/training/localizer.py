"""Training the localizer: samples from the crop cache, and the loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from posebot.core.camera import crop_matrix, transform_pixels
from posebot.datasets import augment
from posebot.datasets.affine_warp import warp_image, warp_labels
from posebot.datasets.localizer_samples import AMODAL, VISIBLE
from posebot.datasets.sample_cache import SampleCache
from posebot.models.localizer_net import STRIDE, RawMaps, decode_bins
from posebot.training.loop import Batch

Rng = np.random.Generator
REOPEN = 500  # batches after which the cache is read again
_LEAST_SEEN = 0.25  # visible share of an object that an occluder leaves at least
_FROM_HALF = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1.0]])  # pixels of a cached crop from those of its maps


@dataclass(frozen=True)
class SampleConfig:
    """How a cached crop becomes a training sample.

    Attributes:
        crop_size, pad: as at inference. box_jitter: largest shift of the box's centre and change of its size, as a
        share of its side. turn: largest roll in radians. replace_background, cover: shares of the samples whose
        background is another crop's image, and that are partly covered by one or by the object in it. relit: share
        whose object alone is relit.
    """

    crop_size: int = 128
    pad: float = 1.25
    box_jitter: float = 0.35
    turn: float = np.pi
    replace_background: float = 0.35
    cover: float = 0.45
    relit: float = 0.6


def sample(crop: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]], config: SampleConfig, rng: Rng) -> Batch:
    """One training sample from one cached crop; `other`: another one, as background or occluder.

    Returns `crop` uint8 (3, S, S), `maps` uint8 (4, M, M) (coordinates and mask bits), `center` (3,), `label`.
    """
    meta, size = crop["meta"], config.crop_size
    box = _jittered(np.asarray(meta["box"], dtype=float), config.box_jitter, rng)
    angle = rng.uniform(-config.turn, config.turn) if rng.random() < 0.8 else 0.0
    matrix = crop_matrix(box, size, config.pad, angle)
    to_map = np.array(
        [[1 / STRIDE, 0, (1 - STRIDE) / (2 * STRIDE)], [0, 1 / STRIDE, (1 - STRIDE) / (2 * STRIDE)], [0, 0, 1.0]]
    )
    maps = warp_labels(np.asarray(crop["maps"]), to_map @ matrix @ _FROM_HALF, size // STRIDE)
    # mirrored, as grey beyond the cached crop would show where in it the object lies
    image = warp_image(np.asarray(crop["rgb"]), matrix, size, size, reflect=True)
    image, maps = _mixed(image, maps, crop, other, matrix, config, rng)
    image = augment.photometric(image, rng)
    scale = float(np.sqrt(np.linalg.det(matrix[:2, :2])))  # network pixels a cached pixel
    offset = (transform_pixels(matrix, np.asarray(meta["origin"])) - (size - 1) / 2) / size
    distance = float(meta["log_z"]) + np.log(size * float(meta["pixel"]) / scale)
    return {
        "crop": np.ascontiguousarray(image.transpose(2, 0, 1)),
        "maps": np.ascontiguousarray(maps.transpose(2, 0, 1)),
        "center": np.array([*offset, distance], np.float32),
        "label": np.array(meta["label"], np.int64),
    }


def _jittered(box: NDArray[np.float64], amount: float, rng: Rng) -> NDArray[np.float64]:
    """Mostly near the box, sometimes far off it, like a detector's boxes."""
    side, reach = max(box[2] - box[0], box[3] - box[1]), amount * rng.random()
    center = (box[:2] + box[2:]) / 2 + rng.uniform(-reach, reach, 2) * side
    half = (box[2:] - box[:2]) / 2 * np.exp(rng.uniform(-reach, reach, 2))
    return np.concatenate([center - half, center + half])


def _mixed(
    image: NDArray[Any],
    maps: NDArray[Any],
    crop: dict[str, NDArray[Any]],
    other: dict[str, NDArray[Any]],
    matrix: NDArray[np.float64],
    config: SampleConfig,
    rng: Rng,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The object relit, its background replaced, and the object partly occluded, with the other crop's image."""
    relit, replaced = rng.random() < config.relit, rng.random() < config.replace_background
    if relit or replaced:
        alpha = augment.feather(_alpha(crop, matrix, len(image)), rng)
        own = augment.relight(image, rng, np.asarray(other["rgb"])) if relit else image
        beside = _fill(other, len(image)) if replaced else image
        image = (own * alpha[..., None] + beside * (1 - alpha[..., None])).astype(np.uint8)
    if rng.random() < config.cover:
        return _covered(image, maps, crop, other, rng)
    return image, maps


def _covered(image: NDArray[Any], maps: NDArray[Any], crop: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]],
             rng: Rng) -> tuple[NDArray[Any], NDArray[Any]]:
    """Blobs of the other image, or the object in it, in front; unchanged if that hid nearly all of the object."""
    size = len(image)
    if crop["meta"]["label"] == other["meta"]["label"] or rng.random() < 0.4:
        alpha, fill = augment.random_occluder_mask((size, size), rng).astype(np.float32), _fill(other, size)
    else:
        box = np.asarray(other["meta"]["box"], dtype=float)
        angle, scale = rng.uniform(-np.pi, np.pi), size * rng.uniform(0.25, 1.0) / max(box[2] - box[0], box[3] - box[1])
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        place = size * (0.5 + rng.normal(0, 0.25, 2))
        matrix = np.vstack([np.column_stack([turn, place - turn @ (box[:2] + box[2:]) / 2]), [0, 0, 1]])
        alpha = _alpha(other, matrix, size)
        fill = warp_image(np.asarray(other["rgb"]), matrix, size, size, reflect=True)
    alpha = augment.feather(alpha, rng)
    hidden = alpha[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE] > 0.5
    seen = (maps[..., 3] & VISIBLE) > 0
    if (seen & ~hidden).sum() < _LEAST_SEEN * seen.sum():
        return image, maps
    maps = maps.copy()
    maps[..., 3] = np.where(hidden, maps[..., 3] & AMODAL, maps[..., 3])
    return (fill * alpha[..., None] + image * (1 - alpha[..., None])).astype(np.uint8), maps


def _alpha(crop: dict[str, NDArray[Any]], matrix: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """Visible mask of a cached crop's object, (size, size), 0..1; `matrix` from pixels of the cached crop."""
    visible = ((np.asarray(crop["maps"])[..., 3] & VISIBLE) > 0).astype(np.float32)
    return np.asarray(cv2.warpAffine(visible, (matrix @ _FROM_HALF)[:2], (size, size)), np.float32)


def _fill(crop: dict[str, NDArray[Any]], size: int) -> NDArray[Any]:
    return np.asarray(cv2.resize(np.asarray(crop["rgb"]), (size, size)))


def batches(
    root: Path, size: int, config: SampleConfig, rng: Rng, focus: tuple[int, ...] = ()
) -> Iterator[Batch]:
    """Endless batches, every object as often as any other, but those in focus as often as all others together.

    Shards that are added meanwhile are taken up.
    """
    while True:
        cache = SampleCache(root)
        labels = cache.column("meta")["label"]
        known = np.unique(labels)
        groups = [np.flatnonzero(labels == label) for label in known]
        shares = class_shares(known, focus)
        for _ in range(REOPEN):
            yield _batch(cache, groups, shares, size, config, rng)


def class_shares(labels: NDArray[Any], focus: tuple[int, ...]) -> NDArray[np.float64]:
    """Share of the samples of each class: equal; with a focus, half of all for those in it."""
    chosen = np.isin(labels, focus)
    if not 0 < chosen.sum() < len(labels):
        return np.full(len(labels), 1 / len(labels))
    return np.where(chosen, 0.5 / chosen.sum(), 0.5 / (~chosen).sum())


def _batch(
    cache: SampleCache, groups: list[NDArray[Any]], shares: NDArray[np.float64], size: int, config: SampleConfig,
    rng: Rng,
) -> Batch:
    rows = []
    for group in rng.choice(len(groups), size, p=shares):
        index = int(rng.choice(groups[group]))
        other = cache.sample(int(rng.integers(len(cache))))
        rows.append(sample(cache.sample(index), other, config, rng))
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


class LocalizerLoss:
    """Cross-entropy of the two nearest bins, minimum over the object's symmetries; masks; error scale; center.

    Args:
        symmetries: per class (S, 3, 4), from `datasets.localizer_samples.coordinate_symmetries`.
        extents: (C, 3) of the bounding boxes in diameters, for the error scale.
    """

    def __init__(self, symmetries: list[NDArray[np.float32]], extents: NDArray[np.float32]) -> None:
        most = max(len(maps) for maps in symmetries)
        padded = np.stack([maps[np.minimum(np.arange(most), len(maps) - 1)] for maps in symmetries])
        self.symmetries, self.extents = torch.from_numpy(padded), torch.from_numpy(extents)

    def __call__(self, net: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        raw: RawMaps = net(batch["crop"].float(), batch["label"])
        raw = RawMaps(raw.masks.float(), raw.bins.float(), raw.log_scale.float(), raw.center.float())
        bits = batch["maps"][:, 3]
        visible, amodal = (bits & VISIBLE > 0).float(), (bits & AMODAL > 0).float()
        mask = F.binary_cross_entropy_with_logits(raw.masks, torch.stack([visible, amodal], dim=1))
        truth = batch["maps"][:, :3].float() / 255.0
        coordinates, truth = self._coordinates(raw.bins, truth, visible, batch["label"])
        scale, error = self._scale(raw, truth, visible, batch["label"])
        center = F.smooth_l1_loss(raw.center, batch["center"], beta=0.05)
        total = 2.0 * mask + 0.5 * coordinates + 0.1 * scale + 2.0 * center
        return {
            "loss": total,
            "mask": mask,
            "coordinates": coordinates,
            "scale": scale,
            "center": center,
            "error": error,
        }

    def _coordinates(self, bins: Tensor, truth: Tensor, visible: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy over visible pixels and the truth (N, 3, M, M) it was least for."""
        log_p, weight = torch.log_softmax(bins, dim=2), visible / visible.sum((1, 2), keepdim=True).clamp(min=1.0)
        maps = self.symmetries.to(truth.device)[label]  # (N, S, 3, 4)
        candidates = [
            (maps[:, s, :, :3] @ truth.flatten(2) + maps[:, s, :, 3:]).unflatten(2, truth.shape[2:]).clamp(0, 1)
            for s in range(maps.shape[1])
        ]
        losses = torch.stack([(_two_bins(log_p, c).sum(1) * weight).sum((1, 2)) for c in candidates])
        best, index = losses.min(dim=0)
        chosen = torch.stack(candidates)[index, torch.arange(len(label), device=label.device)]
        return best.mean(), chosen

    def _scale(self, raw: RawMaps, truth: Tensor, visible: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Laplace likelihood of the coordinate error's length in diameters; the coordinates get no gradient."""
        extents = self.extents.to(truth.device)[label][:, :, None, None]
        error = ((decode_bins(torch.softmax(raw.bins.detach(), dim=2)) - truth) * extents).norm(dim=1)
        log_scale = raw.log_scale.clamp(-6.0, 1.0)
        count = visible.sum().clamp(min=1.0)
        nll = ((error * torch.exp(-log_scale) + log_scale) * visible).sum() / count
        return nll, (error * visible).sum() / count


def _two_bins(log_p: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy (N, 3, M, M) with the truth spread over its two nearest bins."""
    place = truth * (log_p.shape[2] - 1)
    low = place.floor().clamp(max=log_p.shape[2] - 2)
    share = (place - low).unsqueeze(2)
    index = low.long().unsqueeze(2)
    nearest = log_p.gather(2, index), log_p.gather(2, index + 1)
    return -((1 - share) * nearest[0] + share * nearest[1]).squeeze(2)
