"""Detection of calibration targets in images by OpenCV."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import TargetError
from posebot.core.transforms import Array
from posebot.robots.targets import Target

Gray = NDArray[np.uint8]
_ORIGIN_SIZE_RATIO = 1.25  # the circle at the origin is larger than its neighbours by this factor
_MIN_CORNERS = 6  # of a ChArUco board; fewer give an uncertain pose


@dataclass(frozen=True)
class Detection:
    """A target's points in one image.

    Attributes:
        name: the image. ids: (N,) index into `Target.points()`. points: (N, 3) metres, target frame.
        pixels: (N, 2). size: (width, height) of the image.
        rotations: number of rotations of the target that look the same, so that the ids are ambiguous.
    """

    name: str
    ids: NDArray[np.intp]
    points: Array
    pixels: Array
    size: tuple[int, int]
    rotations: int = 1


def make_target_detector(target: Target) -> Callable[[NDArray[np.uint8], str], Detection | None]:
    """A function from an image (uint8, (H, W) or (H, W, 3)) and its name to a detection, or None if not found.

    It raises InputError if several tags are visible and the target does not name one.
    """
    search = _DETECTORS[target.kind](target)
    points = target.points()

    def find(image: NDArray[np.uint8], name: str) -> Detection | None:
        gray = image if image.ndim == 2 else np.ascontiguousarray(image @ np.array([0.299, 0.587, 0.114])
                                                                      ).round().astype(np.uint8)
        found = search(gray, name)
        if found is None:
            return None
        ids, pixels, rotations = found
        return Detection(name, ids, points[ids], pixels, (gray.shape[1], gray.shape[0]), rotations)

    return find


def rotate_detection(detection: Detection, target: Target, turn: int) -> Detection:
    """The same image with the target rotated by `turn` of its `rotations` steps. Complete grids only."""
    grid = detection.pixels.reshape(target.rows, target.columns, 2)
    quarter_turns = turn * 4 // max(detection.rotations, 1)
    return replace(detection, pixels=np.rot90(grid, quarter_turns).reshape(-1, 2).copy())


_Found = tuple[NDArray[np.intp], Array, int] | None
_Search = Callable[[Gray, str], _Found]


def _aruco_parameters() -> Any:
    import cv2

    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    return parameters


def _dictionary(target: Target) -> Any:
    import cv2

    return cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, target.dictionary))


def _charuco(target: Target) -> _Search:
    import cv2

    size = (target.columns, target.rows)
    board = cv2.aruco.CharucoBoard(size, float(target.pitch), float(target.marker), _dictionary(target))
    board.setLegacyPattern(target.legacy)
    detector = cv2.aruco.CharucoDetector(board)
    detector.setDetectorParameters(_aruco_parameters())

    def search(gray: Gray, name: str) -> _Found:
        corners, ids, _, _ = detector.detectBoard(gray)
        if ids is None or len(ids) < _MIN_CORNERS or _collinear(corners.reshape(-1, 2).astype(float)):
            return None
        return ids.ravel().astype(np.intp), corners.reshape(-1, 2).astype(float), 1

    return search


def _markers(target: Target) -> _Search:
    import cv2

    detector = cv2.aruco.ArucoDetector(_dictionary(target), _aruco_parameters())
    single, count = target.kind != "markers", target.columns * target.rows

    def search(gray: Gray, name: str) -> _Found:
        corners, ids, _ = detector.detectMarkers(gray)
        if ids is None:
            return None
        numbers, quads = ids.ravel(), np.array(corners, dtype=float).reshape(-1, 4, 2)
        if single and target.marker_id is None and len(numbers) > 1:
            raise TargetError(name, f"shows several tags: {sorted(numbers.tolist())}",
                              "name one in --target, such as :id0")
        wanted = numbers < count if not single else numbers == (numbers[0] if target.marker_id is None
                                                                else target.marker_id)
        if not wanted.any():
            return None
        first = np.zeros_like(numbers) if single else 4 * numbers
        picked = first[wanted][:, None] + np.arange(4)
        return picked.ravel().astype(np.intp), quads[wanted].reshape(-1, 2), 1

    return search


def _chessboard(target: Target) -> _Search:
    import cv2

    flags = cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_ACCURACY | cv2.CALIB_CB_NORMALIZE_IMAGE

    def search(gray: Gray, name: str) -> _Found:
        found, corners = cv2.findChessboardCornersSB(gray, (target.columns, target.rows), flags=flags)
        if not found:
            return None
        grid = _right_handed(corners.reshape(target.rows, target.columns, 2).astype(float))
        if target.rotations == 1 and _mean_brightness(gray, grid) > _mean_brightness(gray, grid[::-1, ::-1]):
            grid = grid[::-1, ::-1]  # the square inside the first corner is black
        return np.arange(grid.size // 2), grid.reshape(-1, 2).copy(), target.rotations

    return search


def _circles(target: Target) -> _Search:
    cv2: Any = import_module("cv2")  # its stubs lack the blob detector
    layout = cv2.CALIB_CB_SYMMETRIC_GRID if target.kind == "circles" else cv2.CALIB_CB_ASYMMETRIC_GRID
    size = (target.columns, target.rows)

    def search(gray: Gray, name: str) -> _Found:
        blobs = cv2.SimpleBlobDetector_create(_blob_parameters(gray.size))
        for flags in (layout, layout | cv2.CALIB_CB_CLUSTERING):
            found, centers = cv2.findCirclesGrid(gray, size, flags=flags, blobDetector=blobs)
            if found:
                break
        else:
            return None
        grid = centers.reshape(target.rows, target.columns, 2).astype(float)
        rotations = target.rotations
        if target.kind == "circles":
            grid = _right_handed(grid)
            grid, rotations = _rotate_to_origin(grid, blobs.detect(gray), rotations)
        return np.arange(grid.size // 2), grid.reshape(-1, 2).copy(), rotations

    return search


def _blob_parameters(pixels: int) -> Any:
    cv2: Any = import_module("cv2")
    parameters = cv2.SimpleBlobDetector_Params()
    parameters.minThreshold, parameters.maxThreshold, parameters.thresholdStep = 20, 220, 10
    parameters.minArea, parameters.maxArea = 20, pixels / 60
    parameters.minDistBetweenBlobs = 5
    parameters.filterByInertia, parameters.minConvexity = False, 0.9
    return parameters


def _rotate_to_origin(grid: Array, blobs: Any, rotations: int) -> tuple[Array, int]:
    """The grid rotated so that its first circle is the larger one that marks the origin, if there is one."""
    centers = np.array([blob.pt for blob in blobs])
    sizes = np.array([blob.size for blob in blobs])
    for quarter_turns in range(0, 4, 4 // rotations):
        rotated = np.rot90(grid, quarter_turns)
        near = [int(np.argmin(np.linalg.norm(centers - rotated[at], axis=1))) for at in ((0, 0), (0, 1), (1, 0))]
        if sizes[near[0]] > _ORIGIN_SIZE_RATIO * sizes[near[1:]].max():
            return rotated, 1
    return grid, rotations


def _right_handed(grid: Array) -> Array:
    """The grid, mirrored if necessary, so that x is right and y down when seen from the front."""
    across, down = grid[0, -1] - grid[0, 0], grid[-1, 0] - grid[0, 0]
    return grid if across[0] * down[1] - across[1] * down[0] > 0 else grid[:, ::-1]


def _mean_brightness(gray: Gray, grid: Array) -> float:
    """Mean brightness at the centre of the square between the first four corners."""
    middle = grid[:2, :2].reshape(4, 2).mean(axis=0)
    reach = np.linalg.norm(grid[0, 1] - grid[0, 0]) / 6
    low, high = np.maximum((middle - reach).astype(int), 0), (middle + reach).astype(int) + 1
    return float(gray[low[1]:high[1], low[0]:high[0]].mean())


def _collinear(pixels: Array) -> bool:
    spread = np.linalg.svd(pixels - pixels.mean(axis=0), compute_uv=False)
    return bool(spread[1] < 0.05 * spread[0])


_DETECTORS: dict[str, Callable[[Target], _Search]] = {
    "charuco": _charuco, "chessboard": _chessboard, "apriltag": _markers, "aruco": _markers, "markers": _markers,
    "circles": _circles, "acircles": _circles,
}
