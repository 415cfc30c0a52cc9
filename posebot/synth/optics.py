"""What a real camera does to a picture after the light has reached it: blur and noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.datasets.augment import gaussian_noise
from posebot.synth.scene import Optics

PIVOT = 0.35
"""Stored value that contrast leaves as it is: a dark grey, as a harder picture has darker darks and burnt lights."""


def expose(pixels: NDArray[np.uint8], optics: Optics) -> NDArray[np.uint8]:
    """A picture (H, W, 3) with defocus, motion blur, and noise that grows with brightness as a sensor's does."""
    import cv2

    blurred: NDArray[Any] = pixels
    if optics.blur_px > 0.2:
        blurred = cv2.GaussianBlur(blurred, (0, 0), optics.blur_px)
    if optics.motion_px > 1:
        blurred = cv2.filter2D(blurred, -1, _streak(optics.motion_px, optics.motion_angle))
    if optics.noise <= 0:
        return np.ascontiguousarray(blurred)
    noise = gaussian_noise(blurred.shape, np.random.default_rng(optics.noise_seed))
    return np.asarray(cv2.add(blurred, noise * np.float32(255 * optics.noise), dtype=cv2.CV_8U))


def develop(light: NDArray[np.float32], optics: Optics) -> NDArray[np.uint8]:
    """Linear light (H, W, 3) as a stored picture: gains, vignette, shoulder, gamma 2, contrast, as in `shaders.py`."""
    height, width = light.shape[:2]
    y, x = (np.arange(height) + 0.5) / height - 0.5, (np.arange(width) + 0.5) / width - 0.5
    fall = 1 - optics.vignette * 2 * (x[None, :] ** 2 + y[:, None] ** 2)
    exposed = light * np.asarray(optics.gains, np.float32) * fall[..., None].astype(np.float32)
    stored = np.sqrt(exposed / (1 + 0.18 * exposed) * 1.1)
    return np.clip(((stored - PIVOT) * optics.contrast + PIVOT) * 255 + 0.5, 0, 255).astype(np.uint8)


def _streak(length: float, angle: float) -> NDArray[np.float32]:
    import cv2

    size = int(length) | 1
    kernel = np.zeros((size, size), np.float32)
    middle, reach = size // 2, np.array([np.cos(angle), np.sin(angle)]) * (size // 2)
    cv2.line(kernel, tuple(np.rint(middle - reach).astype(int)), tuple(np.rint(middle + reach).astype(int)), 1.0)
    return kernel / kernel.sum()
