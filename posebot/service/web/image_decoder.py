"""Pictures from requests: size, format and pixels are known to be harmless before anything is decoded."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import DepthError, ImageError
from posebot.service.settings import Limits
from posebot.service.web.error_responses import ApiError

FORMATS = ("PNG", "JPEG", "WEBP")
T = TypeVar("T")


class ImageDecoder:
    """Decodes in threads of its own; a picture that takes too long is given up (its thread ends with the picture)."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="decode")

    async def picture(self, data: bytes) -> NDArray[np.uint8]:
        """uint8 (H, W, 3), red first; an EXIF orientation is left alone, as it would belong to other intrinsics.

        Raises:
            ApiError: 413 too many bytes or pixels, 415 another format, 503 it took too long. InputError: not whole.
        """
        return await self._timed(lambda: decode_picture(data, self._limits, "image"))

    async def depth(self, data: bytes, scale: float) -> NDArray[np.float32]:
        """float32 (H, W) metres from a 16 bit PNG with `scale` millimetres per unit. Raises as `picture`."""
        return await self._timed(lambda: decode_depth(data, scale, self._limits))

    async def _timed(self, work: Callable[[], T]) -> T:
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        try:
            return await asyncio.wait_for(future, self._limits.decode_seconds)
        except TimeoutError:
            raise ApiError(503, "the picture took too long to decode", "timeout") from None


def decode_picture(data: bytes, limits: Limits, where: str) -> NDArray[np.uint8]:
    """See `ImageDecoder.picture`."""
    import cv2

    check_header(data, limits, where, FORMATS)
    bgr = _decoded(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION, where)
    return np.ascontiguousarray(bgr[..., ::-1])


def decode_depth(data: bytes, scale: float, limits: Limits) -> NDArray[np.float32]:
    """See `ImageDecoder.depth`."""
    import cv2

    check_header(data, limits, "depth", ("PNG",))
    raw = _decoded(data, cv2.IMREAD_UNCHANGED, "depth")
    if raw.ndim != 2 or raw.dtype != np.uint16:
        raise DepthError("depth", f"is {raw.dtype} {raw.shape}", "one channel of 16 bits")
    return raw.astype(np.float32) * np.float32(scale * 1e-3)


def check_header(data: bytes, limits: Limits, where: str, formats: tuple[str, ...]) -> tuple[int, int]:
    """Width and height from the header alone. Raises as `ImageDecoder.picture`."""
    from PIL import Image, UnidentifiedImageError

    if len(data) > limits.picture_bytes:
        raise ApiError(413, f"{where}: {len(data)} bytes; at most {limits.picture_bytes}")
    try:
        with Image.open(io.BytesIO(data), formats=formats) as picture:
            width, height = picture.size
    except UnidentifiedImageError:
        raise ApiError(415, f"{where}: no {' or '.join(formats)} picture") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(where, f"broken picture ({' '.join(str(error).split())[:80]})", "a whole file") from None
    if width * height > limits.picture_pixels or max(width, height) > 32_767:
        raise ApiError(413, f"{where}: {width}x{height} pixels; at most {limits.picture_pixels} in all")
    return width, height


def _decoded(data: bytes, flags: int, where: str) -> NDArray[Any]:
    import cv2

    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        picture = None
    ends = {b"\x89PNG": b"IEND", b"\xff\xd8\xff": b"\xff\xd9"}  # decoders fill what is missing with grey
    end = next((end for start, end in ends.items() if data.startswith(start)), None)
    if picture is None or (end is not None and end not in data[-64:]):
        raise ImageError(where, "the picture is cut off or broken", "a whole PNG, JPEG or WebP file")
    return picture
