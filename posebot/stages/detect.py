"""Stage 1: where in the picture is which object?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import box_iou
from posebot.core.transforms import Array
from posebot.models.manifest import DetectorSpec
from posebot.models.runtime import Network

GREY = 114


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
        network: `detector.onnx`, inputs and outputs as in docs/architecture.md. spec: input size and threshold.
        limit: most detections returned for one picture.
    """

    def __init__(self, network: Network, spec: DetectorSpec, limit: int = 50) -> None:
        self.network, self.spec, self.limit = network, spec, limit

    def __call__(self, rgb: NDArray[np.uint8]) -> list[Detection]:
        picture, scale = letterbox(rgb, self.spec.input_size)
        outputs = self.network({"image": picture[None]})
        scores = outputs["scores"][0].astype(float)
        boxes = boxes_to_picture(outputs["boxes"][0].astype(float), scale, rgb.shape[:2])
        found = [Detection(int(outputs["labels"][0, i]), float(scores[i]), boxes[i])
                 for i in np.argsort(-scores, kind="stable")
                 if scores[i] >= self.spec.threshold and min(boxes[i, 2:] - boxes[i, :2]) > 1.0]
        return without_doubles(found)[:self.limit]


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
