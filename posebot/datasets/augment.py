"""Augmentation of training pictures: what cameras, lamps and clutter do, done to a rendered picture.

On cheap renders this is the largest lever there is (GDRNPP, BOP 2022: +27 points). Every function takes and returns
uint8 RGB and draws from the generator it is given, so that a seed repeats a run. Colour changes are collected into
one table look-up.
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
SHARE = 0.9  # of the pictures that are changed at all


def tone_curves(rng: Rng) -> NDArray[np.uint8]:
    """A table (256, 3): exposure, contrast, gamma, white balance and channel shifts, as a camera's settings would
    differ.
    """
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


def color(image: Image, rng: Rng) -> Image:
    """Tone curves, then saturation between grey and vivid."""
    image = cv2.LUT(image, tone_curves(rng)[None])
    if rng.random() < 0.5:
        image = _saturated(image, 0.0 if rng.random() < 0.15 else rng.uniform(0.3, 1.5))
    return image


def _saturated(image: Image, amount: float) -> Image:
    """The picture, so many times as far from grey."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(image, amount, grey, 1 - amount, 0)


def relit(image: Image, rng: Rng, other: Image) -> Image:
    """Other paint under other lamps: for an object by itself, whose surroundings stay as they are. `other`: any
    picture, whose lights and darks may lie on it as a print would."""
    x = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.uniform(-0.4, 0.4))
    pivot = rng.uniform(0.2, 0.6)
    x = (x - pivot) * np.exp(rng.uniform(-0.3, 0.5)) + pivot
    x = x * np.exp(rng.uniform(-0.6, 0.4)) * np.exp(rng.normal(0, 0.1, 3))
    image = cv2.LUT(image, (np.clip(x, 0, 1) * 255).astype(np.uint8)[None])
    image = _saturated(image, rng.uniform(0.5, 1.8))
    if rng.random() < 0.4:
        image = _lit(image, printed(other, image.shape[:2], rng))
    if rng.random() < 0.6:
        image = _lit(image, _uneven(image.shape[:2], rng))
    if rng.random() < 0.3:
        image = _shining(image, rng)
    return np.asarray(image)


def _uneven(shape: tuple[int, int], rng: Rng) -> NDArray[np.float32]:
    """Light (H, W, 3) from patches of their own colours, blended: a lamp's slope over a whole object, or the dents of
    it that training's mesh does not have."""
    count = int(rng.choice([3, 3, 4, 6, 9, 14]))
    spread = 0.35 if count == 3 else rng.uniform(0.1, 0.35)
    patches = rng.normal(0, spread, (count, count, 1)) + rng.normal(0, spread / 3, (count, count, 3))
    return np.asarray(cv2.resize(np.exp(patches).astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC))


def printed(other: Image, shape: tuple[int, int], rng: Rng) -> NDArray[np.float32]:
    """Light (H, W, 1) with the finer lights and darks of another picture: of a part of it, turned over by chance."""
    grey = cv2.cvtColor(other, cv2.COLOR_RGB2GRAY)[:: int(rng.choice([-1, 1])), :: int(rng.choice([-1, 1]))]
    height, width = (max(8, int(side * rng.uniform(0.3, 1.0))) for side in grey.shape)
    top, left = (int(rng.integers(whole - part + 1)) for whole, part in zip(grey.shape, (height, width), strict=True))
    part = cv2.resize(np.ascontiguousarray(grey[top:top + height, left:left + width]), shape[::-1]).astype(np.float32)
    detail = np.log((part + 20) / (cv2.GaussianBlur(part, (0, 0), rng.uniform(2.0, 10.0)) + 20))
    return np.asarray(np.exp(np.clip(detail * rng.uniform(0.3, 1.2), -1.0, 0.7)), np.float32)[..., None]


def shadowed(image: Image, rng: Rng) -> Image:
    """Parts in the shadow of things that are not in the picture, with hard rims or soft ones."""
    mask = cv2.GaussianBlur(occluders(image.shape[:2], rng).astype(np.float32), (0, 0), rng.uniform(0.5, 5.0))
    light = np.exp(rng.uniform(-1.0, -0.2) + rng.normal(0, 0.04, 3))
    return _lit(image, (1 - mask[..., None] * (1 - light)).astype(np.float32))


def _shining(image: Image, rng: Rng) -> Image:
    """A few small highlights."""
    height, width = image.shape[:2]
    glow = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(1, 6))):
        axes = np.maximum(1, rng.uniform(0.008, 0.06, 2) * max(height, width)).astype(int)
        center = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.ellipse(glow, center, axes.tolist(), rng.uniform(0, 180), 0, 360, float(rng.uniform(40, 180)), -1)
    glow = np.asarray(cv2.GaussianBlur(glow, (0, 0), rng.uniform(0.5, 2.0)))
    return np.asarray(cv2.add(image, cv2.merge([glow] * 3), dtype=cv2.CV_8U))


def _lit(image: Image, light: NDArray[np.float32]) -> Image:
    """The picture times a light of (H, W, 1 or 3)."""
    return np.clip(image * light, 0, 255).astype(np.uint8)


def blur(image: Image, rng: Rng) -> Image:
    """Out of focus, moved, or seen by fewer pixels."""
    kind = rng.integers(3)
    if kind == 0:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 2.0)))
    if kind == 1:
        length, angle = int(rng.integers(3, 8)), rng.uniform(0, np.pi)
        kernel = np.zeros((length, length), np.float32)
        middle, reach = (length - 1) / 2, (length - 1) / 2
        step = np.array([np.cos(angle), np.sin(angle)]) * reach
        ends = np.round(middle + np.stack([-step, step])).astype(int)
        cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1.0)
        return cv2.filter2D(image, -1, kernel / max(float(kernel.sum()), 1.0))
    factor = rng.uniform(0.35, 0.9)
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def sharpen(image: Image, rng: Rng) -> Image:
    """The edges that a camera's own processing adds."""
    amount = rng.uniform(0.3, 1.5)
    return cv2.addWeighted(image, 1 + amount, cv2.GaussianBlur(image, (0, 0), rng.uniform(0.7, 1.5)), -amount, 0)


def noise(image: Image, rng: Rng) -> Image:
    """Sensor noise, of each pixel and in coarser grains."""
    height, width = image.shape[:2]
    coarse = 2 if rng.random() < 0.3 else 1
    channels = 3 if rng.random() < 0.7 else 1
    field = grain((height // coarse, width // coarse, channels), rng) * np.float32(rng.uniform(2, 14))
    field = np.asarray(cv2.resize(field, (width, height)) if coarse > 1 else field).reshape(height, width, channels)
    return np.asarray(cv2.add(image, field if channels > 1 else cv2.merge([field] * 3), dtype=cv2.CV_8U))


def grain(shape: tuple[int, ...], rng: Rng) -> NDArray[np.float32]:
    """Normal noise of spread 1, not to be written to: drawn once, read from a place by chance (a tenth of the time)."""
    block, size = _drawn(), int(np.prod(shape))
    if size > len(block) // 2:
        return rng.standard_normal(shape, dtype=np.float32)
    start = int(rng.integers(len(block) - size))
    return block[start:start + size].reshape(shape)


@lru_cache(maxsize=1)
def _drawn() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(8_000_000, dtype=np.float32)


def jpeg(image: Image, rng: Rng) -> Image:
    """Compression, as from a network camera."""
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 90))])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)


STEPS: tuple[tuple[float, Callable[[Image, Rng], Image]], ...] = (
    (0.2, shadowed),
    (0.9, color),
    (0.4, blur),
    (0.2, sharpen),
    (0.3, noise),
    (0.15, jpeg),
)


def photometric(image: Image, rng: Rng) -> Image:
    """All that leaves geometry as it is."""
    if rng.random() > SHARE:
        return image
    for chance, step in STEPS:
        if rng.random() < chance:
            image = step(image, rng)
    return image


def harsh(image: Image, rng: Rng) -> Image:
    """A worse picture than training shows as a rule: darker, out of focus, noisier, and compressed.

    For calibration and for checking what is claimed under a shift; never for training.
    """
    gain = np.exp(rng.uniform(-1.2, 0.1, 3) * 0.15 + rng.uniform(-1.1, 0.0))
    dark = np.clip(image * gain, 0, 255).astype(np.uint8)
    soft = np.asarray(cv2.GaussianBlur(dark, (0, 0), rng.uniform(0.5, 2.2)))
    grain = rng.standard_normal(soft.shape, dtype=np.float32) * rng.uniform(3, 16)
    return jpeg(np.clip(soft + grain, 0, 255).astype(np.uint8), rng)


def soft(alpha: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    """With a rim as soft as a picture's edges are: a jagged one would tell what is asked."""
    return np.asarray(cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.4, 1.2)), np.float32)


def occluders(shape: tuple[int, int], rng: Rng, count: int = 3) -> NDArray[np.bool_]:
    """A mask (H, W) of a few random convex blobs, to be filled with something that is not the object."""
    mask = np.zeros(shape, np.uint8)
    for _ in range(int(rng.integers(1, count + 1))):
        center = rng.uniform(0, 1, 2) * (shape[1], shape[0])
        points = center + rng.normal(0, rng.uniform(0.05, 0.2) * shape[0], (7, 2))
        cv2.fillConvexPoly(mask, cv2.convexHull(points.astype(np.int32)), 1)
    return mask.astype(bool)
