"""A depth camera's errors: what makes exact depth look like a RealSense's.

    depth = sensor_depth(exact, K, np.random.default_rng(seed))      # float32 (H, W) metres, 0 = no reading

It has a shadow beside near edges (the second imager does not see there), holes on steep surfaces, flying pixels where
an edge is averaged, noise that is smooth over some pixels and grows with the square of the distance, a scale error of
the whole picture, steps of disparity, and range limits. Sizes follow Intel's white paper for the D400
series (subpixel RMS error = distance^2 * subpixel / (baseline * focal length)) and Keselman et al., "Intel RealSense
Stereoscopic Depth Cameras" (2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array


@dataclass(frozen=True)
class DepthNoise:
    """Attributes, D435-like by default.

    baseline: between the imagers, metres. subpixel: RMS error of the disparity, pixels. step: disparity's step, pixels.
    grain: pixels over which the noise is smooth. scale: relative error (1 sigma) of the whole picture.
    steep: cosine between surface and view under which readings begin to fail. holes: share of blotches without reading.
    flying: share of edge pixels that float between front and back. nearest, farthest: range, metres.
    """

    baseline: float = 0.05
    subpixel: float = 0.06
    step: float = 1 / 32
    grain: float = 2.5
    scale: float = 0.002
    steep: float = 0.25
    holes: float = 0.004
    flying: float = 0.35
    nearest: float = 0.17
    farthest: float = 6.0


def sensor_depth(depth: NDArray[np.float32], K: Array, rng: np.random.Generator, noise: DepthNoise | None = None
                 ) -> NDArray[np.float32]:
    """Exact depth (H, W), metres, 0 = nothing, as a sensor would read it. The same generator gives the same errors."""
    settings = noise or DepthNoise()
    seen = depth > 0
    shape = depth.shape
    read = _flying(depth, rng, settings.flying)
    focal_baseline = float(np.sqrt(K[0, 0] * K[1, 1])) * settings.baseline
    with np.errstate(divide="ignore", invalid="ignore"):
        disparity = focal_baseline / read
        disparity += _smooth(rng, shape, settings.grain) * settings.subpixel
        disparity = np.rint(disparity / settings.step) * settings.step if settings.step > 0 else disparity
        read = focal_baseline / disparity * (1 + rng.normal(0, settings.scale))
    valid = seen & np.isfinite(read) & (read > settings.nearest) & (read < settings.farthest)
    valid &= ~_shadow(depth, focal_baseline)
    valid &= _cosine(depth, K) > settings.steep * (1 + 0.5 * _smooth(rng, shape, 3.0))
    valid &= _smooth(rng, shape, 4.0) > -_quantile(settings.holes)
    return np.where(valid, read, 0).astype(np.float32)


def _smooth(rng: np.random.Generator, shape: tuple[int, ...], grain: float) -> NDArray[np.float32]:
    """Normal noise (H, W) of unit variance, smooth over about `grain` pixels."""
    import cv2

    small = [max(2, round(side / grain)) for side in shape]
    values = rng.standard_normal(small, dtype=np.float32)
    spread = cv2.resize(values, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(spread / max(float(spread.std()), 1e-6), dtype=np.float32)


def _flying(depth: NDArray[np.float32], rng: np.random.Generator, share: float) -> NDArray[np.float32]:
    """Some of the pixels at edges between near and far, put between the two."""
    import cv2

    kernel = np.ones((3, 3), np.uint8)
    far, near = cv2.dilate(depth, kernel), cv2.erode(depth, kernel)
    edge = (far - near > 0.02 + 0.02 * depth) & (near > 0) & (rng.random(depth.shape, dtype=np.float32) < share)
    weight = rng.random(depth.shape, dtype=np.float32)
    return np.where(edge, near + weight * (far - near), depth)


def _shadow(depth: NDArray[np.float32], focal_baseline: float) -> NDArray[np.bool_]:
    """Pixels hidden from the second imager, which stands to the right of the first: left of near edges.

    A point at u lands in the second picture at u - focal * baseline / z. Whoever lands left of where a point to its
    right already landed is hidden behind it.
    """
    columns = np.arange(depth.shape[1], dtype=np.float32)
    lands = np.where(depth > 0, columns - focal_baseline / np.maximum(depth, 0.05), np.inf)
    nearest_right = np.minimum.accumulate(lands[:, ::-1], axis=1)[:, ::-1]
    return lands > nearest_right + 1.0


def _cosine(depth: NDArray[np.float32], K: Array) -> NDArray[np.float32]:
    """Cosine (H, W) between the surface's normal and the viewing ray, from the slopes of depth."""
    import cv2

    slope_x = cv2.Sobel(depth, cv2.CV_32F, 1, 0, scale=1 / 8) * np.float32(K[0, 0])
    slope_y = cv2.Sobel(depth, cv2.CV_32F, 0, 1, scale=1 / 8) * np.float32(K[1, 1])
    return np.asarray(depth / np.sqrt(depth**2 + slope_x**2 + slope_y**2 + 1e-12), dtype=np.float32)


def _quantile(share: float) -> float:
    """z with P(normal < -z) = share."""
    from scipy.special import ndtri

    return -float(ndtri(min(max(share, 1e-9), 0.5)))
