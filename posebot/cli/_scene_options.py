"""Options of commands that place objects before a camera: the models, the camera, the distances."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posebot.core.camera import Camera


def models_folder(objects: Path) -> Path:
    """The models folder: `objects` itself, or `objects/models` of a bundle or dataset."""
    inner = objects / "models"
    return inner if not (objects / "models_info.json").is_file() and inner.is_dir() else objects


def scene_camera(path: Path | None, size: str, fov: float) -> Camera:
    """The camera of a file, undistorted; without one, of an image size WIDTHxHEIGHT and a field of view, degrees.

    Raises:
        InputError: the file or the size is wrong.
    """
    import numpy as np

    from posebot.core.camera import Camera
    from posebot.core.errors import InputError

    if path is not None:
        from posebot.video.intrinsics import load_intrinsics

        return load_intrinsics(path).camera.undistorted()
    width, height = _parse_pair(size, "x", "--size", "WIDTHxHEIGHT such as 640x480")
    if not (16 <= width <= 8192 and 16 <= height <= 8192):
        raise InputError("--size", f"{size} is not valid", "16x16 to 8192x8192 pixels")
    focal = width / 2 / np.tan(np.deg2rad(fov) / 2)
    K = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    return Camera(K, round(width), round(height))


def parse_distance(text: str) -> tuple[float, float]:
    """Nearest and farthest distance, metres, of NEAREST-FARTHEST. Raises InputError."""
    from posebot.core.errors import InputError
    from posebot.synth.distance import expected_distance

    near, far = _parse_pair(text, "-", "--distance", "NEAREST-FARTHEST in metres, such as 0.4-1.4")
    if not 0.05 < near <= far < 6.5:
        raise InputError("--distance", f"{text} is not valid", expected_distance((near, far)))
    return near, far


def _parse_pair(text: str, separator: str, flag: str, expected: str) -> tuple[float, float]:
    from posebot.core.errors import InputError

    try:
        first, second = (float(part) for part in text.lower().split(separator))
    except ValueError:
        raise InputError(flag, f"{text!r} is not valid", expected) from None
    return first, second
