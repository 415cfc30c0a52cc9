"""Stage 1: where in the picture is which object?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import box_iou
from posebot.core.transforms import Array
from posebot.models.manifest import DetectorSpec
from posebot.models.runtime import Network

GREY = 114
TURN = 12.0  # degrees between the looks at a picture
_SAME = 0.55  # IoU of boxes of one object in two looks
_FAINT = 0.02  # scores below this are not even worth a comparison


@dataclass(frozen=True)
class Detection:
    """class_index: place in the bundle's `objects`. score: 0..1. box_xyxy: (4,) picture pixels."""

    class_index: int
    score: float
    box_xyxy: Array


class Detector(Protocol):
    """Anything that finds objects: rgb uint8 (H, W, 3) to detections, best first."""

    def __call__(self, rgb: NDArray[np.uint8]) -> list[Detection]: ...


class OnnxDetector:
    """The bundle's detector.

    Args:
        network: `detector.onnx`, see docs/explanation/architecture.md. spec: input size and threshold.
        limit: most detections returned for one picture.
    """

    def __init__(self, network: Network, spec: DetectorSpec, limit: int = 50) -> None:
        self.network, self.spec, self.limit = network, spec, limit

    def __call__(self, rgb: NDArray[np.uint8]) -> list[Detection]:
        picture, scale = letterbox(rgb, self.spec.input_size)
        pictures, turns = looks(picture, self.spec.looks)
        outputs = self.network({"image": pictures})
        least = self.spec.threshold if len(turns) == 1 else _FAINT
        found = []
        for index, turn in enumerate(turns):
            boxes = boxes_to_picture(turned_back(outputs["boxes"][index].astype(float), turn), scale, rgb.shape[:2])
            found.append(_listed(outputs["labels"][index], outputs["scores"][index].astype(float), boxes, least))
        return without_doubles(agreed(found, self.spec.threshold))[:self.limit]


def _listed(labels: Array, scores: Array, boxes: Array, least: float) -> list[Detection]:
    """Detections from a network's arrays, best first."""
    return [Detection(int(labels[i]), float(scores[i]), boxes[i]) for i in np.argsort(-scores, kind="stable")
            if scores[i] >= least and min(boxes[i, 2:] - boxes[i, :2]) > 1.0]


def looks(picture: NDArray[np.uint8], count: int) -> tuple[NDArray[np.uint8], list[Array]]:
    """The picture, and copies of it turned to either side: (count, H, W, 3), and turned_from_straight (2x3) of each.

    A network that has seen rendered pictures only is surer of what it knows than of what it sees for the first time:
    what it finds in all of them is there more often than what it finds in one.
    """
    height, width = picture.shape[:2]
    center = ((width - 1) / 2, (height - 1) / 2)
    turns = [np.asarray(cv2.getRotationMatrix2D(center, TURN * side, 1.0), float) for side in (0, 1, -1)[:count]]
    if count == 1:
        return picture[None], turns
    softened = cv2.GaussianBlur(picture, (0, 0), 0.5)  # as turning softens the others
    others = [cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REFLECT) for turn in turns[1:]]
    return np.stack([softened, *others]), turns


def turned_back(boxes: Array, turn: Array) -> Array:
    """xyxy boxes (N, 4) of a turned picture in the straight one: the middle moves, the sides stay as they are."""
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    middle = (middle - turn[:, 2]) @ turn[:, :2]
    return np.concatenate([middle - half, middle + half], axis=1)


def agreed(found: Sequence[list[Detection]], least: float) -> list[Detection]:
    """What several looks found together, best first: the mean of the scores (0 where a look did not find it), and of
    the boxes, weighted by score. Those with a score of at least `least`.
    """
    if len(found) == 1:
        return [detection for detection in found[0] if detection.score >= least]
    loose = sorted(chain(*found), key=lambda detection: -detection.score)
    if not loose:
        return []
    boxes = np.stack([detection.box_xyxy for detection in loose])
    scores = np.array([detection.score for detection in loose])
    classes = np.array([detection.class_index for detection in loose])
    seeds = int((scores >= least).sum())  # a mean is no higher than the best
    same = (box_iou(boxes[:seeds], boxes) > _SAME) & (classes[:seeds, None] == classes)
    free, merged = np.ones(len(loose), bool), []
    for index, detection in enumerate(loose[:seeds]):
        if free[index]:
            group = same[index] & free
            free &= ~group
            total = float(scores[group].sum())
            if total / len(found) >= least:
                box = scores[group] @ boxes[group] / total
                merged.append(Detection(detection.class_index, total / len(found), box))
    return sorted(merged, key=lambda detection: -detection.score)


def without_doubles(detections: list[Detection], overlap: float = 0.7) -> list[Detection]:
    """Best first, without those that cover a better one of the same class by more than `overlap` (IoU)."""
    kept: list[Detection] = []
    for detection in detections:
        same = [other.box_xyxy for other in kept if other.class_index == detection.class_index]
        if not same or box_iou([detection.box_xyxy], same).max() <= overlap:
            kept.append(detection)
    return kept


def letterbox(rgb: NDArray[np.uint8], size: tuple[int, int]) -> tuple[NDArray[np.uint8], float]:
    """The picture resized to fit (height, width), in the upper left corner, grey around it; and the resize factor."""
    height, width = size
    scale = min(height / rgb.shape[0], width / rgb.shape[1])
    inner = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = np.full((height, width, 3), GREY, dtype=np.uint8)
    canvas[:inner[1], :inner[0]] = cv2.resize(rgb, inner, interpolation=method)
    return canvas, scale


def boxes_to_picture(boxes: Array, scale: float, shape: tuple[int, ...]) -> Array:
    """xyxy boxes (N, 4) of the letterboxed picture in pixels of the original one (height, width), clipped to it."""
    height, width = shape[:2]
    original = (boxes + 0.5) / scale - 0.5
    return np.clip(original, -0.5, [width - 0.5, height - 0.5] * 2)
