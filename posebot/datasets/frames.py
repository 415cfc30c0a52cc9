"""Detector samples: whole pictures at the detector's size, with whole objects' outlines and who is seen where."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import project
from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, apply
from posebot.datasets.bop import Annotation, BopDataset, ImageKey
from posebot.datasets.crops import clip_box, scene_keys
from posebot.datasets.warp import BORDER

MAX_BOXES = 40
MIN_VISIBLE, MIN_PIXELS = 0.1, 80  # less than this is neither object nor background: it is ignored
RIM = 32  # points of an outline: the outermost in so many directions
BOX = np.dtype([("label", "i4"), ("visible", "f4"), ("xyxy", "f4", 4), ("rim", "f4", (RIM, 2))])
"""label -1: no box. xyxy: of the whole object, cut at the picture's edge. rim: points that span its outline, beyond the
edge too: the boxes of a turned picture follow from them."""
_NEAR = 0.01  # metres before the camera


def letterbox_scale(width: int, height: int, input_size: tuple[int, int]) -> float:
    """Factor that makes a picture fit the detector's (height, width), as `stages.detect` does."""
    return min(input_size[0] / height, input_size[1] / width)


def image_sample(
    dataset: BopDataset, key: ImageKey, labels: dict[int, int], input_size: tuple[int, int]
) -> dict[str, NDArray[Any]]:
    """`image` uint8 (H, W, 3) letterboxed, `boxes` (MAX_BOXES,) of BOX in its pixels, and `owner` uint8 (H, W): which
    box's object is seen there, counted from 1; 0 where none is, or no masks are known."""
    frame = dataset.frame(key)
    scale = letterbox_scale(frame.camera.width, frame.camera.height, input_size)
    size = round(frame.camera.width * scale), round(frame.camera.height * scale)
    image = np.full((*input_size, 3), BORDER, np.uint8)
    image[: size[1], : size[0]] = cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA)
    boxes, owner = np.zeros(MAX_BOXES, BOX), np.zeros(input_size, np.uint8)
    boxes["label"] = -1
    truths = [truth for truth in dataset.annotations(key) if truth.obj_id in labels and truth.box_visib is not None]
    for number, (row, truth) in enumerate(zip(boxes, sorted(truths, key=lambda t: -t.visib_fract), strict=False), 1):
        row["label"], row["visible"] = labels[truth.obj_id], truth.visib_fract
        row["xyxy"] = (clip_box(truth.box_amodal, frame.camera) + 0.5) * scale - 0.5
        row["rim"] = (_rim(truth, dataset.objects[truth.obj_id], frame.camera.K) + 0.5) * scale - 0.5
        assert truth.box_visib is not None
        if np.prod(truth.box_visib[2:] - truth.box_visib[:2]) < MIN_PIXELS:
            row["visible"] = 0.0
        if (mask := dataset.mask_visib(key, truth.index)) is not None:
            seen = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
            owner[: size[1], : size[0]][seen] = number
    return {"image": image, "boxes": boxes, "owner": owner}


def _rim(truth: Annotation, model: ObjectModel, K: Array) -> Array:
    """The outermost (RIM, 2) pixels of an object; of one that reaches behind the camera, its box's corners."""
    points = apply(truth.cam_from_obj, model.mesh.vertices)
    if points[:, 2].min() < _NEAR:
        x0, y0, x1, y1 = truth.box_amodal
        return np.resize(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]), (RIM, 2))
    pixels, turns = project(K, points), 2 * np.pi * np.arange(RIM) / RIM
    return np.asarray(pixels[np.argmax(pixels @ np.stack([np.cos(turns), np.sin(turns)]), axis=0)])


def scene_samples(
    dataset: BopDataset, scene: int, labels: dict[int, int], input_size: tuple[int, int]
) -> dict[str, NDArray[Any]]:
    """The pictures of one scene as a shard for `datasets.cache`."""
    samples = [image_sample(dataset, key, labels, input_size) for key in scene_keys(dataset, scene)]
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}
