"""Image files: decoding with detection of truncated files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import DepthError, ImageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
# Decoders fill the missing part of a truncated file with grey, so the end marker is checked.
_END_MARKERS = {b"\x89PNG": b"IEND", b"\xff\xd8\xff": b"\xff\xd9"}


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """uint8 (H, W, 3), red first, pixels as stored (an EXIF orientation would belong to other intrinsics).

    Raises:
        InputError: missing, truncated, or not an image.
    """
    import cv2

    bgr = _decode(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return np.ascontiguousarray(bgr[..., ::-1])


def read_depth(path: Path, depth_scale: float) -> NDArray[np.float32]:
    """float32 (H, W) metres, 0 = no reading, from a 16 bit image with `depth_scale` millimetres per unit.

    Raises:
        InputError: missing, truncated, not an image, or not one channel of 16 bits (a colour-mapped depth image).
    """
    import cv2

    raw = _decode(path, cv2.IMREAD_UNCHANGED)
    if raw.ndim != 2 or raw.dtype != np.uint16:
        raise DepthError(path, f"depth image is {raw.dtype} {raw.shape}", "one channel, 16 bits")
    return raw.astype(np.float32) * np.float32(depth_scale * 1e-3)


def list_image_files(folder: Path) -> list[Path]:
    """Image files of a folder, sorted by name, without hidden files."""
    return sorted(path for path in folder.iterdir()
                  if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file())


def _decode(path: Path, flags: int) -> NDArray[Any]:
    import cv2

    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(path, (error.strerror or "not readable").lower(), "an image file") from None
    end = next((end for start, end in _END_MARKERS.items() if data.startswith(start)), None)
    if end is not None and end not in data[-64:]:
        raise ImageError(path, f"the image is truncated ({len(data)} bytes)", "a complete PNG or JPEG file")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if image is None:
        raise ImageError(path, "not readable as an image", "PNG, JPEG, TIFF, BMP or WebP")
    return image
