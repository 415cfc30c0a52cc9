"""Textures of the kit's box and can. Every side differs, so that the texture makes the pose unambiguous.

Drawn in millimetres on UV charts (`texture_atlas.py`).
"""

from __future__ import annotations

from posebot.objects.texture_atlas import Chart

CREAM, INK, GREEN, LEAF, RED, GOLD, WHITE, STEEL, BLUE = (
    (243, 234, 208), (38, 34, 40), (24, 92, 66), (120, 172, 74), (196, 40, 36), (230, 176, 46), (250, 250, 248),
    (176, 180, 184), (30, 62, 128))


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
