"""Domain shift: the same image as from a worse camera, to measure calibration outside the training distribution."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import Camera, resize_K
from posebot.core.frame import Frame
from posebot.core.transforms import Array
from posebot.datasets.augment import degrade

SCALE = (0.75, 0.7)
"""Columns and rows of the shifted image, as fractions of the original: fewer pixels, and not square ones."""
_SCALE_ERROR, _NOISE, _CORRELATION_PX = 0.004, 0.0025, 4.0  # depth: scale, metres at 1 m, correlation length in pixels
_DROPOUT = 1.64  # sigmas: 5 % of the readings are missing, in blobs


def apply_domain_shift(frame: Frame, rng: np.random.Generator) -> Frame:
    """The frame darker, blurred, noisier and more compressed, of a camera with fewer and non-square pixels.

    Depth has a scale error, more noise (growing with the square of the distance) and more holes. Poses in the camera
    frame are unchanged; boxes are mapped back by `box_to_original_camera`.
    """
    import cv2

    camera = frame.camera
    width, height = round(camera.width * SCALE[0]), round(camera.height * SCALE[1])
    small = cv2.resize(frame.rgb, (width, height), interpolation=cv2.INTER_AREA)
    K = resize_K(camera.K, width / camera.width, height / camera.height)
    depth = None
    if frame.depth is not None:
        resized = cv2.resize(frame.depth, (width, height), interpolation=cv2.INTER_NEAREST)
        depth = _degraded_depth(np.asarray(resized), rng)
    return replace(frame, rgb=degrade(small, rng), depth=depth, camera=Camera(K, width, height, camera.distortion))


def box_to_original_camera(box: list[float], first: Camera) -> list[float]:
    """A box (xyxy) of the shifted image, in pixels of the original camera `first`."""
    scale = np.array([round(first.width * SCALE[0]) / first.width, round(first.height * SCALE[1]) / first.height] * 2)
    return ((np.array(box) + 0.5) / scale - 0.5).tolist()


def _degraded_depth(depth: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float32]:
    measured = depth * (1 + rng.normal(0, _SCALE_ERROR)) + _NOISE * depth**2 * _smooth_noise(depth.shape, rng)
    missing = _smooth_noise(depth.shape, rng) > _DROPOUT
    return np.where((depth > 0) & ~missing, measured, 0).astype(np.float32)


def _smooth_noise(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Gaussian noise (H, W) of unit variance, correlated over some pixels."""
    import cv2

    rows, columns = (max(2, round(side / _CORRELATION_PX)) for side in shape)
    field = cv2.resize(rng.standard_normal((rows, columns)), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(field / field.std())
