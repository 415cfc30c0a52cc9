"""Targets as black and white shapes and as raster images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posebot.core.errors import InputError
from posebot.core.transforms import Array
from posebot.robots.targets import Target


@dataclass(frozen=True)
class TargetShapes:
    """Black shapes in the target's frame, metres. rectangles: (N, 4) x, y, width, height. circles: (N, 3) x, y, radius.
    white: (N, 4) rectangles on top of the black ones. box: (4,) bounding box, x, y, width, height."""

    rectangles: Array
    circles: Array
    white: Array
    box: Array


def target_shapes(target: Target) -> TargetShapes:
    """Shapes of a target. A symmetric circle grid gets a larger first circle that marks the origin."""
    none = np.zeros((0, 4))
    if target.kind in ("circles", "acircles"):
        radius = target.pitch * (0.25 if target.kind == "circles" else 0.6)
        circles = np.column_stack([target.points()[:, :2], np.full(len(target.points()), radius)])
        if target.kind == "circles":
            circles[0, 2] = 1.6 * radius
        low, high = (circles[:, :2] - radius * 1.6).min(axis=0), (circles[:, :2] + radius * 1.6).max(axis=0)
        return TargetShapes(none, circles, none, np.concatenate([low, high - low]))
    black, white, box = {"chessboard": _chessboard, "charuco": _charuco}.get(target.kind, _markers)(target)
    return TargetShapes(black, np.zeros((0, 3)), white, box)


def rasterize(drawing: TargetShapes, pixels_per_metre: float, margin: float = 0.0) -> Array:
    """Grey image (H, W), 0..255, of the shapes with a white margin (metres); pixel (0, 0) starts at box - margin."""
    import cv2

    width, height = np.ceil((drawing.box[2:] + 2 * margin) * pixels_per_metre).astype(int)
    image = np.full((height, width), 255, np.uint8)
    origin = drawing.box[:2] - margin
    for shapes, shade in ((drawing.rectangles, 0), (drawing.white, 255)):
        for x, y, w, h in shapes:
            x0, y0 = np.round((np.array([x, y]) - origin) * pixels_per_metre).astype(int)
            x1, y1 = np.round((np.array([x + w, y + h]) - origin) * pixels_per_metre).astype(int)
            image[y0:y1, x0:x1] = shade
    for x, y, radius in drawing.circles:
        center = np.round(((np.array([x, y]) - origin) * pixels_per_metre - 0.5) * 256).astype(int)
        cv2.circle(image, (int(center[0]), int(center[1])), round(radius * pixels_per_metre * 256), (0,), -1,
                   cv2.LINE_AA, 8)
    return image.astype(float)


def _chessboard(target: Target) -> tuple[Array, Array, Array]:
    """The square inside the first corner is black, as expected by `robots.target_detection`."""
    return (_squares(target.columns + 1, target.rows + 1, target.pitch, 0) - [target.pitch, target.pitch, 0, 0],
            np.zeros((0, 4)), np.array([-1, -1, target.columns + 1, target.rows + 1]) * target.pitch)


def _charuco(target: Target) -> tuple[Array, Array, Array]:
    parity = int(target.legacy and target.rows % 2 == 0)
    squares = _squares(target.columns, target.rows, target.pitch, parity)
    inset, number = (target.pitch - target.marker) / 2, 0
    blacks: list[Array] = [squares]
    whites: list[Array] = []
    for row in range(target.rows):
        for column in range(target.columns):
            if (row + column) % 2 != parity:
                corner = np.array([column, row]) * target.pitch + inset
                black, white = _marker(target, number, corner)
                number += 1
                blacks.append(black)
                whites.append(white)
    box = np.array([0, 0, target.columns, target.rows]) * target.pitch
    return np.concatenate(blacks), np.concatenate(whites), box


def _markers(target: Target) -> tuple[Array, Array, Array]:
    single = target.kind != "markers"
    numbers = [target.marker_id or 0] if single else list(range(target.columns * target.rows))
    corners = [target.points()[0 if single else 4 * number, :2] for number in numbers]
    parts = [_marker(target, number, corner) for number, corner in zip(numbers, corners)]
    low, high = target.points()[:, :2].min(axis=0), target.points()[:, :2].max(axis=0)
    return (np.concatenate([black for black, _ in parts]), np.concatenate([white for _, white in parts]),
            np.concatenate([low, high - low]))


def _marker(target: Target, number: int, corner: Array) -> tuple[Array, Array]:
    """A black square (1, 4) and the white cells (N, 4) in it."""
    import cv2

    dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, target.dictionary))
    cells = int(dictionary.markerSize) + 2
    if number >= len(dictionary.bytesList):
        raise InputError(f"--target ...:{target.dictionary}", f"has no marker {number}",
                         f"{len(dictionary.bytesList)} markers available; use a larger dictionary")
    image = cv2.aruco.generateImageMarker(dictionary, number, cells)
    side = target.marker / cells
    rows, columns = np.nonzero(image)
    white = np.column_stack([corner[0] + columns * side, corner[1] + rows * side, np.full((len(rows), 2), side)])
    return np.array([[*corner, target.marker, target.marker]]), white


def _squares(columns: int, rows: int, side: float, parity: int) -> Array:
    """The black squares (N, 4) of a board whose upper left one is black for parity 0."""
    y, x = np.nonzero((np.add.outer(np.arange(rows), np.arange(columns)) % 2) == parity)
    return np.column_stack([x * side, y * side, np.full((len(x), 2), side)])
