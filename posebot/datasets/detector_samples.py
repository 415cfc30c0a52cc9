"""Detector samples: letterboxed images with boxes, object outlines and an instance map."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import project
from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, apply
from posebot.datasets.affine_warp import BORDER_COLOR
from posebot.datasets.bop import Annotation, BopDataset, ImageKey
from posebot.datasets.localizer_samples import clip_box, scene_images

MAX_BOXES = 40
MIN_VISIBLE, MIN_PIXELS = 0.1, 80  # below: ignored, neither object nor background
OUTLINE_POINTS = 32  # extreme points of the silhouette, in evenly spaced directions
BOX_DTYPE = np.dtype([("label", "i4"), ("visible", "f4"), ("xyxy", "f4", 4), ("rim", "f4", (OUTLINE_POINTS, 2))])
"""label: class index, -1 for padding. xyxy: amodal box clipped to the image. rim: extreme points of the silhouette,
also outside the image, from which the boxes of a rotated image are computed."""
_MIN_DEPTH = 0.01  # metres in front of the camera


def letterbox_scale(width: int, height: int, input_size: tuple[int, int]) -> float:
    """Letterbox scale factor for an input size (height, width), as in `stages.detect`."""
    return min(input_size[0] / height, input_size[1] / width)


def detector_sample(
    dataset: BopDataset, key: ImageKey, labels: dict[int, int], input_size: tuple[int, int]
) -> dict[str, NDArray[Any]]:
    """The sample of one image.

    Returns:
        `image` uint8 (H, W, 3), letterboxed; `boxes` (MAX_BOXES,) of BOX_DTYPE in its pixels; and the instance map
        `owner` uint8 (H, W): 1 + index of the visible object's box, 0 where none is visible or masks are missing.
    """
    frame = dataset.frame(key)
    scale = letterbox_scale(frame.camera.width, frame.camera.height, input_size)
    size = round(frame.camera.width * scale), round(frame.camera.height * scale)
    image = np.full((*input_size, 3), BORDER_COLOR, np.uint8)
    image[: size[1], : size[0]] = cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA)
    boxes, owner = np.zeros(MAX_BOXES, BOX_DTYPE), np.zeros(input_size, np.uint8)
    boxes["label"] = -1
    annotations = [a for a in dataset.annotations(key) if a.obj_id in labels and a.box_visib is not None]
    annotations.sort(key=lambda a: -a.visib_fract)
    for number, (row, annotation) in enumerate(zip(boxes, annotations, strict=False), 1):
        row["label"], row["visible"] = labels[annotation.obj_id], annotation.visib_fract
        row["xyxy"] = (clip_box(annotation.box_amodal, frame.camera) + 0.5) * scale - 0.5
        model = dataset.objects[annotation.obj_id]
        row["rim"] = (_extreme_points(annotation, model, frame.camera.K) + 0.5) * scale - 0.5
        assert annotation.box_visib is not None
        if np.prod(annotation.box_visib[2:] - annotation.box_visib[:2]) < MIN_PIXELS:
            row["visible"] = 0.0
        if (mask := dataset.mask_visib(key, annotation.index)) is not None:
            visible = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
            owner[: size[1], : size[0]][visible] = number
    return {"image": image, "boxes": boxes, "owner": owner}


def _extreme_points(annotation: Annotation, model: ObjectModel, K: Array) -> Array:
    """Extreme points (OUTLINE_POINTS, 2) of a silhouette, pixels; the box corners if it extends behind the camera."""
    points = apply(annotation.cam_from_obj, model.mesh.vertices)
    if points[:, 2].min() < _MIN_DEPTH:
        x0, y0, x1, y1 = annotation.box_amodal
        return np.resize(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]), (OUTLINE_POINTS, 2))
    pixels, angles = project(K, points), 2 * np.pi * np.arange(OUTLINE_POINTS) / OUTLINE_POINTS
    return np.asarray(pixels[np.argmax(pixels @ np.stack([np.cos(angles), np.sin(angles)]), axis=0)])


def scene_detector_samples(
    dataset: BopDataset, scene: int, labels: dict[int, int], input_size: tuple[int, int]
) -> dict[str, NDArray[Any]]:
    """The samples of one scene as a shard of `datasets.sample_cache`."""
    samples = [detector_sample(dataset, key, labels, input_size) for key in scene_images(dataset, scene)]
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}
