"""Procedural textures, determined by a number."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array

SIZE = 256


def pattern(number: int) -> NDArray[np.uint8]:
    """uint8 (256, 256, 3), one of several kinds. Deterministic for a number."""
    rng = np.random.default_rng([number, 11])
    kind = rng.choice(["noise", "noise", "wood", "checker", "stripes", "gradient", "dots", "shapes", "shapes", "plain",
                       "print"])
    layers = {"noise": _noise, "wood": _wood, "checker": _checker, "stripes": _stripes, "gradient": _gradient,
              "dots": _dots, "shapes": _shapes, "plain": _plain, "print": _text_lines}
    image = layers[str(kind)](rng)
    if kind != "noise" and rng.random() < 0.6:
        image = image * (1 + rng.uniform(0.05, 0.4) * (_fractal_noise(rng) - 0.5)[..., None])
    return np.clip(image * 255, 0, 255).astype(np.uint8)


def color(rng: np.random.Generator) -> Array:
    """A random sRGB-like colour (3,), 0..1: dark and desaturated ones are as frequent as vivid ones."""
    saturation = rng.choice([rng.uniform(0, 0.2), rng.uniform(0.2, 0.7), rng.uniform(0.6, 1.0)])
    return np.array(colorsys.hsv_to_rgb(rng.random(), saturation, rng.uniform(0.08, 1.0)))


def _mix(weight: Array, a: Array, b: Array) -> Array:
    return a + weight[..., None] * (b - a)


def _axes() -> tuple[Array, Array]:
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    return x, y


def _fractal_noise(rng: np.random.Generator, finest: int = 7) -> Array:
    """Fractal noise (SIZE, SIZE), 0..1."""
    import cv2

    total, roughness = np.zeros((SIZE, SIZE)), rng.uniform(0.4, 0.9)
    for octave in range(int(rng.integers(1, 4)), finest + 1):
        layer = rng.random((2**octave, 2**octave)).astype(np.float32)
        total += roughness**octave * cv2.resize(layer, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    low, high = np.percentile(total, [1, 99])
    return np.clip((total - low) / (high - low), 0, 1)


def _noise(rng: np.random.Generator) -> Array:
    weight = _fractal_noise(rng, int(rng.integers(4, 9)))
    image = _mix(weight, color(rng), color(rng))
    return _mix(_fractal_noise(rng), image, np.broadcast_to(color(rng), image.shape)) if rng.random() < 0.3 else image


def _wood(rng: np.random.Generator) -> Array:
    import cv2

    x, _ = _axes()
    bend = cv2.resize(rng.random((8, 3)).astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    grain = 0.5 + 0.5 * np.sin(2 * np.pi * (x * rng.uniform(3, 14) + bend * rng.uniform(0.5, 3)))
    fine = cv2.resize(rng.random((8, SIZE)).astype(np.float32), (SIZE, SIZE))
    hue = np.array([rng.uniform(0.45, 0.85), rng.uniform(0.3, 0.6), rng.uniform(0.15, 0.4)])
    return _mix(0.6 * grain + 0.4 * fine, hue, hue * rng.uniform(0.4, 0.85))


def _checker(rng: np.random.Generator) -> Array:
    x, y = _axes()
    n, m = rng.integers(2, 20, 2)
    return _mix(((np.floor(x * n) + np.floor(y * m)) % 2), color(rng), color(rng))


def _stripes(rng: np.random.Generator) -> Array:
    x, y = _axes()
    fx, fy = rng.integers(0, 14, 2)
    wave = np.sin(2 * np.pi * (fx * x + fy * y) + rng.uniform(0, 6))
    return _mix(np.clip(wave * rng.choice([0.5, 20.0]) + 0.5, 0, 1), color(rng), color(rng))


def _gradient(rng: np.random.Generator) -> Array:
    x, y = _axes()
    angle = rng.uniform(0, 2 * np.pi)
    return _mix(np.clip(0.5 + (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle), 0, 1), color(rng), color(rng))


def _dots(rng: np.random.Generator) -> Array:
    x, y = _axes()
    n = rng.integers(2, 16)
    distance = np.hypot((x * n) % 1 - 0.5, (y * n) % 1 - 0.5)
    return _mix(np.clip((rng.uniform(0.15, 0.45) - distance) * 20, 0, 1), color(rng), color(rng))


def _shapes(rng: np.random.Generator) -> Array:
    """Overlapping ellipses, rectangles and lines of many colours, as printed packages or distant clutter."""
    import cv2

    image = np.tile(color(rng) if rng.random() < 0.5 else np.ones(3), (SIZE, SIZE, 1))
    for _ in range(int(rng.integers(5, 60))):
        paint = color(rng).tolist()
        (x0, y0), (w, h) = rng.integers(0, SIZE, 2).tolist(), rng.integers(4, SIZE // 3, 2).tolist()
        kind = rng.integers(3)
        if kind == 0:
            cv2.ellipse(image, (x0, y0), (w // 2, h // 2), float(rng.uniform(0, 180)), 0, 360, paint, -1, cv2.LINE_AA)
        elif kind == 1:
            cv2.rectangle(image, (x0, y0), (x0 + w, y0 + h), paint, -1)
        else:
            end = (x0 + w, y0 + int(rng.integers(-h, h)))
            cv2.line(image, (x0, y0), end, paint, int(rng.integers(1, 9)), cv2.LINE_AA)
    return image


def _plain(rng: np.random.Generator) -> Array:
    return np.tile(color(rng), (SIZE, SIZE, 1))


def _text_lines(rng: np.random.Generator) -> Array:
    """Lines of text, as on packages and paper."""
    import cv2

    ground, ink = color(rng), color(rng)
    image = np.tile(ground, (SIZE, SIZE, 1))
    y = 0
    while y < SIZE:
        scale = float(rng.uniform(0.3, 2.0))
        text = "".join(chr(c) for c in rng.integers(48, 123, 40))
        y += int(26 * scale) + 4
        cv2.putText(image, text, (int(rng.integers(-40, 20)), y), int(rng.integers(0, 8)), scale, ink.tolist(),
                    int(rng.integers(1, 4)), cv2.LINE_AA)
    return image
