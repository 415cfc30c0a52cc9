"""Photometric data augmentation of training images: camera settings, lighting, blur, noise, compression.

For training on rendered images, augmentation matters most (GDRNPP, BOP 2022: +27 points). Every function takes and
returns uint8 RGB (H, W, 3) and draws from the given generator, so that runs are reproducible. Colour changes are
combined into one lookup table.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]  # uint8 (H, W, 3)
Rng = np.random.Generator
AUGMENT_PROBABILITY = 0.9  # of an image to be augmented at all


def tone_curves(rng: Rng) -> NDArray[np.uint8]:
    """Random tone curves, uint8 (256, 3): gamma, contrast, exposure, white balance, channel offsets, inversion."""
    x = np.linspace(0, 1, 256)[:, None].repeat(3, axis=1)
    if rng.random() < 0.5:
        x = x ** np.exp(rng.uniform(-0.5, 0.5))
    if rng.random() < 0.6:
        pivot = rng.uniform(0.35, 0.65)
        x = (x - pivot) * np.exp(rng.uniform(-0.6, 0.7)) + pivot
    if rng.random() < 0.7:
        x = x * np.exp(rng.uniform(-0.6, 0.5))
    if rng.random() < 0.5:
        x = x * np.exp(rng.uniform(-0.2, 0.2, 3))
    if rng.random() < 0.5:
        x = x + rng.uniform(-0.1, 0.1, 3)
    if rng.random() < 0.05:
        x = 1 - x
    return (np.clip(x, 0, 1) * 255).astype(np.uint8)


def color_jitter(image: Image, rng: Rng) -> Image:
    """Colour jitter: random tone curves, then random saturation."""
    image = cv2.LUT(image, tone_curves(rng)[None])
    if rng.random() < 0.5:
        image = _scale_saturation(image, 0.0 if rng.random() < 0.15 else rng.uniform(0.3, 1.5))
    return image


def _scale_saturation(image: Image, amount: float) -> Image:
    """Scale the saturation by `amount` (0: grey, 1: unchanged)."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(image, amount, grey, 1 - amount, 0)


def relight(image: Image, rng: Rng, other: Image) -> Image:
    """Randomise colour and lighting of one object, independently of its surroundings.

    Args:
        other: any image, uint8 (H', W', 3), whose fine detail may be overlaid as a texture.
    """
    x = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.uniform(-0.4, 0.4))
    pivot = rng.uniform(0.2, 0.6)
    x = (x - pivot) * np.exp(rng.uniform(-0.3, 0.5)) + pivot
    x = x * np.exp(rng.uniform(-0.6, 0.4)) * np.exp(rng.normal(0, 0.1, 3))
    image = cv2.LUT(image, (np.clip(x, 0, 1) * 255).astype(np.uint8)[None])
    image = _scale_saturation(image, rng.uniform(0.5, 1.8))
    if rng.random() < 0.4:
        image = _apply_light(image, texture_overlay(other, image.shape[:2], rng))
    if rng.random() < 0.6:
        image = _apply_light(image, _uneven_lighting(image.shape[:2], rng))
    if rng.random() < 0.3:
        image = _add_specular_highlights(image, rng)
    return np.asarray(image)


def _uneven_lighting(shape: tuple[int, int], rng: Rng) -> NDArray[np.float32]:
    """Random light field (H, W, 3) interpolated from a coarse grid: a gradient, or shading by unmodelled relief."""
    count = int(rng.choice([3, 3, 4, 6, 9, 14]))
    spread = 0.35 if count == 3 else rng.uniform(0.1, 0.35)
    patches = rng.normal(0, spread, (count, count, 1)) + rng.normal(0, spread / 3, (count, count, 3))
    return np.asarray(cv2.resize(np.exp(patches).astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC))


def texture_overlay(other: Image, shape: tuple[int, int], rng: Rng) -> NDArray[np.float32]:
    """Light field (H, W, 1) with the high frequencies of a random, randomly flipped crop of another image."""
    grey = cv2.cvtColor(other, cv2.COLOR_RGB2GRAY)[:: int(rng.choice([-1, 1])), :: int(rng.choice([-1, 1]))]
    height, width = (max(8, int(side * rng.uniform(0.3, 1.0))) for side in grey.shape)
    top, left = (int(rng.integers(whole - part + 1)) for whole, part in zip(grey.shape, (height, width), strict=True))
    part = cv2.resize(np.ascontiguousarray(grey[top:top + height, left:left + width]), shape[::-1]).astype(np.float32)
    detail = np.log((part + 20) / (cv2.GaussianBlur(part, (0, 0), rng.uniform(2.0, 10.0)) + 20))
    return np.asarray(np.exp(np.clip(detail * rng.uniform(0.3, 1.2), -1.0, 0.7)), np.float32)[..., None]


def cast_shadows(image: Image, rng: Rng) -> Image:
    """Darken random regions, as shadows cast from outside the image, with hard or soft edges."""
    region = random_occluder_mask(image.shape[:2], rng).astype(np.float32)
    mask = cv2.GaussianBlur(region, (0, 0), rng.uniform(0.5, 5.0))
    light = np.exp(rng.uniform(-1.0, -0.2) + rng.normal(0, 0.04, 3))
    return _apply_light(image, (1 - mask[..., None] * (1 - light)).astype(np.float32))


def _add_specular_highlights(image: Image, rng: Rng) -> Image:
    """Add a few small specular highlights."""
    height, width = image.shape[:2]
    highlights = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(1, 6))):
        axes = np.maximum(1, rng.uniform(0.008, 0.06, 2) * max(height, width)).astype(int)
        center = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.ellipse(highlights, center, axes.tolist(), rng.uniform(0, 180), 0, 360, float(rng.uniform(40, 180)), -1)
    highlights = np.asarray(cv2.GaussianBlur(highlights, (0, 0), rng.uniform(0.5, 2.0)))
    return np.asarray(cv2.add(image, cv2.merge([highlights] * 3), dtype=cv2.CV_8U))


def _apply_light(image: Image, light: NDArray[np.float32]) -> Image:
    """Multiply the image by a light field (H, W, 1 or 3)."""
    return np.clip(image * light, 0, 255).astype(np.uint8)


def blur(image: Image, rng: Rng) -> Image:
    """Defocus blur, motion blur, or loss of resolution."""
    kind = rng.integers(3)
    if kind == 0:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 2.0)))
    if kind == 1:
        length, angle = int(rng.integers(3, 8)), rng.uniform(0, np.pi)
        kernel = np.zeros((length, length), np.float32)
        center, radius = (length - 1) / 2, (length - 1) / 2
        step = np.array([np.cos(angle), np.sin(angle)]) * radius
        ends = np.round(center + np.stack([-step, step])).astype(int)
        cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1.0)
        return cv2.filter2D(image, -1, kernel / max(float(kernel.sum()), 1.0))
    factor = rng.uniform(0.35, 0.9)
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def unsharp_mask(image: Image, rng: Rng) -> Image:
    """Unsharp masking, as in camera image processing."""
    amount = rng.uniform(0.3, 1.5)
    return cv2.addWeighted(image, 1 + amount, cv2.GaussianBlur(image, (0, 0), rng.uniform(0.7, 1.5)), -amount, 0)


def sensor_noise(image: Image, rng: Rng) -> Image:
    """Gaussian sensor noise, per pixel or in coarser grains, coloured or grey."""
    height, width = image.shape[:2]
    coarse = 2 if rng.random() < 0.3 else 1
    channels = 3 if rng.random() < 0.7 else 1
    field = gaussian_noise((height // coarse, width // coarse, channels), rng) * np.float32(rng.uniform(2, 14))
    field = np.asarray(cv2.resize(field, (width, height)) if coarse > 1 else field).reshape(height, width, channels)
    return np.asarray(cv2.add(image, field if channels > 1 else cv2.merge([field] * 3), dtype=cv2.CV_8U))


def gaussian_noise(shape: tuple[int, ...], rng: Rng) -> NDArray[np.float32]:
    """Read-only standard normal noise: a random slice of a precomputed table, ten times as fast as drawing it."""
    table, size = _noise_table(), int(np.prod(shape))
    if size > len(table) // 2:
        return rng.standard_normal(shape, dtype=np.float32)
    start = int(rng.integers(len(table) - size))
    return table[start:start + size].reshape(shape)


@lru_cache(maxsize=1)
def _noise_table() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(8_000_000, dtype=np.float32)


def jpeg_compression(image: Image, rng: Rng) -> Image:
    """JPEG compression artefacts, quality 30 to 90."""
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 90))])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)


PHOTOMETRIC_STEPS: tuple[tuple[float, Callable[[Image, Rng], Image]], ...] = (
    (0.2, cast_shadows),
    (0.9, color_jitter),
    (0.4, blur),
    (0.2, unsharp_mask),
    (0.3, sensor_noise),
    (0.15, jpeg_compression),
)


def photometric(image: Image, rng: Rng) -> Image:
    """Apply a random subset of all augmentations that keep the geometry."""
    if rng.random() > AUGMENT_PROBABILITY:
        return image
    for probability, step in PHOTOMETRIC_STEPS:
        if rng.random() < probability:
            image = step(image, rng)
    return image


def degrade(image: Image, rng: Rng) -> Image:
    """Degrade an image beyond the training distribution: darker, defocused, noisier, compressed.

    For calibration and for evaluation under domain shift; not for training.
    """
    gain = np.exp(rng.uniform(-1.2, 0.1, 3) * 0.15 + rng.uniform(-1.1, 0.0))
    dark = np.clip(image * gain, 0, 255).astype(np.uint8)
    soft = np.asarray(cv2.GaussianBlur(dark, (0, 0), rng.uniform(0.5, 2.2)))
    grain = rng.standard_normal(soft.shape, dtype=np.float32) * rng.uniform(3, 16)
    return jpeg_compression(np.clip(soft + grain, 0, 255).astype(np.uint8), rng)


def feather(alpha: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    """Blur the edge of an alpha mask as in a natural image, so that hard edges do not give the paste away."""
    return np.asarray(cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.4, 1.2)), np.float32)


def random_occluder_mask(shape: tuple[int, int], rng: Rng, max_count: int = 3) -> NDArray[np.bool_]:
    """A mask (H, W) of 1 to `max_count` random convex polygons, to be filled as synthetic occluders."""
    mask = np.zeros(shape, np.uint8)
    for _ in range(int(rng.integers(1, max_count + 1))):
        center = rng.uniform(0, 1, 2) * (shape[1], shape[0])
        points = center + rng.normal(0, rng.uniform(0.05, 0.2) * shape[0], (7, 2))
        cv2.fillConvexPoly(mask, cv2.convexHull(points.astype(np.int32)), 1)
    return mask.astype(bool)
