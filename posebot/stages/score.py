"""How well does a pose explain what was seen? Many poses at once, each judged by four independent kinds of evidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import project
from posebot.core.transforms import Array, apply
from posebot.stages.evidence import Evidence
from posebot.stages.splat import Splats, splat
from posebot.stages.surface import Surface

Map = NDArray[np.float32]
WEIGHTS = {"silhouette": 2.0, "coordinates": 0.75, "geometry": 2.0, "print": 2.0}  # chosen on simulated frames
_SENSOR = 0.003  # metres: depth noise that is always forgiven
_LIGHT = 100.0  # variance of a colour channel (0..255) that light and shade make on a plain surface
_FEWEST = 30  # pixels that a correlation needs


@dataclass(frozen=True)
class Scores:
    """Scores (H,) of H poses, each 0..1, higher is better; `total` is their weighted mean.

    Attributes:
        silhouette: soft IoU of the drawn pose and the amodal mask. coordinates: share of the predicted object
            coordinates that fit. geometry: share of drawn and masked pixels where depth agrees (0 without).
        print: correlation of the surface's colours with the picture, 0.5 = none, weighted by how much print there is.
    """

    silhouette: Array
    coordinates: Array
    geometry: Array
    print: Array
    total: Array


def score(poses: Array, evidence: Evidence, surface: Surface, count: int | None = None) -> Scores:
    """Judge poses (H, 4, 4). `count`: surface points to draw; all by default."""
    points = surface.points[:count]
    rotation, translation = poses[:, :3, :3].astype(np.float32), poses[:, :3, 3].astype(np.float32)
    drawn = splat(points @ np.swapaxes(rotation, 1, 2) + translation[:, None], evidence.K, len(evidence.visible))
    silhouette = _silhouette(drawn.cover, evidence.amodal)
    coordinates = coordinate_fit(poses, evidence)
    geometry, agrees = _geometry(drawn, evidence)
    print_fit = _print(drawn, evidence, surface, agrees)
    parts = {"silhouette": silhouette, "coordinates": coordinates, "print": print_fit}
    if evidence.points is not None:
        parts["geometry"] = geometry
    weight = sum(WEIGHTS[name] for name in parts)
    total = sum(WEIGHTS[name] * value for name, value in parts.items()) / weight
    return Scores(silhouette, coordinates, geometry, print_fit, np.asarray(total))


def coordinate_fit(poses: Array, evidence: Evidence) -> Array:
    """Weighted share (H,) of the coordinates that reproject where they were seen, in units of their own error.

    Compared up to place and size in the picture: an unsure network's coordinates are too small or too large by some
    percent, so they say how the object is turned, and masks and depth say better where it is.
    """
    if not len(evidence.pixels):
        return np.zeros(len(poses))
    camera = apply(poses, evidence.coordinates)
    z = np.maximum(camera[..., 2], 1e-6)
    drawn = project(evidence.K, np.dstack([camera[..., :2], z]))
    sigma = np.maximum(evidence.sigma, 0.02 * evidence.model.diameter) * evidence.focal / z + 0.5
    trust = np.broadcast_to(evidence.weight, sigma.shape)
    for _ in range(3):
        offset = np.linalg.norm(_overlaid(drawn, evidence.pixels, trust) - evidence.pixels, axis=-1)
        kernel = 1 / (1 + (offset / sigma) ** 2)
        trust = evidence.weight * kernel**2
    return np.average(kernel, axis=1, weights=evidence.weight)


def _overlaid(drawn: Array, seen: Array, trust: Array) -> Array:
    """Pixels (H, N, 2) moved and scaled (by 0.8 to 1.25) onto those seen (N, 2), least squares with weights (H, N)."""
    share = (trust / np.maximum(trust.sum(axis=1, keepdims=True), 1e-9))[..., None]
    from_middle, to_middle = (drawn * share).sum(axis=1)[:, None], (seen * share).sum(axis=1)[:, None]
    spread = drawn - from_middle
    size = np.maximum((share * spread**2).sum(axis=(1, 2)), 1e-9)
    scale = (share * spread * (seen - to_middle)).sum(axis=(1, 2)) / size
    return to_middle + np.clip(scale, 0.8, 1.25)[:, None, None] * spread


def _silhouette(cover: Map, amodal: Map) -> Array:
    common = np.minimum(cover, amodal).sum(axis=(1, 2))
    return np.asarray(common / np.maximum(cover.sum(axis=(1, 2)) + amodal.sum() - common, 1e-6), dtype=float)


def _geometry(drawn: Splats, evidence: Evidence) -> tuple[Array, NDArray[np.bool_]]:
    """Share (H,) of pixels where sensor and drawing agree, and where (H, S, S) the object is seen at all.

    A drawn pixel with the sensor nearer is hidden by something and costs only what the visible mask says; with the
    sensor farther it costs all, for the sensor sees through the object. A masked pixel that is not drawn costs its
    probability.
    """
    mask = drawn.depth > 0
    visible = evidence.visible[None]
    if evidence.points is None:
        return np.zeros(len(mask)), mask & (visible > 0.5)
    sensor = evidence.points[None, ..., 2]
    read = sensor > 0
    tolerance = _SENSOR + 0.015 * evidence.model.diameter
    ahead = (sensor - drawn.depth) / np.float32(tolerance)
    both = mask & read
    kernel = both * np.exp(-0.5 * ahead**2) * visible
    cost = np.where(both & (ahead < -3), visible, both) + (~mask & read) * np.where(visible > 0.5, visible, 0)
    geometry = kernel.sum(axis=(1, 2)) / np.maximum(cost.sum(axis=(1, 2)), 1.0)
    return np.asarray(geometry, dtype=float), both & (np.abs(ahead) < 2) & (visible > 0.5)


def _print(drawn: Splats, evidence: Evidence, surface: Surface, where: NDArray[np.bool_]) -> Array:
    """Correlation (H,) of the drawn colours with the picture over the pixels where the object is seen, mapped to 0..1.

    Each colour channel's covariance is divided by the geometric mean of the two variances plus a floor, so that plain
    surfaces, whose colours only tell of light and shade, give 0.5.
    """
    poses = len(where)
    if surface.colors is None:
        return np.full(poses, 0.5)
    pose, row, column = np.nonzero(where & (drawn.index >= 0))
    model = surface.colors[drawn.index[pose, row, column]]
    seen = evidence.rgb[row, column]
    count = np.bincount(pose, minlength=poses)[:, None]

    def mean(values: Map) -> Array:
        sums = [np.bincount(pose, values[:, channel], poses) for channel in range(3)]
        return np.stack(sums, axis=1) / np.maximum(count, 1)

    model_mean, seen_mean = mean(model), mean(seen)
    covariance = mean(model * seen) - model_mean * seen_mean
    spread = np.sqrt((mean(model**2) - model_mean**2 + _LIGHT) * (mean(seen**2) - seen_mean**2 + _LIGHT))
    return np.where(count[:, 0] > _FEWEST, 0.5 + 0.5 * (covariance / spread).mean(axis=1), 0.5)
