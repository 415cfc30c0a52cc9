"""Images from requests. Size, format and number of pixels are checked before anything is decoded."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import DepthError, ImageError
from posebot.service.errors import TimedOut, TooLarge, UnsupportedFormat
from posebot.service.settings import Limits

FORMATS = ("PNG", "JPEG", "WEBP")
_END_MARKERS = {b"\x89PNG": b"IEND", b"\xff\xd8\xff": b"\xff\xd9"}
_MAX_SIDE = 32_767
T = TypeVar("T")


class ImageDecoder:
    """Decodes in threads of its own. An image that takes too long is abandoned; its thread ends with the image."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="decode")

    async def image(self, data: bytes) -> NDArray[np.uint8]:
        """uint8 (H, W, 3) RGB. The EXIF orientation is ignored: rotated pixels would need other intrinsics.

        Raises:
            TooLarge: too many bytes or pixels. UnsupportedFormat. TimedOut. ImageError: truncated or damaged.
        """
        return await self._in_time(lambda: decode_image(data, self._limits, "image"))

    async def depth(self, data: bytes, scale: float) -> NDArray[np.float32]:
        """float32 (H, W) metres from a 16-bit PNG, `scale` millimetres per unit. Raises as `image`, and DepthError."""
        return await self._in_time(lambda: decode_depth(data, scale, self._limits))

    async def _in_time(self, decode: Callable[[], T]) -> T:
        future = asyncio.get_running_loop().run_in_executor(self._pool, decode)
        try:
            return await asyncio.wait_for(future, self._limits.decode_seconds)
        except TimeoutError:
            raise TimedOut(f"decoding the image took longer than {self._limits.decode_seconds:g} s") from None


def decode_image(data: bytes, limits: Limits, where: str) -> NDArray[np.uint8]:
    """See `ImageDecoder.image`."""
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
    """Width and height from the header alone. Raises as `ImageDecoder.image`."""
    from PIL import Image, UnidentifiedImageError

    if len(data) > limits.image_bytes:
        raise TooLarge(f"{where}: {len(data)} bytes; at most {limits.image_bytes}")
    try:
        with Image.open(io.BytesIO(data), formats=formats) as image:
            width, height = image.size
    except UnidentifiedImageError:
        raise UnsupportedFormat(f"{where}: not a {' or '.join(formats)} image") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(where, f"damaged image ({' '.join(str(error).split())[:80]})", "a complete file") from None
    if width * height > limits.image_pixels or max(width, height) > _MAX_SIDE:
        raise TooLarge(f"{where}: {width}x{height} pixels; at most {limits.image_pixels} in all")
    return width, height


def _decoded(data: bytes, flags: int, where: str) -> NDArray[Any]:
    import cv2

    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None or _truncated(data):
        raise ImageError(where, "the image is cut off or damaged", "a complete PNG, JPEG or WebP file")
    return image


def _truncated(data: bytes) -> bool:
    """Decoders fill missing rows with grey instead of failing."""
    marker = next((end for start, end in _END_MARKERS.items() if data.startswith(start)), None)
    return marker is not None and marker not in data[-64:]
