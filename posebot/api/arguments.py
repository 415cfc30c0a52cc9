"""Arguments of `Model.__call__`, checked: an image and what belongs to it become a Frame."""

from __future__ import annotations

import time
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posebot.core.camera import Camera
from posebot.core.errors import DepthError, ImageError, InputError, IntrinsicsError, PoseError
from posebot.core.frame import Frame
from posebot.core.transforms import Array

Image = NDArray[np.uint8] | str | PathLike[str]
"""uint8 (H, W, 3), red first; or the path of an image file."""
_MAX_DEPTH_M = 50.0  # median of a depth image from which on it cannot be metres
_MAX_BASE_M = 50.0  # distance of a camera from the robot's base from which on it cannot be metres


def frame_from(image: Frame | Image, K: ArrayLike | None, camera: Camera | None, depth: ArrayLike | None,
               base_from_cam: ArrayLike | None, frame_id: str, captured_at: float | None) -> Frame:
    """The frame that `Model.__call__` works on; a Frame is taken as it is.

    Raises:
        InputError: an argument is missing, has the wrong shape, type or unit, or is given twice.
    """
    if isinstance(image, Frame):
        given = {"K": K, "camera": camera, "depth": depth, "base_from_cam": base_from_cam}
        for name in (name for name, value in given.items() if value is not None):
            raise InputError(name, "is given beside a Frame", "the Frame holds it: dataclasses.replace(frame, ...)")
        return image
    rgb = rgb_from(image)
    height, width = rgb.shape[:2]
    return Frame(rgb, _camera(K, camera, width, height), None if depth is None else _depth(depth, height, width),
                 None if base_from_cam is None else _pose(base_from_cam),
                 frame_id or (Path(image).stem if isinstance(image, str | PathLike) else ""),
                 time.time() if captured_at is None else captured_at)


def rgb_from(image: Image) -> NDArray[np.uint8]:
    """uint8 (H, W, 3), red first, from an array, a PIL image or a file.

    Whether an array is RGB or BGR cannot be seen from it: OpenCV's `imread` gives BGR, turn it with `[..., ::-1]`.
    Raises:
        ImageError: another shape or type, or a file that is not an image.
    """
    if isinstance(image, str | PathLike):
        from posebot.video.images import read_rgb

        return read_rgb(Path(image))
    rgb: NDArray[Any] = np.asarray(image)
    expected = "uint8 (height, width, 3), red first (OpenCV reads blue first: image[..., ::-1])"
    if rgb.ndim == 3 and rgb.shape[2] == 4:
        raise ImageError("rgb", f"has an alpha channel, {rgb.dtype} {rgb.shape}", "image[..., :3]")
    if rgb.ndim == 2:
        raise ImageError("rgb", f"has no colour channels, {rgb.dtype} {rgb.shape}",
                         "np.repeat(grey[..., None], 3, axis=2) for a grey image")
    if rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ImageError("rgb", f"is {rgb.dtype} {rgb.shape}", expected)
    if rgb.dtype != np.uint8:
        scale = "; values up to 1 need (image * 255).astype(np.uint8)" if rgb.dtype.kind == "f" else ""
        raise ImageError("rgb", f"is {rgb.dtype} {rgb.shape}", expected + scale)
    return np.ascontiguousarray(rgb)


def _camera(K: ArrayLike | None, camera: Camera | None, width: int, height: int) -> Camera:
    if (K is None) == (camera is None):
        raise IntrinsicsError("K", "is missing" if K is None else "is given beside camera",
                              "K, the 3x3 pinhole matrix of this image in pixels, or camera=posebot.Camera(...)")
    if camera is not None:
        return camera
    matrix = np.asarray(K, dtype=float)
    if matrix.shape not in ((3, 3), (9,)):
        raise IntrinsicsError("K", f"has shape {matrix.shape}", "3x3: [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], pixels")
    return Camera(matrix, width, height)


def _depth(depth: ArrayLike, height: int, width: int) -> NDArray[np.float32]:
    metres = np.asarray(depth)
    hint = "float32 metres: depth.astype(np.float32) / 1000 where it is in millimetres"
    if metres.shape != (height, width):
        raise DepthError("depth", f"has shape {metres.shape}", f"({height}, {width}), registered to the image")
    if metres.dtype.kind != "f":
        raise DepthError("depth", f"is {metres.dtype}", hint)
    metres = np.nan_to_num(metres.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    valid = metres[metres != 0]
    if valid.size and valid.min() < 0:
        raise DepthError("depth", f"has negative values, down to {valid.min():g}", "metres along z, 0 = no reading")
    if valid.size and np.median(valid) > _MAX_DEPTH_M:
        raise DepthError("depth", f"has the median {np.median(valid):g}, which looks like millimetres", hint)
    return metres


def _pose(base_from_cam: ArrayLike) -> Array:
    pose = np.asarray(base_from_cam, dtype=float)
    if pose.shape != (4, 4):
        raise PoseError("base_from_cam", f"has shape {pose.shape}", "4x4, the camera's pose in the robot's base frame")
    distance = float(np.linalg.norm(pose[:3, 3]))
    if distance > _MAX_BASE_M:
        raise PoseError("base_from_cam", f"is {distance:g} m away from the base", "a translation in metres")
    return pose
