"""Text labels for overlays: the default font of Pillow on a dark background."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Color = tuple[int, int, int]
_BACKGROUND = np.array([18, 20, 24], np.float32)


def render_label(text: str, size: int, edge: Color, opacity: float = 0.78) -> NDArray[np.float32]:
    """A label as premultiplied RGBA float32 (h, w, 4), 0..255, alpha 0..1: white text and a strip in colour `edge`."""
    alpha = _glyphs(text, size)
    pad_x, pad_y, strip = max(3, size // 3), max(2, size // 6), max(3, size // 4)
    height, width = alpha.shape[0] + 2 * pad_y, alpha.shape[1] + 2 * pad_x + strip
    image = np.empty((height, width, 4), np.float32)
    image[..., :3], image[..., 3] = _BACKGROUND * opacity, opacity
    image[:, :strip] = (*edge, 1.0)
    inside = image[pad_y:pad_y + alpha.shape[0], strip + pad_x:strip + pad_x + alpha.shape[1]]
    inside *= 1 - alpha[..., None]
    inside += alpha[..., None] * np.array([255, 255, 255, 1], np.float32)
    return image


def alpha_blend(canvas: NDArray[np.uint8], image: NDArray[np.float32], x: int, y: int) -> None:
    """Blend a premultiplied RGBA image over the canvas at (x, y) in place, clipped at the borders."""
    height, width = canvas.shape[:2]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + image.shape[1], width), min(y + image.shape[0], height)
    if x0 >= x1 or y0 >= y1:
        return
    part = image[y0 - y:y1 - y, x0 - x:x1 - x]
    background = canvas[y0:y1, x0:x1]
    background[:] = np.clip(background * (1 - part[..., 3:]) + part[..., :3] + 0.5, 0, 255).astype(np.uint8)


def text_width(text: str, size: int) -> int:
    """Width in pixels."""
    return round(_font(size).getlength(text))


@lru_cache(maxsize=256)
def _glyphs(text: str, size: int) -> NDArray[np.float32]:
    """Coverage (h, w), 0..1, of a line of text; the height depends only on the size."""
    from PIL import Image, ImageDraw

    font = _font(size)
    ascent, descent = font.getmetrics()
    image = Image.new("L", (max(1, text_width(text, size)), ascent + descent))
    ImageDraw.Draw(image).text((0, 0), text, fill=255, font=font)
    return np.asarray(image, np.float32) / np.float32(255)


@lru_cache(maxsize=8)
def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
