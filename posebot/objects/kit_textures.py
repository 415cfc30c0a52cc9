"""Textures of the kit's box and can. Every side differs, so that the texture makes the pose unambiguous.

Drawn in millimetres on UV charts, packed into one texture atlas.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from posebot.core.transforms import Array

Color = tuple[int, int, int]
Point = tuple[float, float]
CREAM, INK, GREEN, LEAF, RED, GOLD, WHITE, STEEL, BLUE = (
    (243, 234, 208), (38, 34, 40), (24, 92, 66), (120, 172, 74), (196, 40, 36), (230, 176, 46), (250, 250, 248),
    (176, 180, 184), (30, 62, 128))
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
        self.rectangle(x, y, width, height, WHITE)
        edges = np.cumsum(np.random.default_rng(seed).integers(1, 4, size=40)).astype(float)
        edges = x + 2 + edges / edges[-1] * (width - 4)
        for left, right in zip(edges[::2], edges[1::2], strict=True):
            self.rectangle(float(left), y + 1.5, float(right - left), height - 3, INK)

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


def box_sides(size: tuple[float, float, float], scale: float) -> list[Chart]:
    """The six sides of the tea box, in the order +x, -x, +y, -y, +z, -z."""
    x, y, z = size
    drawers = (_box_front, _box_back, _box_right, _box_left, _box_top, _box_bottom)
    sizes = ((y, z), (y, z), (x, z), (x, z), (x, y), (x, y))
    charts = []
    for drawer, side in zip(drawers, sizes, strict=True):
        chart = Chart(side, scale, CREAM)
        drawer(chart)
        charts.append(chart)
    return charts


def _box_front(chart: Chart) -> None:
    width, height = chart.size
    chart.rectangle(0, 0, width, 44, GREEN)
    chart.text("POSE", (10, 22), 15, WHITE)
    chart.text("BOT", (34, 39), 13, GOLD)
    for i, (x, y) in enumerate(((26, 78), (48, 72), (68, 84))):
        chart.polygon([(x, y - 22), (x + 12, y), (x, y + 20), (x - 12, y)], LEAF if i != 1 else GREEN)
        chart.polygon([(x - 0.7, y - 18), (x + 0.7, y - 18), (x + 0.7, y + 26), (x - 0.7, y + 26)], INK)
    chart.text("GREEN TEA", (12, height - 12), 9, RED)
    chart.rectangle(0, height - 6, width, 6, GOLD)


def _box_back(chart: Chart) -> None:
    width, height = chart.size
    chart.rectangle(6, 8, width - 12, 14, RED)
    chart.text("HOW TO BREW", (10, 18.5), 7, WHITE)
    for line, string in enumerate(("1  BOIL 300 ml", "2  WAIT 2 MIN", "3  ONE BAG", "4  STEEP 3 MIN", "5  ENJOY")):
        chart.text(string, (10, 36 + 13 * line), 6, INK, 0.12)
    chart.disc((70, 98), 14, GOLD)
    chart.text("6D", (61.5, 102), 9, INK)
    chart.barcode(8, height - 34, 44, 24, seed=1)
    chart.rectangle(0, height - 6, width, 6, GREEN)


def _box_right(chart: Chart) -> None:
    width, height = chart.size
    chart.rectangle(0, 0, width, height, GREEN)
    for index, color in enumerate((GOLD, CREAM, RED)):
        chart.disc((width / 2, 36 + 34 * index), 15 - 2 * index, color)
        chart.text(str(index + 1), (width / 2 - 4, 41 + 34 * index), 10, INK)
    chart.text("RIGHT", (9, height - 10), 9, WHITE)


def _box_left(chart: Chart) -> None:
    width, height = chart.size
    for index in range(7):
        chart.polygon([(0, 20 * index), (width, 20 * index - 24), (width, 20 * index - 14), (0, 20 * index + 10)], LEAF)
    chart.rectangle(10, 42, width - 20, 48, WHITE)
    chart.text("20", (13, 66), 20, RED)
    chart.text("BAGS", (14, 84), 10, INK)
    chart.rectangle(0, height - 10, width, 10, BLUE)


def _box_top(chart: Chart) -> None:
    width, height = chart.size
    chart.star((width / 2, 34), 24, RED)
    chart.polygon([(width / 2, 62), (width / 2 + 14, 78), (width / 2 - 14, 78)], GREEN)
    chart.text("OPEN", (17, height - 3), 7, INK)


def _box_bottom(chart: Chart) -> None:
    width, height = chart.size
    chart.rectangle(0, 0, width / 2, height, STEEL)
    chart.barcode(8, 10, width - 16, 26, seed=2)
    chart.text("LOT 47", (8, 54), 8, INK)
    chart.text("2031", (26, 78), 10, RED)


def can_label(length: float, height: float, scale: float) -> Chart:
    """The unrolled side of the can: `length` (circumference) and `height` from rim to rim, mm."""
    chart = Chart((length, height), scale, STEEL)
    chart.rectangle(0, 5, length, height - 10, RED)
    chart.rectangle(0, height - 26, length, 21, INK)
    _can_front(chart, 4.0)
    _can_back(chart, 0.54 * length)
    return chart


def _can_front(chart: Chart, x: float) -> None:
    chart.disc((x + 40, 44), 30, WHITE)
    chart.disc((x + 40, 46), 21, (214, 62, 40))
    chart.star((x + 40, 27), 12, LEAF)
    chart.disc((x + 33, 41), 4.5, (240, 130, 110))
    chart.text("TOMATO", (x + 8, 92), 10, GOLD)
    chart.text("No1", (x + 76, 40), 11, WHITE)
    chart.polygon([(x + 78, 50), (x + 100, 58), (x + 78, 66)], GOLD)


def _can_back(chart: Chart, x: float) -> None:
    chart.rectangle(x, 14, 48, 56, CREAM)
    for line, string in enumerate(("PEELED", "IN JUICE", "400 g", "KEEP DRY")):
        chart.text(string, (x + 4, 26 + 12 * line), 5.5, INK, 0.13)
    chart.barcode(x + 58, 12, 28, 40, seed=3)
    chart.text("POSEBOT", (x + 4, 92), 9, WHITE)
    chart.disc((x + 70, 64), 7, GREEN)


def can_lid(diameter: float, scale: float) -> Chart:
    """The lid: steel with a pull tab that breaks the symmetry."""
    chart, middle = Chart((diameter, diameter), scale, STEEL), diameter / 2
    for radius, color in ((24, (150, 154, 158)), (22.5, (190, 194, 198))):
        chart.disc((middle, middle), radius, color)
    chart.rectangle(middle - 3, middle - 18, 6, 22, (96, 100, 104))
    chart.disc((middle, middle - 17), 7, (96, 100, 104))
    chart.disc((middle, middle - 17), 4, STEEL)
    chart.disc((middle, middle + 4), 3, INK)
    return chart


def can_bottom(diameter: float, scale: float) -> Chart:
    """The bottom: a date, and one half blue."""
    chart, middle = Chart((diameter, diameter), scale, STEEL), diameter / 2
    chart.rectangle(0, 0, diameter, middle - 6, BLUE)
    chart.text("EXP 2031", (middle - 21, middle + 6), 6.5, INK)
    chart.text("A7", (middle - 6, middle + 19), 8, RED)
    return chart
