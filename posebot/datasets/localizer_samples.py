"""Localizer samples: crops around single objects, with masks, object coordinates and targets for the loss.

A cached crop is larger than the network input, which leaves room for random shift, scale and rotation. Object
coordinates are computed from the exact depth of rendered frames: visible pixels are unprojected to the camera frame and
transformed to the object frame. They are invariant to rotation of the crop, so camera roll is augmented for free.
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
from posebot.datasets.affine_warp import warp_image, warp_labels
from posebot.datasets.bop import Annotation, BopDataset, ImageKey

CACHED_CROP_SIZE = 192  # pixels, side of a cached crop
CACHED_CROP_PAD = 1.9  # side of the crop / longer side of the box
MAP_SIZE = CACHED_CROP_SIZE // 2  # pixels, side of the coordinate and mask maps
VISIBLE, AMODAL = 1, 2  # bits of the mask channel
MIN_VISIBLE, MIN_PIXELS = 0.1, 150  # visible share and pixels below which an instance is skipped
CROP_META = np.dtype(
    [
        ("label", "i4"), ("scene", "i4"), ("image", "i4"), ("visible", "f4"),
        ("box", "f4", 4),  # amodal box clipped to the image, in pixels of the cached crop
        ("origin", "f4", 2),  # projection of the object origin, in pixels of the cached crop
        ("log_z", "f4"),  # log(z / (f * diameter)), z of the object origin
        ("pixel", "f4"),  # size of a pixel of the cached crop in image pixels
    ]
)


def clip_box(box: Array, camera: Camera) -> Array:
    """Clip an xyxy box to the image."""
    low, high = np.array([-0.5, -0.5]), np.array([camera.width - 0.5, camera.height - 0.5])
    return np.concatenate([np.clip(box[:2], low, high), np.clip(box[2:], low, high)])


def crop_sample(
    frame: Frame,
    annotation: Annotation,
    visible: NDArray[np.bool_],
    amodal: NDArray[np.bool_],
    model: ObjectModel,
    label: int,
) -> dict[str, NDArray[Any]]:
    """One cached sample: `rgb` uint8 (192, 192, 3); `maps` uint8 (96, 96, 4): 255 * coordinates, mask bits; `meta`."""
    assert frame.depth is not None
    box = clip_box(annotation.box_amodal, frame.camera)
    matrix = crop_matrix(box, CACHED_CROP_SIZE, CACHED_CROP_PAD)
    half = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1.0]]) @ matrix
    rgb = warp_image(frame.rgb, matrix, CACHED_CROP_SIZE, CACHED_CROP_SIZE)
    depth = warp_labels(np.where(visible, frame.depth, 0), half, MAP_SIZE)
    bits = warp_labels((visible * VISIBLE + amodal * AMODAL).astype(np.uint8), half, MAP_SIZE)
    pose = annotation.cam_from_obj @ facing(model, annotation.cam_from_obj)
    points = unproject(half @ frame.camera.K, depth)
    coordinates = model.normalise(apply(inverse(pose), points.reshape(-1, 3))).reshape(MAP_SIZE, MAP_SIZE, 3)
    bits[(bits & VISIBLE > 0) & ((depth <= 0) | (np.abs(coordinates - 0.5).max(axis=2) > 0.55))] &= ~np.uint8(VISIBLE)
    maps = np.dstack([np.clip(coordinates * 255 + 0.5, 0, 255).astype(np.uint8), bits])
    focal = float(np.sqrt(frame.camera.K[0, 0] * frame.camera.K[1, 1]))
    scene, image = (int(part) for part in frame.frame_id.split("/"))
    meta = np.zeros((), CROP_META)
    meta["label"], meta["scene"], meta["image"], meta["visible"] = label, scene, image, annotation.visib_fract
    meta["box"] = transform_pixels(matrix, box.reshape(2, 2)).ravel()
    meta["origin"] = transform_pixels(matrix, project(frame.camera.K, annotation.cam_from_obj[:3, 3]))
    meta["log_z"] = np.log(annotation.cam_from_obj[2, 3] / (focal * model.diameter))
    meta["pixel"] = 1.0 / np.sqrt(np.linalg.det(matrix[:2, :2]))
    return {"rgb": rgb, "maps": maps, "meta": meta}


def image_localizer_samples(
    dataset: BopDataset, key: ImageKey, labels: dict[int, int]
) -> list[dict[str, NDArray[Any]]]:
    """The samples of one image. `labels`: object ID to class index."""
    frame = dataset.frame(key)
    samples = []
    for annotation in dataset.annotations(key):
        if annotation.obj_id not in labels or annotation.visib_fract < MIN_VISIBLE:
            continue
        visible, amodal = dataset.mask_visib(key, annotation.index), dataset.mask(key, annotation.index)
        if visible is None or amodal is None or visible.sum() < MIN_PIXELS:
            continue
        model, label = dataset.objects[annotation.obj_id], labels[annotation.obj_id]
        samples.append(crop_sample(frame, annotation, visible, amodal, model, label))
    return samples


def scene_images(dataset: BopDataset, scene: int) -> list[ImageKey]:
    """The images of one scene."""
    return [key for key in dataset.keys() if key.scene_id == scene]  # noqa: SIM118


def scene_localizer_samples(dataset: BopDataset, scene: int, labels: dict[int, int]) -> dict[str, NDArray[Any]]:
    """The samples of one scene as a shard of `datasets.sample_cache`."""
    keys = scene_images(dataset, scene)
    samples = [sample for key in keys for sample in image_localizer_samples(dataset, key, labels)]
    if not samples:
        return {
            "rgb": np.zeros((0, CACHED_CROP_SIZE, CACHED_CROP_SIZE, 3), np.uint8),
            "maps": np.zeros((0, MAP_SIZE, MAP_SIZE, 4), np.uint8),
            "meta": np.zeros(0, CROP_META),
        }
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}
