"""Intrinsics and distortion from images of a target, by OpenCV (Zhang 2000), with a judgement of the images."""

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

_FEWEST, _FEW, _POINTS = 3, 10, 6
_OUTLIER, _OUTLIER_FROM = 3.0, 0.3  # times the median error, and pixels
_CELLS = 8  # the image is cut into 8 x 8 cells to judge how much of it was covered
_COVERED, _TILT_DEG, _FOCAL_SHARE, _ERROR_PX = 0.5, 15.0, 0.01, 1.0


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
    """Intrinsics and how good they are.

    Attributes:
        camera: the result. error: root mean square reprojection error of the images used, pixels.
        sigma: (4,) standard deviations of fx, fy, cx, cy in pixels. coverage: share of the image's 8 x 8 cells in
        which points of the target were seen.
    """

    camera: Camera
    error: float
    sigma: Array
    coverage: float
    images: tuple[CalibrationImage, ...]
    warnings: tuple[str, ...] = ()


def calibrate_camera(detections: Sequence[Detection], lens: str = "radtan4", drop: bool = True) -> CameraCalibration:
    """Intrinsics from three images or more.

    Args:
        lens: none; radtan4 = k1 k2 p1 p2; radtan5 = and k3; rational = and k4 k5 k6 (wide lenses, many images).
        drop: leave out images whose error is out of line.
    Raises:
        InputError: too few images, different sizes, or numbers that are no camera.
    """
    enough = [entry for entry in detections if len(entry.ids) >= _POINTS]
    sizes = {entry.size for entry in detections}
    if len(sizes) > 1:
        raise CalibrationError("calibrate camera", f"images of {len(sizes)} sizes: {sorted(sizes)}",
                               "one camera, one size")
    if len(enough) < _FEWEST:
        raise CalibrationError("calibrate camera", f"{len(enough)} images with {_POINTS} points or more",
                               f"{_FEWEST} at the very least, better 20; a single tag has too few points")
    keep = list(range(len(enough)))
    while True:
        found = _solve([enough[i] for i in keep], lens)
        limit = max(_OUTLIER * float(np.median(found.errors)), _OUTLIER_FROM)
        if not drop or found.errors.max() <= limit or len(keep) <= max(_FEWEST, len(enough) // 2):
            break
        del keep[int(found.errors.argmax())]
    calibration = CameraCalibration(found.camera, found.error, found.sigma,
                                    _coverage([enough[i] for i in keep]), _images(enough, keep, found))
    return replace(calibration, warnings=tuple(_warnings(calibration)))


@dataclass(frozen=True)
class _Found:
    camera: Camera
    error: float
    errors: Array
    sigma: Array
    tilts: Array


def _solve(detections: list[Detection], lens: str) -> _Found:
    import cv2

    flags = {"none": cv2.CALIB_FIX_K1 | cv2.CALIB_FIX_K2 | cv2.CALIB_FIX_K3 | cv2.CALIB_ZERO_TANGENT_DIST,
             "radtan4": cv2.CALIB_FIX_K3, "radtan5": 0, "rational": cv2.CALIB_RATIONAL_MODEL}[lens]
    count = {"none": 0, "radtan4": 4, "radtan5": 5, "rational": 8}[lens]
    points = [entry.points.astype(np.float32) for entry in detections]
    pixels = [entry.pixels.astype(np.float32) for entry in detections]
    nothing: Any = None
    try:
        error, K, distortion, turns, _, sigma, _, errors = cv2.calibrateCameraExtended(
            points, pixels, detections[0].size, nothing, nothing, flags=flags)
        camera = Camera(np.asarray(K, dtype=float), *detections[0].size,
                        np.asarray(distortion, dtype=float).ravel()[:count])
    except cv2.error as problem:
        raise InconclusiveError("calibrate camera", "OpenCV finds no camera for these images",
                                f"other views of the target ({' '.join(str(problem).split())[-80:]})") from None
    normals = rotation_from_vector(np.stack(turns).reshape(-1, 3))[:, 2, 2]
    return _Found(camera, float(error), np.asarray(errors, dtype=float).ravel(),
                  np.asarray(sigma, dtype=float).ravel()[:4], np.degrees(np.arccos(np.clip(np.abs(normals), 0, 1))))


def _images(detections: list[Detection], keep: list[int], found: _Found) -> tuple[CalibrationImage, ...]:
    """All images; those left out are judged by the camera that was found without them."""
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

    turn: Any = cv2.Rodrigues(pose[:3, :3])[0]
    seen = cv2.projectPoints(detection.points, turn, pose[:3, 3], camera.K,
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
        yield f"left out for their error: {', '.join(dropped)}"
    if len(used) < _FEW:
        yield f"only {len(used)} images used: take {_FEW} or more, better 20"
    if (tilts > _TILT_DEG).sum() < 3:
        yield (f"the target is seen from the front nearly always ({int((tilts > _TILT_DEG).sum())} images tilted by "
               f"more than {_TILT_DEG:.0f} degrees), so the focal length is weak; tilt it by 30 to 45 degrees")
    if found.coverage < _COVERED:
        yield (f"the target was seen in {found.coverage:.0%} of the image only: bring it into the corners, where the "
               "distortion is")
    if found.sigma[:2].max() > _FOCAL_SHARE * found.camera.K[0, 0]:
        yield f"the focal length is known to {found.sigma[:2].max():.1f} pixels only (one sigma)"
    if found.error > _ERROR_PX:
        yield (f"a reprojection error of {found.error:.2f} pixels is large: a flat board? sharp images? the right "
               "--target?")
