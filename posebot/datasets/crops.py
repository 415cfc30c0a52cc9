"""Localizer samples: one object, cut from its picture, with everything that the loss needs.

A cached crop is wider than the network's (room to shift, scale and turn it afterwards); object coordinates come from
the exact depth of rendered frames: a visible pixel's point in the camera frame, taken to the object's frame, is its
coordinate. Turning the crop in the picture leaves coordinates as they are, so every roll of the camera comes free.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import Camera, crop_matrix, project, transform_pixels, unproject
from posebot.core.coordinates import facing
from posebot.core.frame import Frame
from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, apply, inverse
from posebot.datasets.bop import Annotation, BopDataset, ImageKey
from posebot.datasets.warp import warp, warp_labels

CACHED_SIDE = 192  # pixels of a cached crop
CACHED_PAD = 1.9  # its side over the box's longer side
MAP_SIDE = CACHED_SIDE // 2  # coordinates and masks are kept at half the size
VISIBLE, AMODAL = 1, 2  # bits of the mask plane
MIN_VISIBLE, MIN_PIXELS = 0.1, 150  # what is less seen than this is not trained on
META = np.dtype(
    [
        ("label", "i4"),
        ("scene", "i4"),
        ("image", "i4"),
        ("visible", "f4"),
        ("box", "f4", 4),  # amodal box, cut at the picture's edge, in pixels of the cached crop
        ("origin", "f4", 2),  # where the object's origin projects to, likewise
        ("log_z", "f4"),  # log(z / (f * diameter)), z of the origin
        ("pixel", "f4"),  # side of a cached pixel in picture pixels
    ]
)


def clip_box(box: Array, camera: Camera) -> Array:
    """An xyxy box cut at the picture's edge."""
    low, high = np.array([-0.5, -0.5]), np.array([camera.width - 0.5, camera.height - 0.5])
    return np.concatenate([np.clip(box[:2], low, high), np.clip(box[2:], low, high)])


def cut(
    frame: Frame,
    truth: Annotation,
    visible: NDArray[np.bool_],
    amodal: NDArray[np.bool_],
    model: ObjectModel,
    label: int,
) -> dict[str, NDArray[Any]]:
    """One cached crop: `rgb` uint8 (192, 192, 3), `maps` uint8 (96, 96, 4) = 255 * coordinates, mask bits; `meta`."""
    assert frame.depth is not None
    box = clip_box(truth.box_amodal, frame.camera)
    matrix = crop_matrix(box, CACHED_SIDE, CACHED_PAD)
    half = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1.0]]) @ matrix
    rgb = warp(frame.rgb, matrix, CACHED_SIDE, CACHED_SIDE)
    depth = warp_labels(np.where(visible, frame.depth, 0), half, MAP_SIDE)
    bits = warp_labels((visible * VISIBLE + amodal * AMODAL).astype(np.uint8), half, MAP_SIDE)
    pose = truth.cam_from_obj @ facing(model, truth.cam_from_obj)
    points = unproject(half @ frame.camera.K, depth)
    coordinates = model.normalise(apply(inverse(pose), points.reshape(-1, 3))).reshape(MAP_SIDE, MAP_SIDE, 3)
    bits[(bits & VISIBLE > 0) & ((depth <= 0) | (np.abs(coordinates - 0.5).max(axis=2) > 0.55))] &= ~np.uint8(VISIBLE)
    planes = np.dstack([np.clip(coordinates * 255 + 0.5, 0, 255).astype(np.uint8), bits])
    focal = float(np.sqrt(frame.camera.K[0, 0] * frame.camera.K[1, 1]))
    scene, image = (int(part) for part in frame.frame_id.split("/"))
    meta = np.zeros((), META)
    meta["label"], meta["scene"], meta["image"], meta["visible"] = label, scene, image, truth.visib_fract
    meta["box"] = transform_pixels(matrix, box.reshape(2, 2)).ravel()
    meta["origin"] = transform_pixels(matrix, project(frame.camera.K, truth.cam_from_obj[:3, 3]))
    meta["log_z"] = np.log(truth.cam_from_obj[2, 3] / (focal * model.diameter))
    meta["pixel"] = 1.0 / np.sqrt(np.linalg.det(matrix[:2, :2]))
    return {"rgb": rgb, "maps": planes, "meta": meta}


def image_crops(dataset: BopDataset, key: ImageKey, labels: dict[int, int]) -> list[dict[str, NDArray[Any]]]:
    """All cached crops of one picture. `labels`: object number to class index."""
    frame = dataset.frame(key)
    crops = []
    for truth in dataset.annotations(key):
        if truth.obj_id not in labels or truth.visib_fract < MIN_VISIBLE:
            continue
        visible, amodal = dataset.mask_visib(key, truth.index), dataset.mask(key, truth.index)
        if visible is None or amodal is None or visible.sum() < MIN_PIXELS:
            continue
        crops.append(cut(frame, truth, visible, amodal, dataset.objects[truth.obj_id], labels[truth.obj_id]))
    return crops


def scene_keys(dataset: BopDataset, scene: int) -> list[ImageKey]:
    """The pictures of one scene."""
    every = dataset.keys()
    return [key for key in every if key.scene_id == scene]


def scene_crops(dataset: BopDataset, scene: int, labels: dict[int, int]) -> dict[str, NDArray[Any]]:
    """The crops of one scene as a shard for `datasets.cache`."""
    crops = [crop for key in scene_keys(dataset, scene) for crop in image_crops(dataset, key, labels)]
    if not crops:
        return {
            "rgb": np.zeros((0, CACHED_SIDE, CACHED_SIDE, 3), np.uint8),
            "maps": np.zeros((0, MAP_SIDE, MAP_SIDE, 4), np.uint8),
            "meta": np.zeros(0, META),
        }
    return {name: np.stack([crop[name] for crop in crops]) for name in crops[0]}
