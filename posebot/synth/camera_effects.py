"""Camera effects on rendered images: tone mapping, blur, sensor noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.datasets.augment import gaussian_noise
from posebot.synth.scene import CameraEffects

CONTRAST_PIVOT = 0.35
"""Pivot of the contrast adjustment, a dark grey: higher contrast darkens shadows and clips highlights."""


def apply_blur_and_noise(pixels: NDArray[np.uint8], effects: CameraEffects) -> NDArray[np.uint8]:
    """Apply defocus blur, motion blur and sensor noise to an image uint8 (H, W, 3)."""
    import cv2

    blurred: NDArray[Any] = pixels
    if effects.blur_px > 0.2:
        blurred = cv2.GaussianBlur(blurred, (0, 0), effects.blur_px)
    if effects.motion_px > 1:
        blurred = cv2.filter2D(blurred, -1, _motion_blur_kernel(effects.motion_px, effects.motion_angle))
    if effects.noise <= 0:
        return np.ascontiguousarray(blurred)
    noise = gaussian_noise(blurred.shape, np.random.default_rng(effects.noise_seed))
    return np.asarray(cv2.add(blurred, noise * np.float32(255 * effects.noise), dtype=cv2.CV_8U))


def tone_map(light: NDArray[np.float32], effects: CameraEffects) -> NDArray[np.uint8]:
    """Tone-map linear light (H, W, 3) to uint8: gains, vignetting, roll-off, gamma 2, contrast; as in `shaders.py`."""
    height, width = light.shape[:2]
    y, x = (np.arange(height) + 0.5) / height - 0.5, (np.arange(width) + 0.5) / width - 0.5
    falloff = 1 - effects.vignette * 2 * (x[None, :] ** 2 + y[:, None] ** 2)
    exposed = light * np.asarray(effects.gains, np.float32) * falloff[..., None].astype(np.float32)
    stored = np.sqrt(exposed / (1 + 0.18 * exposed) * 1.1)
    return np.clip(((stored - CONTRAST_PIVOT) * effects.contrast + CONTRAST_PIVOT) * 255 + 0.5, 0, 255).astype(np.uint8)


def _motion_blur_kernel(length: float, angle: float) -> NDArray[np.float32]:
    import cv2

    size = int(length) | 1
    kernel = np.zeros((size, size), np.float32)
    center, half_length = size // 2, np.array([np.cos(angle), np.sin(angle)]) * (size // 2)
    start, end = (tuple(np.rint(center + sign * half_length).astype(int)) for sign in (-1, 1))
    cv2.line(kernel, start, end, 1.0)
    return kernel / kernel.sum()
