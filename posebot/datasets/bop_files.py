"""The files of a BOP data set, opened and checked: tables, numbers, pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import DatasetError, MissingFileError
from posebot.core.transforms import Array

_ENDS = {b"\x89PNG": b"IEND", b"\xff\xd8\xff\xe0": b"\xff\xd9", b"\xff\xd8\xff\xe1": b"\xff\xd9"}


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises InputError where there is none, or it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingFileError(path, "no such file", "a BOP scene has it") from None
    except (ValueError, OSError) as error:
        raise DatasetError(path, f"not readable as JSON ({error})", "the file may be cut off; write it again") from None


def by_image(path: Path, optional: bool) -> dict[int, Any]:
    """A scene's table by image number; empty where an optional one is missing."""
    if optional and not path.is_file():
        return {}
    data = read_json(path)
    if not isinstance(data, dict) or not all(key.isdigit() for key in data):
        raise DatasetError(path, "keys are not image numbers", 'an object like {"0": ..., "1": ...}')
    return {int(key): value for key, value in data.items()}


def numbers(entry: dict[str, Any], field: str, count: int, where: str) -> Array:
    """A field of `count` finite numbers (count,), or an InputError that names it."""
    value = entry.get(field)
    try:
        found = np.asarray(value, dtype=float).ravel()
    except (TypeError, ValueError):
        found = np.full(count, np.nan)
    if found.size != count:
        raise DatasetError(where, f"{field} has {found.size} numbers", f"{count} are needed")
    if not np.isfinite(found).all():
        raise DatasetError(where, f"{field} = {value} is not made of {count} finite numbers")
    return found


def decode(path: Path, grey: bool) -> NDArray[Any]:
    """The picture: BGR uint8 (H, W, 3), or with `grey` one channel (H, W) in the file's own depth."""
    import cv2

    data = path.read_bytes()
    end = _ENDS.get(data[:4])
    if end is not None and end not in data[-64:]:
        raise DatasetError(path, f"the picture is cut off ({len(data)} bytes)", "a whole PNG or JPEG file")
    flags = cv2.IMREAD_UNCHANGED if grey else cv2.IMREAD_COLOR
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if picture is None:
        raise DatasetError(path, "not readable as a picture", "PNG, JPEG or TIFF")
    return picture[..., 0] if grey and picture.ndim == 3 else picture
