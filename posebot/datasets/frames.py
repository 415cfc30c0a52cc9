"""Detector samples: whole pictures at the detector's size, with amodal boxes."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.datasets.bop import BopDataset, ImageKey
from posebot.datasets.crops import clip_box, scene_keys
from posebot.datasets.warp import BORDER

MAX_BOXES = 40
MIN_VISIBLE, MIN_PIXELS = 0.1, 80  # less than this is neither object nor background: it is ignored
BOX = np.dtype([("label", "i4"), ("visible", "f4"), ("xyxy", "f4", 4)])  # label -1: no box


def letterbox_scale(width: int, height: int, input_size: tuple[int, int]) -> float:
    """Factor that makes a picture fit the detector's (height, width), as `stages.detect` does."""
    return min(input_size[0] / height, input_size[1] / width)


def image_sample(
    dataset: BopDataset, key: ImageKey, labels: dict[int, int], input_size: tuple[int, int]
) -> dict[str, NDArray[Any]]:
    """`image` uint8 (H, W, 3) letterboxed, and `boxes` (MAX_BOXES,) of BOX in its pixels."""
    frame = dataset.frame(key)
    scale = letterbox_scale(frame.camera.width, frame.camera.height, input_size)
    size = round(frame.camera.width * scale), round(frame.camera.height * scale)
    image = np.full((*input_size, 3), BORDER, np.uint8)
    image[: size[1], : size[0]] = cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA)
    boxes = np.zeros(MAX_BOXES, BOX)
    boxes["label"] = -1
    truths = [truth for truth in dataset.annotations(key) if truth.obj_id in labels and truth.box_visib is not None]
    for row, truth in zip(boxes, sorted(truths, key=lambda t: -t.visib_fract), strict=False):
        row["label"], row["visible"] = labels[truth.obj_id], truth.visib_fract
        row["xyxy"] = (clip_box(truth.box_amodal, frame.camera) + 0.5) * scale - 0.5
        assert truth.box_visib is not None
        if np.prod(truth.box_visib[2:] - truth.box_visib[:2]) < MIN_PIXELS:
            row["visible"] = 0.0
    return {"image": image, "boxes": boxes}


def scene_samples(
    dataset: BopDataset, scene: int, labels: dict[int, int], input_size: tuple[int, int]
) -> dict[str, NDArray[Any]]:
    """The pictures of one scene as a shard for `datasets.cache`."""
    samples = [image_sample(dataset, key, labels, input_size) for key in scene_keys(dataset, scene)]
    return {name: np.stack([sample[name] for sample in samples]) for name in ("image", "boxes")}
