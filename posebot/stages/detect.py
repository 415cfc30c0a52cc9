"""Stage 1, detection: which objects are in the image, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
TTA_ROTATION_DEG = 12.0  # between the views of test-time augmentation
_MERGE_IOU = 0.55  # boxes of one object in two views
_MIN_TTA_SCORE = 0.02  # in a single view
_MIN_SIDE = 1.0  # pixels


@dataclass(frozen=True)
class Detection:
    """class_index: index into the bundle's `objects`. score: 0..1. box_xyxy: (4,) image pixels."""

    class_index: int
    score: float
    box_xyxy: Array


class Detector(Protocol):
    """Anything that detects objects: rgb uint8 (H, W, 3) to detections, best first."""

    def __call__(self, rgb: NDArray[np.uint8]) -> list[Detection]: ...


class OnnxDetector:
    """The bundle's detector.

    Args:
        network: `detector.onnx`, see docs/explanation/architecture.md. spec: input size and threshold.
        limit: maximum number of detections in one image.
    """

    def __init__(self, network: Network, spec: DetectorSpec, limit: int = 50) -> None:
        self.network, self.spec, self.limit = network, spec, limit

    def __call__(self, rgb: NDArray[np.uint8]) -> list[Detection]:
        image, scale = letterbox(rgb, self.spec.input_size)
        views, rotations = tta_views(image, self.spec.tta_views)
        outputs = self.network({"image": views})
        threshold = self.spec.threshold if len(rotations) == 1 else _MIN_TTA_SCORE
        detections = []
        for index, rotation in enumerate(rotations):
            boxes = boxes_from_rotated(outputs["boxes"][index].astype(float), rotation)
            detections.append(_as_detections(outputs["labels"][index], outputs["scores"][index].astype(float),
                                             boxes_to_image(boxes, scale, rgb.shape[:2]), threshold))
        return nms(merge_tta(detections, self.spec.threshold))[:self.limit]

    def best(self, rgb: NDArray[np.uint8]) -> Detection | None:
        """The detection with the highest score, however low."""
        lenient = replace(self.spec, threshold=0.0, tta_views=1)
        return next(iter(OnnxDetector(self.network, lenient, 1)(rgb)), None)


def _as_detections(labels: Array, scores: Array, boxes: Array, threshold: float) -> list[Detection]:
    """Detections from a network's arrays, best first."""
    return [Detection(int(labels[i]), float(scores[i]), boxes[i]) for i in np.argsort(-scores, kind="stable")
            if scores[i] >= threshold and min(boxes[i, 2:] - boxes[i, :2]) > _MIN_SIDE]


def tta_views(image: NDArray[np.uint8], count: int) -> tuple[NDArray[np.uint8], list[Array]]:
    """Views for test-time augmentation: (count, H, W, 3), and the matrix view_from_image (2x3) of each.

    The first is the image, the second and third are rotated by `TTA_ROTATION_DEG` to either side. A network trained on
    rendered images is overconfident in real ones; what it detects in all views is a true detection more often than what
    it detects in one.
    """
    height, width = image.shape[:2]
    center = ((width - 1) / 2, (height - 1) / 2)
    rotations = [np.asarray(cv2.getRotationMatrix2D(center, TTA_ROTATION_DEG * side, 1.0), float)
                 for side in (0, 1, -1)[:count]]
    if count == 1:
        return image[None], rotations
    blurred = cv2.GaussianBlur(image, (0, 0), 0.5)  # as interpolation blurs the rotated views
    rotated = [cv2.warpAffine(image, rotation, (width, height), borderMode=cv2.BORDER_REFLECT)
               for rotation in rotations[1:]]
    return np.stack([blurred, *rotated]), rotations


def boxes_from_rotated(boxes: Array, rotation: Array) -> Array:
    """xyxy boxes (N, 4) of a rotated view in the unrotated image: centers are rotated back, sides keep their lengths.

    rotation: view_from_image (2x3).
    """
    center, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    center = (center - rotation[:, 2]) @ rotation[:, :2]
    return np.concatenate([center - half, center + half], axis=1)


def merge_tta(views: Sequence[list[Detection]], threshold: float) -> list[Detection]:
    """Merge the detections of several views, best first.

    Scores are averaged over all views (0 where a view lacks the detection), boxes are averaged with the scores as
    weights. Merged detections below the threshold are dropped.
    """
    if len(views) == 1:
        return [detection for detection in views[0] if detection.score >= threshold]
    candidates = sorted(chain(*views), key=lambda detection: -detection.score)
    if not candidates:
        return []
    boxes = np.stack([detection.box_xyxy for detection in candidates])
    scores = np.array([detection.score for detection in candidates])
    classes = np.array([detection.class_index for detection in candidates])
    seeds = int((scores >= threshold).sum())  # a mean never exceeds the best score
    same = (box_iou(boxes[:seeds], boxes) > _MERGE_IOU) & (classes[:seeds, None] == classes)
    free, merged = np.ones(len(candidates), bool), []
    for index, detection in enumerate(candidates[:seeds]):
        if free[index]:
            group = same[index] & free
            free &= ~group
            total = float(scores[group].sum())
            if total / len(views) >= threshold:
                box = scores[group] @ boxes[group] / total
                merged.append(Detection(detection.class_index, total / len(views), box))
    return sorted(merged, key=lambda detection: -detection.score)


def nms(detections: list[Detection], max_iou: float = 0.7) -> list[Detection]:
    """Non-maximum suppression within each class. detections: best first."""
    kept: list[Detection] = []
    for detection in detections:
        same_class = [other.box_xyxy for other in kept if other.class_index == detection.class_index]
        if not same_class or box_iou([detection.box_xyxy], same_class).max() <= max_iou:
            kept.append(detection)
    return kept


def letterbox(rgb: NDArray[np.uint8], size: tuple[int, int]) -> tuple[NDArray[np.uint8], float]:
    """The image resized to fit (height, width), in the upper left corner with grey padding; and the resize factor."""
    height, width = size
    scale = min(height / rgb.shape[0], width / rgb.shape[1])
    inner = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = np.full((height, width, 3), GREY, dtype=np.uint8)
    canvas[:inner[1], :inner[0]] = cv2.resize(rgb, inner, interpolation=method)
    return canvas, scale


def boxes_to_image(boxes: Array, scale: float, shape: tuple[int, ...]) -> Array:
    """xyxy boxes (N, 4) of the letterboxed image in pixels of the original one (height, width), clipped to it."""
    height, width = shape[:2]
    original = (boxes + 0.5) / scale - 0.5
    return np.clip(original, -0.5, [width - 0.5, height - 0.5] * 2)
