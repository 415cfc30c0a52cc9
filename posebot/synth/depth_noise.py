"""Noise model of a stereo depth camera (RealSense D400).

    depth = simulate_depth_sensor(exact, K, np.random.default_rng(seed))      # float32 (H, W) metres, 0 = no reading

Models the occlusion shadow of the second imager, missing readings on steep surfaces, flying pixels at edges, spatially
correlated disparity noise (so that depth noise grows with the square of the distance), a global scale error, disparity
quantisation and range limits. Magnitudes follow Intel's white paper on the D400 series (RMS error = distance^2 *
subpixel / (baseline * focal length)) and Keselman et al., "Intel RealSense Stereoscopic Depth Cameras" (2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array


@dataclass(frozen=True)
class DepthNoise:
    """Parameters of the noise model; the defaults resemble a D435.

    Attributes:
        baseline: of the stereo pair, metres. disparity_rms: noise of the disparity, pixels.
        disparity_step: quantisation of the disparity, pixels. correlation_px: correlation length of the noise, pixels.
        scale_error: relative standard deviation of the global scale.
        min_cosine: cosine between surface normal and viewing ray below which readings start to fail.
        dropout: share of pixels lost in random blobs. flying_pixels: share of edge pixels between near and far.
        min_range, max_range: metres.
    """

    baseline: float = 0.05
    disparity_rms: float = 0.06
    disparity_step: float = 1 / 32
    correlation_px: float = 2.5
    scale_error: float = 0.002
    min_cosine: float = 0.25
    dropout: float = 0.004
    flying_pixels: float = 0.35
    min_range: float = 0.17
    max_range: float = 6.0


def simulate_depth_sensor(
    depth: NDArray[np.float32], K: Array, rng: np.random.Generator, noise: DepthNoise | None = None
) -> NDArray[np.float32]:
    """Simulate readings of exact depth (H, W), metres, 0 = background. Deterministic for a given generator state."""
    settings = noise or DepthNoise()
    valid_depth = depth > 0
    shape = depth.shape
    reading = _add_flying_pixels(depth, rng, settings.flying_pixels)
    focal_baseline = float(np.sqrt(K[0, 0] * K[1, 1])) * settings.baseline
    with np.errstate(divide="ignore", invalid="ignore"):
        disparity = focal_baseline / reading
        disparity += _correlated_noise(rng, shape, settings.correlation_px) * settings.disparity_rms
        if settings.disparity_step > 0:
            disparity = np.rint(disparity / settings.disparity_step) * settings.disparity_step
        reading = focal_baseline / disparity * (1 + rng.normal(0, settings.scale_error))
    valid = valid_depth & np.isfinite(reading) & (reading > settings.min_range) & (reading < settings.max_range)
    valid &= ~_stereo_shadow(depth, focal_baseline)
    valid &= _view_cosine(depth, K) > settings.min_cosine * (1 + 0.5 * _correlated_noise(rng, shape, 3.0))
    valid &= _correlated_noise(rng, shape, 4.0) > -_quantile(settings.dropout)
    return np.where(valid, reading, 0).astype(np.float32)


def _correlated_noise(rng: np.random.Generator, shape: tuple[int, ...], correlation_px: float) -> NDArray[np.float32]:
    """Noise (H, W) of zero mean and unit variance, correlated over about `correlation_px` pixels."""
    import cv2

    coarse_shape = [max(2, round(side / correlation_px)) for side in shape]
    values = rng.standard_normal(coarse_shape, dtype=np.float32)
    upsampled = cv2.resize(values, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(upsampled / max(float(upsampled.std()), 1e-6), dtype=np.float32)


def _add_flying_pixels(depth: NDArray[np.float32], rng: np.random.Generator, share: float) -> NDArray[np.float32]:
    """Move a random share of the edge pixels to a depth between foreground and background."""
    import cv2

    kernel = np.ones((3, 3), np.uint8)
    far, near = cv2.dilate(depth, kernel), cv2.erode(depth, kernel)
    edge = (far - near > 0.02 + 0.02 * depth) & (near > 0) & (rng.random(depth.shape, dtype=np.float32) < share)
    weight = rng.random(depth.shape, dtype=np.float32)
    return np.where(edge, near + weight * (far - near), depth)


def _stereo_shadow(depth: NDArray[np.float32], focal_baseline: float) -> NDArray[np.bool_]:
    """Occlusion shadow: pixels hidden from the second imager, which is to the right of the first.

    A pixel at column u maps to u - focal * baseline / z in the second image. It is occluded if a pixel to its right
    maps further to the left.
    """
    columns = np.arange(depth.shape[1], dtype=np.float32)
    column_right = np.where(depth > 0, columns - focal_baseline / np.maximum(depth, 0.05), np.inf)
    min_to_the_right = np.minimum.accumulate(column_right[:, ::-1], axis=1)[:, ::-1]
    return column_right > min_to_the_right + 1.0


def _view_cosine(depth: NDArray[np.float32], K: Array) -> NDArray[np.float32]:
    """Cosine (H, W) between surface normal and viewing ray, from the depth gradient."""
    import cv2

    slope_x = cv2.Sobel(depth, cv2.CV_32F, 1, 0, scale=1 / 8) * np.float32(K[0, 0])
    slope_y = cv2.Sobel(depth, cv2.CV_32F, 0, 1, scale=1 / 8) * np.float32(K[1, 1])
    return np.asarray(depth / np.sqrt(depth**2 + slope_x**2 + slope_y**2 + 1e-12), dtype=np.float32)


def _quantile(share: float) -> float:
    """z such that P(X < -z) = share for a standard normal X."""
    from scipy.special import ndtri

    return -float(ndtri(min(max(share, 1e-9), 0.5)))
