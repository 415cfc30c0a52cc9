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
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field

from posebot.config import Document, with_lines
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


class IntrinsicsFile(BaseModel):
    """Intrinsics of a camera in their plain form; other keys are ignored."""

    model_config = ConfigDict(extra="ignore", use_attribute_docstrings=True)

    fx: float = Field(gt=0)
    """Focal length in pixels, horizontal."""
    fy: float = Field(gt=0)
    """Focal length in pixels, vertical."""
    cx: float
    """Principal point in pixels, from the centre of the leftmost pixel."""
    cy: float
    """Principal point in pixels, from the centre of the topmost pixel."""
    width: int = Field(gt=0)
    """Width of the images in pixels."""
    height: int = Field(gt=0)
    """Height of the images in pixels."""
    distortion: list[float] | None = None
    """Coefficients in OpenCV's order k1, k2, p1, p2, k3, ...: 0, 4, 5, 8, 12 or 14 numbers."""
    depth_scale: float | None = Field(default=None, ge=1e-4, le=1000)
    """Millimetres per unit of a 16 bit depth image: 1.0 for most cameras, 0.1 for images of `posebot synth`."""


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
        if path.suffix == ".json":
            data, text = json.loads(text), text.replace("\t", " ")  # tabs, which YAML forbids
        else:
            text = _without_directive(text)
            data = yaml.load(text, _OpenCvLoader)
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:120]
        raise IntrinsicsError(path, f"is neither valid JSON nor valid YAML ({reason})", EXPECTED) from None
    return intrinsics_from(with_lines(str(path), data, text, IntrinsicsError))


def intrinsics_from(document: Document) -> Intrinsics:
    """As `load_intrinsics`, from data with the lines of its keys, such as a section of a configuration."""
    data = document.data
    if not isinstance(data, Mapping):
        raise document.error((), f"is a {type(data).__name__}; it must be a mapping", EXPECTED)
    if isinstance(data.get("intrinsics"), Mapping):
        return intrinsics_from(document.section("intrinsics"))
    model = str(data.get("distortion_model", ""))
    if model not in _PINHOLE_MODELS:
        raise document.error(("distortion_model",), f"is {model!r}", "plumb_bob or rational_polynomial")
    width, height = (_size(document, name) for name in ("width", "height"))
    matrix, distortion = _matrix(document), _distortion(document)
    try:
        camera = Camera(matrix, width, height, distortion)
    except InputError as error:
        raise document.error((), error.problem, error.expected) from None
    scale = data.get("depth_scale")
    where = ": ".join(filter(None, (document.where, document.key())))
    return Intrinsics(camera, None if scale is None else _depth_scale(document, scale), where)


def _depth_scale(document: Document, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1e-4 <= value <= 1000:
        raise document.error(("depth_scale",), f"is {value!r}",
                             "millimetres per unit: 1.0 where depth is stored in mm, 0.1 for images of posebot synth")
    return float(value)


def _matrix(document: Document) -> Array:
    data = document.data
    name = next((name for name in _MATRIX_NAMES if name in data), None)
    if name is not None:
        return _numbers(document, name, 9, "9 are needed (row-major 3x3, pixels)").reshape(3, 3)
    names = next((names for names in _PINHOLE_NAMES if names[0] in data), _PINHOLE_NAMES[0])
    missing = [name for name in names if name not in data]
    if missing:
        raise document.error((), f"{', '.join(missing)} missing", EXPECTED)
    fx, fy, cx, cy = (_numbers(document, name, 1, "one is needed, in pixels").item() for name in names)
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])


def _distortion(document: Document) -> Array:
    name = next((name for name in _DISTORTION_NAMES if document.data.get(name) is not None), None)
    return np.zeros(0) if name is None else _numbers(document, name)


def _size(document: Document, name: str) -> int:
    expected = "the image size in pixels; it guards against the wrong file"
    key = name if name in document.data else f"image_{name}"
    value = document.data.get(key)
    if value is None:
        raise document.error((), f"{name} is missing", expected)
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_size(value):
        raise document.error((key,), f"is {value!r}", expected)
    return int(value)


def _is_size(value: float) -> bool:
    return math.isfinite(value) and value == int(value) and value > 0


def _numbers(document: Document, name: str, count: int | None = None, expected: str = "") -> Array:
    """The numbers of a key, (N,). count: how many there must be; expected: says so."""
    value = document.data[name]
    if isinstance(value, Mapping):
        value = value.get("data")
    try:
        numbers = np.asarray(value, dtype=float).ravel()
    except (TypeError, ValueError):
        numbers = np.array([np.nan])
    if not np.isfinite(numbers).all():
        raise document.error((name,), f"{str(value)[:60]!r} is not a list of finite numbers", "pixels")
    if count is not None and numbers.size != count:
        raise document.error((name,), f"has {numbers.size} numbers", expected)
    return numbers


class _OpenCvLoader(yaml.SafeLoader):
    """Safe YAML loader with `!!opencv-matrix`."""


_OpenCvLoader.add_constructor("tag:yaml.org,2002:opencv-matrix",
                              lambda loader, node: loader.construct_mapping(node, deep=True))


def _without_directive(text: str) -> str:
    """OpenCV files begin with `%YAML:1.0`, which is not valid YAML; an empty line in its place keeps line numbers."""
    return "\n" + text.partition("\n")[2] if text.startswith("%YAML:") else text
