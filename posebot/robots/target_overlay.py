"""Overlays of detected target points on images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import Camera
from posebot.core.transforms import Array, apply
from posebot.robots.target_detection import Detection

_DETECTED, _PREDICTED, _FIRST = (0, 200, 0), (255, 0, 200), (255, 140, 0)
_AXES = ((230, 40, 40), (40, 170, 40), (60, 90, 240))  # x red, y green, z blue
_FRACTION = 4  # bits of sub-pixel precision in OpenCV's drawing


def draw_detection(rgb: NDArray[np.uint8], detection: Detection | None, camera: Camera | None = None,
                   cam_from_target: Array | None = None, caption: str = "") -> NDArray[np.uint8]:
    """A copy of the image with the detected points as green circles, the first one orange, connected in order.

    With `cam_from_target` (the pose predicted by a calibration) also the predicted points as purple crosses, and the
    axes of the target.
    """
    import cv2

    image: Any = rgb.copy()
    radius = max(3, round(max(rgb.shape[:2]) / 160))
    if detection is not None:
        _line(image, detection.pixels)
        for k, pixel in enumerate(detection.pixels):
            cv2.circle(image, _fixed(pixel), radius << _FRACTION, _FIRST if k == 0 else _DETECTED, 1, cv2.LINE_AA,
                       _FRACTION)
    if detection is not None and camera is not None and cam_from_target is not None:
        for pixel in _project(detection.points, cam_from_target, camera):
            _cross(image, pixel, radius)
        reach = float(np.ptp(detection.points, axis=0).max()) / 3
        corners = _project(np.concatenate([np.zeros((1, 3)), np.eye(3) * reach]), cam_from_target, camera)
        for end, color in zip(corners[1:], _AXES):
            cv2.line(image, _fixed(corners[0]), _fixed(end), color, 2, cv2.LINE_AA, _FRACTION)
    for width, color in ((3, (0, 0, 0)), (1, (255, 255, 255))):
        cv2.putText(image, caption or ("" if detection else "target not found"), (8, 20), cv2.FONT_HERSHEY_SIMPLEX,
                    0.5, color, width, cv2.LINE_AA)
    return np.asarray(image, dtype=np.uint8)


def _project(points: Array, cam_from_target: Array, camera: Camera) -> Array:
    import cv2

    in_cam = apply(cam_from_target, points)
    in_cam[:, 2] = np.maximum(in_cam[:, 2], 1e-3)
    pixels = cv2.projectPoints(in_cam, np.zeros(3), np.zeros(3), camera.K,
                               camera.distortion if camera.distortion.size else None)[0]
    return np.clip(pixels.reshape(-1, 2).astype(float), -1e4, 1e4)


def _line(image: Any, pixels: Array) -> None:
    import cv2

    steps = np.round(pixels * (1 << _FRACTION)).astype(np.int32).reshape(1, -1, 2)
    cv2.polylines(image, [steps[0]], False, (120, 200, 255), 1, cv2.LINE_AA, _FRACTION)


def _cross(image: Any, pixel: Array, radius: int) -> None:
    import cv2

    for step in ([radius, 0], [0, radius]):
        cv2.line(image, _fixed(pixel - step), _fixed(pixel + step), _PREDICTED, 1, cv2.LINE_AA, _FRACTION)


def _fixed(pixel: Array) -> tuple[int, int]:
    return round(float(pixel[0]) * (1 << _FRACTION)), round(float(pixel[1]) * (1 << _FRACTION))
