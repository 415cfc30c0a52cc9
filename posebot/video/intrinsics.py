"""Intrinsics from a file. Missing values are an error, never guessed.

Formats, JSON or YAML:

- BOP `camera.json`: fx, fy, cx, cy, width, height, depth_scale;
- a 3x3 matrix named K, k, cam_K or camera_matrix (nine numbers, three rows, or {rows, cols, data}), with width and
  height (or image_width, image_height) and distortion (or D, d, dist_coeffs, distortion_coefficients). ROS
  camera_info, OpenCV's calibration files and posebot's `Camera.to_dict()` have this form;
- an `intrinsics` section with one of the above, or with f_u, f_v, pp_x, pp_y (M3T).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from posebot.core.camera import Camera, resize_K
from posebot.core.errors import InputError, IntrinsicsError
from posebot.core.transforms import Array

_MATRIX_NAMES = ("K", "k", "cam_K", "camera_matrix")
_DISTORTION_NAMES = ("distortion", "D", "d", "dist_coeffs", "distortion_coefficients")
_PINHOLE_NAMES = (("fx", "fy", "cx", "cy"), ("f_u", "f_v", "pp_x", "pp_y"))
_PINHOLE_MODELS = ("", "plumb_bob", "rational_polynomial", "pinhole", "radtan")
EXPECTED = 'for example {"fx": 572.4, "fy": 573.6, "cx": 325.3, "cy": 242.0, "width": 640, "height": 480}'


@dataclass(frozen=True)
class Intrinsics:
    """A camera and the scale of its depth images.

    Attributes:
        depth_scale: millimetres per unit of a 16 bit depth image, as in BOP; None if unknown.
        where: the file, for messages.
    """

    camera: Camera
    depth_scale: float | None = None
    where: str = "camera"

    def for_size(self, width: int, height: int, scale: bool = False) -> Camera:
        """The camera of an image of this size.

        With `scale`, intrinsics of another size with exactly the same aspect ratio are resized.
        Raises:
            InputError: the sizes differ without `scale`, or the aspect ratios differ.
        """
        own = self.camera
        if (width, height) == (own.width, own.height):
            return own
        problem = f"intrinsics are for {own.width}x{own.height}, the image is {width}x{height}"
        if width * own.height != height * own.width:
            raise IntrinsicsError(self.where, problem,
                                  "intrinsics of this image size; the aspect ratios differ too")
        if not scale:
            raise IntrinsicsError(self.where, problem,
                                  "the right file, or --scale-camera if the image was only resized")
        factor = width / own.width
        return replace(own, K=resize_K(own.K, factor, factor), width=width, height=height)


def load_intrinsics(path: str | Path) -> Intrinsics:
    """Read a file of one of the forms above.

    Raises:
        InputError: the file is missing or unreadable, or a value is missing or wrong.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise IntrinsicsError(path, f"not readable ({getattr(error, 'strerror', None) or 'not text'})",
                              EXPECTED) from None
    try:
        data = json.loads(text) if path.suffix == ".json" else yaml.load(_without_directive(text), _OpenCvLoader)
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:120]
        raise IntrinsicsError(path, f"is neither valid JSON nor valid YAML ({reason})", EXPECTED) from None
    return intrinsics_from(data, str(path))


def intrinsics_from(data: Any, where: str) -> Intrinsics:
    """As `load_intrinsics`, from the content of the file."""
    if not isinstance(data, Mapping):
        raise IntrinsicsError(where, f"is a {type(data).__name__}; it must be a mapping", EXPECTED)
    if isinstance(data.get("intrinsics"), Mapping):
        return intrinsics_from(data["intrinsics"], f"{where}: intrinsics")
    model = str(data.get("distortion_model", ""))
    if model not in _PINHOLE_MODELS:
        raise IntrinsicsError(where, f"distortion_model is {model!r}", "plumb_bob or rational_polynomial")
    width, height = (_size(data, name, where) for name in ("width", "height"))
    try:
        camera = Camera(_matrix(data, where), width, height, _distortion(data, where))
    except InputError as error:
        raise error if error.where != "camera" else IntrinsicsError(where, error.problem, error.expected) from None
    scale = data.get("depth_scale")
    return Intrinsics(camera, None if scale is None else depth_scale_from(scale, where), where)


def depth_scale_from(value: Any, where: str) -> float:
    """Check a depth scale, millimetres per unit."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1e-4 <= value <= 1000:
        raise IntrinsicsError(where, f"depth_scale is {value!r}",
                              "millimetres per unit: 1.0 where depth is stored in mm")
    return float(value)


def _matrix(data: Mapping[str, Any], where: str) -> Array:
    name = next((name for name in _MATRIX_NAMES if name in data), None)
    if name is not None:
        values = _numbers(data[name], f"{where}: {name}")
        if values.size != 9:
            raise IntrinsicsError(where, f"{name} has {values.size} numbers", "9 are needed (row-major 3x3, pixels)")
        return values.reshape(3, 3)
    names = next((names for names in _PINHOLE_NAMES if names[0] in data), _PINHOLE_NAMES[0])
    missing = [name for name in names if name not in data]
    if missing:
        raise IntrinsicsError(where, f"{', '.join(missing)} missing", EXPECTED)
    fx, fy, cx, cy = (_numbers(data[name], f"{where}: {name}").item() for name in names)
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])


def _distortion(data: Mapping[str, Any], where: str) -> Array:
    name = next((name for name in _DISTORTION_NAMES if data.get(name) is not None), None)
    return np.zeros(0) if name is None else _numbers(data[name], f"{where}: {name}")


def _size(data: Mapping[str, Any], name: str, where: str) -> int:
    value = data.get(name, data.get(f"image_{name}"))
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or value <= 0:
        raise IntrinsicsError(where, f"{name} is {value!r}" if value is not None else f"{name} is missing",
                              "the image size in pixels; it guards against the wrong file")
    return int(value)


def _numbers(value: Any, where: str) -> Array:
    if isinstance(value, Mapping):
        value = value.get("data")
    try:
        numbers = np.asarray(value, dtype=float).ravel()
    except (TypeError, ValueError):
        numbers = np.array([np.nan])
    if not np.isfinite(numbers).all():
        raise IntrinsicsError(where, f"{str(value)[:60]!r} is not a list of finite numbers", "pixels")
    return numbers


class _OpenCvLoader(yaml.SafeLoader):
    """Safe YAML loader with `!!opencv-matrix`."""


_OpenCvLoader.add_constructor("tag:yaml.org,2002:opencv-matrix",
                              lambda loader, node: loader.construct_mapping(node, deep=True))


def _without_directive(text: str) -> str:
    """OpenCV files begin with `%YAML:1.0`, which is not valid YAML."""
    return text.partition("\n")[2] if text.startswith("%YAML:") else text
