"""Score `coordinates`: share of the predicted object coordinates that fit the pose."""

from __future__ import annotations

import numpy as np

from posebot.core.transforms import Array
from posebot.stages.geometry.compiled import compiled
from posebot.stages.observation.evidence import Evidence
from posebot.stages.scoring.inputs import ScoreInputs


def coordinates(inputs: ScoreInputs) -> Array:
    """Share (H,), 0..1, see `coordinate_fit`."""
    return coordinate_fit(inputs.poses, inputs.evidence)


def coordinate_fit(poses: Array, evidence: Evidence) -> Array:
    """Weighted share (H,) of the coordinates that reproject to their pixels, in units of their expected error.

    Compared up to scale and shift in the image: coordinates of an uncertain network are too small or too large by some
    percent, so they determine the attitude; masks and depth determine the position better.
    """
    settings = evidence.settings.scoring
    step = 1 + len(evidence.pixels) // settings.max_coordinates
    pixels, points, weight, error = (np.ascontiguousarray(each[::step]) for each in (
        evidence.pixels, evidence.coordinates, evidence.weight, evidence.sigma))
    if not len(pixels):
        return np.zeros(len(poses))
    fits = np.empty(len(poses))
    floor = settings.min_coordinate_error * evidence.model.diameter
    _fit(evidence.K @ poses[:, :3], pixels, points, weight, np.maximum(error, floor) * evidence.focal, fits)
    return fits


@compiled
def _fit(cameras: Array, pixels: Array, points: Array, weight: Array, spread: Array, fits: Array) -> None:
    """Fill `fits` (H,). cameras: (H, 3, 4) pixel from object. spread: errors in metres times the focal length."""
    count = len(points)
    drawn, sigma, trust = np.empty((count, 2)), np.empty(count), np.empty(count)
    for h in range(len(cameras)):
        m = cameras[h]
        for n in range(count):
            x, y, z = points[n]
            near = 1 / max(m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3], 1e-6)
            drawn[n, 0] = (m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]) * near
            drawn[n, 1] = (m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]) * near
            sigma[n], trust[n] = spread[n] * near + 0.5, weight[n]
        for _ in range(3):
            scale, x, y = _aligned(drawn, pixels, trust)
            agreed = whole = 0.0
            for n in range(count):
                square = (drawn[n, 0] * scale + x - pixels[n, 0]) ** 2 + (drawn[n, 1] * scale + y - pixels[n, 1]) ** 2
                kernel = 1 / (1 + square / sigma[n] ** 2)
                trust[n] = weight[n] * kernel**2
                agreed, whole = agreed + weight[n] * kernel, whole + weight[n]
        fits[h] = agreed / whole


@compiled
def _aligned(drawn: Array, seen: Array, trust: Array) -> tuple[float, float, float]:
    """Scale (0.8 to 1.25) and shift, x and y, from drawn pixels (N, 2) to observed ones: weighted least squares."""
    whole, middle, goal = 1e-9, np.zeros(2), np.zeros(2)
    for n in range(len(drawn)):
        whole += trust[n]
        for axis in range(2):
            middle[axis] += trust[n] * drawn[n, axis]
            goal[axis] += trust[n] * seen[n, axis]
    middle /= whole
    goal /= whole
    size, along = 1e-9 * whole, 0.0
    for n in range(len(drawn)):
        for axis in range(2):
            off = drawn[n, axis] - middle[axis]
            size += trust[n] * off * off
            along += trust[n] * off * (seen[n, axis] - goal[axis])
    scale = min(max(along / size, 0.8), 1.25)
    return scale, goal[0] - scale * middle[0], goal[1] - scale * middle[1]
