"""Texture atlas: UV charts, drawn in millimetres, packed into one texture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from posebot.core.transforms import Array

Color = tuple[int, int, int]
Point = tuple[float, float]
_BARCODE_PAPER, _BARCODE_INK = (250, 250, 248), (38, 34, 40)
_PADDING_MM = 1.5  # mm of replicated border around each chart, against bleeding in texture filtering


class Chart:
    """A UV chart: a rectangle of the texture, in millimetres from its upper left corner."""

    def __init__(self, size: Point, scale: float, background: Color) -> None:
        """`size`: width and height in mm. `scale`: pixels per mm."""
        self.size, self.scale = size, scale
        self.pixels = np.full((round(size[1] * scale), round(size[0] * scale), 3), background, dtype=np.uint8)

    def _at(self, *values: float) -> tuple[int, ...]:
        """Millimetres to OpenCV fixed-point pixels (4 fractional bits)."""
        return tuple(round((value * self.scale - 0.5) * 16) for value in values)

    def rectangle(self, x: float, y: float, width: float, height: float, color: Color) -> None:
        """Fill a rectangle; upper left corner and size, mm."""
        self.polygon([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], color)

    def polygon(self, points: list[Point], color: Color) -> None:
        """Fill a polygon; corners, mm."""
        import cv2

        corners = np.array([self._at(*point) for point in points], dtype=np.int32)
        cv2.fillPoly(self.pixels, [corners], color, cv2.LINE_AA, 4)

    def disc(self, center: Point, radius: float, color: Color) -> None:
        """Fill a circle; centre and radius, mm."""
        import cv2

        cv2.circle(self.pixels, self._at(*center), round(radius * self.scale * 16), color, -1, cv2.LINE_AA, 4)

    def text(self, string: str, baseline: Point, height: float, color: Color, bold: float = 0.16) -> None:
        """Draw text from the left end of its baseline; capitals are `height` mm high, strokes `bold` of that."""
        import cv2

        font, pixels = cv2.FONT_HERSHEY_SIMPLEX, height * self.scale
        origin = (round(baseline[0] * self.scale), round(baseline[1] * self.scale))
        cv2.putText(self.pixels, string, origin, font, pixels / 21.0, color, max(1, round(pixels * bold)), cv2.LINE_AA)

    def barcode(self, x: float, y: float, width: float, height: float, seed: int) -> None:
        """Draw a barcode with random bars."""
        self.rectangle(x, y, width, height, _BARCODE_PAPER)
        edges = np.cumsum(np.random.default_rng(seed).integers(1, 4, size=40)).astype(float)
        edges = x + 2 + edges / edges[-1] * (width - 4)
        for left, right in zip(edges[::2], edges[1::2], strict=True):
            self.rectangle(float(left), y + 1.5, float(right - left), height - 3, _BARCODE_INK)

    def star(self, center: Point, radius: float, color: Color, points: int = 5) -> None:
        """Fill a star; centre and outer radius, mm."""
        angles = np.arange(2 * points) * np.pi / points - np.pi / 2
        radii = np.where(np.arange(2 * points) % 2 == 0, radius, 0.45 * radius)
        corners = [(center[0] + r * np.cos(a), center[1] + r * np.sin(a)) for r, a in zip(radii, angles, strict=True)]
        self.polygon(corners, color)


class Atlas:
    """A texture atlas: charts packed into one texture."""

    def __init__(self, width: int, height: int, scale: float) -> None:
        self.texture = np.full((height, width, 3), 128, dtype=np.uint8)
        self.scale = scale
        self._cursor, self._row = (0, 0), 0

    def add(self, chart: Chart) -> Callable[[Array], Array]:
        """Add a chart; returns the map from (N, 2) mm on it (x right, y down) to texture coordinates (v up)."""
        import cv2

        border = round(_PADDING_MM * self.scale)
        padded = cv2.copyMakeBorder(chart.pixels, *(border,) * 4, borderType=cv2.BORDER_REPLICATE)
        height, width = padded.shape[:2]
        if self._cursor[0] + width > self.texture.shape[1]:
            self._cursor = (0, self._row)
        x, y = self._cursor
        self.texture[y : y + height, x : x + width] = padded
        self._cursor, self._row = (x + width, y), max(self._row, y + height)
        size = np.array([self.texture.shape[1], self.texture.shape[0]])
        corner, scale = np.array([x + border, y + border]), self.scale

        def to_uv(points_mm: Array) -> Array:
            return (corner + points_mm * scale) / size * [1, -1] + [0, 1]

        return to_uv
