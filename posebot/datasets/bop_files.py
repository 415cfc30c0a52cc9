"""Reading and validating the files of a BOP dataset: JSON tables, numeric fields, images.

Checked by hand rather than by pydantic: a split has up to 10^6 entries, of which only those of the images in use are
validated, and errors name file, image, entry and field.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import DatasetError, MissingFileError
from posebot.core.transforms import Array

_TRAILERS = {b"\x89PNG": b"IEND", b"\xff\xd8\xff\xe0": b"\xff\xd9", b"\xff\xd8\xff\xe1": b"\xff\xd9"}


def read_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        InputError: the file is missing or not valid JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingFileError(path, "no such file", "a scene file of the BOP format") from None
    except (ValueError, OSError) as error:
        raise DatasetError(path, f"is not valid JSON ({error})", "a complete file; it may be truncated") from None


def read_scene_table(path: Path, optional: bool) -> dict[int, Any]:
    """A JSON table of a scene by image ID; empty if an optional one is missing."""
    if optional and not path.is_file():
        return {}
    data = read_json(path)
    if not isinstance(data, dict) or not all(key.isdigit() for key in data):
        raise DatasetError(path, "keys are not image IDs", 'an object such as {"0": ..., "1": ...}')
    return {int(key): value for key, value in data.items()}


def read_floats(entry: dict[str, Any], field: str, count: int, where: str) -> Array:
    """A field of `count` finite numbers, as array (count,).

    Raises:
        InputError: the field is missing, has another length, or is not numeric.
    """
    value = entry.get(field)
    try:
        values = np.asarray(value, dtype=float).ravel()
    except (TypeError, ValueError):
        values = np.full(count, np.nan)
    if values.size != count:
        raise DatasetError(where, f"{field} has {values.size} numbers", f"{count} numbers")
    if not np.isfinite(values).all():
        raise DatasetError(where, f"{field} = {value} is not finite", f"{count} finite numbers")
    return values


def decode_image(path: Path, grey: bool) -> NDArray[Any]:
    """Decode an image: BGR uint8 (H, W, 3), or with `grey` one channel (H, W) of the file's bit depth.

    Raises:
        InputError: the file is truncated or not an image.
    """
    import cv2

    data = path.read_bytes()
    trailer = _TRAILERS.get(data[:4])
    if trailer is not None and trailer not in data[-64:]:
        raise DatasetError(path, f"the image is truncated ({len(data)} bytes)", "a complete PNG or JPEG file")
    flags = cv2.IMREAD_UNCHANGED if grey else cv2.IMREAD_COLOR
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if image is None:
        raise DatasetError(path, "is not a readable image", "PNG, JPEG or TIFF")
    return image[..., 0] if grey and image.ndim == 3 else image
