"""The same scene through a worse camera: what is claimed about certainty must stand a world it was not made in."""

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
"""Columns and rows of the other camera's picture, as shares of the first one's: fewer pixels, and not square ones."""
_SCALE_ERROR, _NOISE, _GRAIN = 0.004, 0.0025, 4.0  # of depth: relative, metres at 1 m, pixels over which it is smooth
_LOST = 1.64  # sigmas: one reading in twenty is lost, in blotches


def shifted(frame: Frame, rng: np.random.Generator) -> Frame:
    """A picture that is darker, softer, noisier and more compressed, by a camera of fewer and oblong pixels.

    Its depth has a scale error, more noise (growing with the square of the distance) and more holes. Poses in the
    camera's frame stay what they are; boxes go back with `unshifted_box`.
    """
    import cv2

    camera = frame.camera
    width, height = round(camera.width * SCALE[0]), round(camera.height * SCALE[1])
    small = cv2.resize(frame.rgb, (width, height), interpolation=cv2.INTER_AREA)
    K = resize_K(camera.K, width / camera.width, height / camera.height)
    depth = None
    if frame.depth is not None:
        depth = _worse(np.asarray(cv2.resize(frame.depth, (width, height), interpolation=cv2.INTER_NEAREST)), rng)
    return replace(frame, rgb=degrade(small, rng), depth=depth, camera=Camera(K, width, height, camera.distortion))


def unshifted_box(box: list[float], first: Camera) -> list[float]:
    """A box (xyxy) in the shifted picture, in pixels of the first camera's."""
    scale = np.array([round(first.width * SCALE[0]) / first.width, round(first.height * SCALE[1]) / first.height] * 2)
    return ((np.array(box) + 0.5) / scale - 0.5).tolist()


def _worse(depth: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float32]:
    read = depth * (1 + rng.normal(0, _SCALE_ERROR)) + _NOISE * depth**2 * _grain(depth.shape, rng)
    lost = _grain(depth.shape, rng) > _LOST
    return np.where((depth > 0) & ~lost, read, 0).astype(np.float32)


def _grain(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Normal noise (H, W) of unit variance, smooth over some pixels."""
    import cv2

    rows, columns = (max(2, round(side / _GRAIN)) for side in shape)
    field = cv2.resize(rng.standard_normal((rows, columns)), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(field / field.std())
