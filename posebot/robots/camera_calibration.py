"""Intrinsics and distortion from images of a target by OpenCV (Zhang, 2000), with quality checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from posebot.core.camera import Camera
from posebot.core.errors import CalibrationError, InconclusiveError
from posebot.core.transforms import Array, rotation_from_vector
from posebot.robots.target_detection import Detection
from posebot.robots.views import planar_target_pose

_MIN_IMAGES, _RECOMMENDED_IMAGES, _MIN_POINTS = 3, 10, 6
_OUTLIER_RATIO, _OUTLIER_MIN_PX = 3.0, 0.3  # times the median error
_CELLS = 8  # coverage is measured on 8 x 8 cells of the image
_MIN_COVERAGE, _MIN_TILT_DEG, _MAX_FOCAL_SIGMA, _MAX_ERROR_PX = 0.5, 15.0, 0.01, 1.0


@dataclass(frozen=True)
class CalibrationImage:
    """One image: its reprojection error (root mean square, pixels), the angle in degrees between the target's normal
    and the viewing direction, and whether it was used."""

    name: str
    error: float
    tilt_deg: float
    used: bool


@dataclass(frozen=True)
class CameraCalibration:
    """Intrinsics and their quality.

    Attributes:
        camera: the result. error: root mean square reprojection error of the used images, pixels.
        sigma: (4,) standard deviations of fx, fy, cx, cy in pixels. coverage: share of the image's 8 x 8 cells in
        which points of the target were detected.
    """

    camera: Camera
    error: float
    sigma: Array
    coverage: float
    images: tuple[CalibrationImage, ...]
    warnings: tuple[str, ...] = ()


def calibrate_camera(detections: Sequence[Detection], distortion: str = "radtan4",
                     reject_outliers: bool = True) -> CameraCalibration:
    """Intrinsics from three images or more.

    Args:
        distortion: model: none; radtan4 = k1 k2 p1 p2; radtan5 = radtan4 + k3; rational = radtan5 + k4 k5 k6 (wide
            lenses, many images). reject_outliers: leave out images with an outlying error.
    Raises:
        InputError: too few images, different sizes, or no solution.
    """
    usable = [entry for entry in detections if len(entry.ids) >= _MIN_POINTS]
    sizes = {entry.size for entry in detections}
    if len(sizes) > 1:
        raise CalibrationError("calibrate camera", f"images of {len(sizes)} sizes: {sorted(sizes)}",
                               "one camera, one size")
    if len(usable) < _MIN_IMAGES:
        raise CalibrationError("calibrate camera", f"{len(usable)} images with {_MIN_POINTS} points or more",
                               f"{_MIN_IMAGES} or more, 20 are recommended; a single tag has too few points")
    keep = list(range(len(usable)))
    while True:
        found = _solve([usable[i] for i in keep], distortion)
        limit = max(_OUTLIER_RATIO * float(np.median(found.errors)), _OUTLIER_MIN_PX)
        if not reject_outliers or found.errors.max() <= limit or len(keep) <= max(_MIN_IMAGES, len(usable) // 2):
            break
        del keep[int(found.errors.argmax())]
    calibration = CameraCalibration(found.camera, found.error, found.sigma,
                                    _coverage([usable[i] for i in keep]), _images(usable, keep, found))
    return replace(calibration, warnings=tuple(_warnings(calibration)))


@dataclass(frozen=True)
class _Solution:
    camera: Camera
    error: float
    errors: Array
    sigma: Array
    tilts: Array


def _solve(detections: list[Detection], model: str) -> _Solution:
    import cv2

    flags = {"none": cv2.CALIB_FIX_K1 | cv2.CALIB_FIX_K2 | cv2.CALIB_FIX_K3 | cv2.CALIB_ZERO_TANGENT_DIST,
             "radtan4": cv2.CALIB_FIX_K3, "radtan5": 0, "rational": cv2.CALIB_RATIONAL_MODEL}[model]
    count = {"none": 0, "radtan4": 4, "radtan5": 5, "rational": 8}[model]
    points = [entry.points.astype(np.float32) for entry in detections]
    pixels = [entry.pixels.astype(np.float32) for entry in detections]
    unset: Any = None
    try:
        error, K, distortion, rotations, _, sigma, _, errors = cv2.calibrateCameraExtended(
            points, pixels, detections[0].size, unset, unset, flags=flags)
        camera = Camera(np.asarray(K, dtype=float), *detections[0].size,
                        np.asarray(distortion, dtype=float).ravel()[:count])
    except cv2.error as problem:
        raise InconclusiveError("calibrate camera", "OpenCV finds no solution for these images",
                                f"other views of the target ({' '.join(str(problem).split())[-80:]})") from None
    normals = rotation_from_vector(np.stack(rotations).reshape(-1, 3))[:, 2, 2]
    return _Solution(camera, float(error), np.asarray(errors, dtype=float).ravel(),
                  np.asarray(sigma, dtype=float).ravel()[:4], np.degrees(np.arccos(np.clip(np.abs(normals), 0, 1))))


def _images(detections: list[Detection], keep: list[int], found: _Solution) -> tuple[CalibrationImage, ...]:
    """All images; errors of outliers are those of the camera estimated without them."""
    used = {index: (error, tilt) for index, error, tilt in zip(keep, found.errors, found.tilts)}
    entries = []
    for i, detection in enumerate(detections):
        if i in used:
            error, tilt = used[i]
        else:
            pose = planar_target_pose(detection.points, detection.pixels, found.camera)
            error = np.inf if pose is None else _error(detection, pose, found.camera)
            tilt = 0.0 if pose is None else np.degrees(np.arccos(min(abs(pose[2, 2]), 1.0)))
        entries.append(CalibrationImage(detection.name, float(min(error, 1e6)), float(tilt), i in used))
    return tuple(entries)


def _error(detection: Detection, pose: Array, camera: Camera) -> float:
    import cv2

    rotation: Any = cv2.Rodrigues(pose[:3, :3])[0]
    seen = cv2.projectPoints(detection.points, rotation, pose[:3, 3], camera.K,
                             camera.distortion if camera.distortion.size else None)[0].reshape(-1, 2)
    return float(np.sqrt(((seen - detection.pixels) ** 2).sum(axis=1).mean()))


def _coverage(detections: list[Detection]) -> float:
    pixels = np.concatenate([entry.pixels for entry in detections])
    cells = np.clip((pixels + 0.5) / detections[0].size * _CELLS, 0, _CELLS - 1).astype(int)
    return len(np.unique(cells, axis=0)) / _CELLS**2


def _warnings(found: CameraCalibration) -> Iterator[str]:
    used = [image for image in found.images if image.used]
    dropped = [image.name for image in found.images if not image.used]
    tilts = np.array([image.tilt_deg for image in used])
    if dropped:
        yield f"outliers, left out: {', '.join(dropped)}"
    if len(used) < _RECOMMENDED_IMAGES:
        yield f"only {len(used)} images used: take {_RECOMMENDED_IMAGES} or more, 20 are recommended"
    if (tilts > _MIN_TILT_DEG).sum() < 3:
        yield (f"the target is nearly frontal in most images ({int((tilts > _MIN_TILT_DEG).sum())} images tilted by "
               f"more than {_MIN_TILT_DEG:.0f} degrees), so the focal length is uncertain; tilt it by 30 to 45 degrees")
    if found.coverage < _MIN_COVERAGE:
        yield (f"the target covers only {found.coverage:.0%} of the image: move it into the corners, where "
               "distortion is largest")
    if found.sigma[:2].max() > _MAX_FOCAL_SIGMA * found.camera.K[0, 0]:
        yield f"the standard deviation of the focal length is {found.sigma[:2].max():.1f} pixels"
    if found.error > _MAX_ERROR_PX:
        yield (f"a reprojection error of {found.error:.2f} pixels is large: check that the board is flat, the "
               "images are sharp and --target is right")
