"""How well does a pose explain what was seen? Many poses at once, each judged by several kinds of evidence."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.stages.posing import landmarks
from posebot.stages.posing.compiled import compiled
from posebot.stages.posing.contour import agreement
from posebot.stages.posing.evidence import Evidence
from posebot.stages.posing.likelihood import likelihood
from posebot.stages.posing.splat import Splats, splat
from posebot.stages.posing.standing import rated
from posebot.stages.posing.surface import Surface

Map = NDArray[np.float32]
# fitted on simulated frames: softmax over each crop's candidate poses, the share of right ones as likelihood
WITH_DEPTH = {"silhouette": 0.1, "coordinates": 0.4, "geometry": 2.0, "print": 2.4, "outline": 1.0}
ROUGH = {"silhouette": 2.0, "coordinates": 0.75, "print": 2.0, "outline": 0.5}  # colour alone, before refinement
REFINED = {"silhouette": 0.6, "coordinates": 1.35, "print": 0.8, "outline": 1.15, "contour": 1.05}  # and after it
# the same where the network gives its distributions, of which the coordinates are an extract
ROUGH_TOLD = ROUGH | {"likelihood": 3.0}
REFINED_TOLD = {"silhouette": 0.6, "coordinates": 0.4, "print": 1.4, "outline": 1.8, "contour": 2.5, "likelihood": 4.5}
LANDMARKS, LANDMARKS_WITH_DEPTH = 0.5, 0.3  # on top of the mean of all others, where an object's print is seen
_SENSOR = 0.003  # metres: depth noise that is always forgiven
_UNSEEN = 0.4  # what a depth reading that agrees is worth where the mask says that nothing is seen
_LIGHT = 100.0  # variance of a colour channel (0..255) that light and shade make on a plain surface
_FEWEST = 30  # pixels that a correlation needs
_COORDINATES = 300  # most coordinates that are compared


@dataclass(frozen=True)
class Scores:
    """Scores (H,) of H poses, each 0..1, higher is better; `total` is their weighted mean, and `landmarks` on top.

    Attributes:
        silhouette: soft IoU of the drawn pose and the amodal mask. coordinates: share of the predicted object
            coordinates that fit. geometry: share of drawn and masked pixels where depth agrees (0 without).
        print: correlation of the surface's colours with the picture, 0.5 = none, weighted by how much print there is.
        outline: mean strength of the picture's edges along the silhouette, where nothing nearer hides it. contour:
            share of the silhouette's rim that lies where the colours change from the object's to others (0 with depth,
            and in a halved picture). landmarks: how much of the print is where it should be (0 where none is known).
        likelihood: what the network's distributions say (0 where it gives none).

    Where it is known which way is up, `total` is less for poses that do not stand.
    """

    silhouette: Array
    coordinates: Array
    geometry: Array
    print: Array
    outline: Array
    contour: Array
    landmarks: Array
    likelihood: Array
    total: Array

    def joined(self, other: Scores) -> Scores:
        """These scores, then the other's."""
        return Scores(**{name: np.concatenate([value, getattr(other, name)]) for name, value in vars(self).items()})


def score(poses: Array, evidence: Evidence, surface: Surface, count: int | None = None) -> Scores:
    """Judge poses (H, 4, 4). `count`: surface points to draw; all by default."""
    region = evidence.region
    drawn = splat(poses, surface, evidence.K, len(evidence.visible), count)
    there = drawn.depth > 0
    if evidence.points is None:
        rough, refined = (ROUGH, REFINED) if evidence.bins is None else (ROUGH_TOLD, REFINED_TOLD)
        weights, geometry, hidden = rough if region is None else refined, np.zeros(len(poses)), _unseen(evidence)
        printed = LANDMARKS
        seen = there & (evidence.visible > 0.5)
    else:
        weights, printed = WITH_DEPTH, LANDMARKS_WITH_DEPTH
        geometry, hidden, seen = _geometry(drawn.depth, there, evidence)
    parts = {"silhouette": _silhouette(drawn.cover, evidence.amodal), "coordinates": coordinate_fit(poses, evidence),
             "geometry": geometry, "print": _print(drawn, evidence, surface, seen),
             "outline": _outline(drawn.cover, evidence, hidden),
             "contour": np.zeros(len(poses)) if region is None else agreement(poses, region, surface),
             "likelihood": np.zeros(len(poses))}
    if evidence.bins is not None:
        parts["likelihood"] = likelihood(poses, drawn.index, there, evidence.visible, evidence.bins, surface)
    total = sum(weight * parts[name] for name, weight in weights.items()) / sum(weights.values())
    parts["landmarks"] = np.zeros(len(poses)) if evidence.pairs is None else \
        landmarks.agreement(poses, evidence.pairs, evidence.K)
    total = rated(np.asarray(total + printed * parts["landmarks"]), poses, surface.uprights, evidence.upright)
    return Scores(**parts, total=total)


def coordinate_fit(poses: Array, evidence: Evidence) -> Array:
    """Weighted share (H,) of the coordinates that reproject where they were seen, in units of their own error.

    Compared up to place and size in the picture: an unsure network's coordinates are too small or too large by some
    percent, so they say how the object is turned, and masks and depth say better where it is.
    """
    step = 1 + len(evidence.pixels) // _COORDINATES
    pixels, points, weight, error = (np.ascontiguousarray(each[::step]) for each in (
        evidence.pixels, evidence.coordinates, evidence.weight, evidence.sigma))
    if not len(pixels):
        return np.zeros(len(poses))
    fits = np.empty(len(poses))
    floor = 0.02 * evidence.model.diameter
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
            scale, x, y = _overlaid(drawn, pixels, trust)
            agreed = whole = 0.0
            for n in range(count):
                square = (drawn[n, 0] * scale + x - pixels[n, 0]) ** 2 + (drawn[n, 1] * scale + y - pixels[n, 1]) ** 2
                kernel = 1 / (1 + square / sigma[n] ** 2)
                trust[n] = weight[n] * kernel**2
                agreed, whole = agreed + weight[n] * kernel, whole + weight[n]
        fits[h] = agreed / whole


@compiled
def _overlaid(drawn: Array, seen: Array, trust: Array) -> tuple[float, float, float]:
    """Scale (0.8 to 1.25) and shift, x and y, that lay drawn pixels (N, 2) onto those seen: least squares, weighted."""
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


def _silhouette(cover: Map, amodal: Map) -> Array:
    common = _overlap(cover, amodal)
    return common[:, 0] / np.maximum(common[:, 1] + amodal.sum() - common[:, 0], 1e-6)


@compiled
def _overlap(cover: Map, amodal: Map) -> Array:
    """Of silhouettes (H, S, S) and a mask (S, S): the area that both cover, and that of the silhouette (H, 2)."""
    areas = np.zeros((len(cover), 2))
    for h in range(len(cover)):
        both = own = 0.0
        for v in range(cover.shape[1]):
            for u in range(cover.shape[2]):
                both, own = both + min(cover[h, v, u], amodal[v, u]), own + cover[h, v, u]
        areas[h, 0], areas[h, 1] = both, own
    return areas


def _unseen(evidence: Evidence) -> NDArray[np.bool_]:
    """Where (1, S, S) nothing of the object is seen within two pixels, so that its rim cannot be judged."""
    return (cv2.dilate(evidence.visible, np.ones((5, 5), np.uint8)) < 0.5)[None]


def _outline(cover: Map, evidence: Evidence, hidden: NDArray[np.bool_]) -> Array:
    """Mean (H,) of the picture's edges over the rims of the silhouettes that are not hidden."""
    return _rim_mean(cover, evidence.edges, hidden)


@compiled
def _rim_mean(cover: Map, edges: Map, hidden: NDArray[np.bool_]) -> Array:
    means = np.zeros(len(cover))
    for h in range(len(cover)):
        total, count = 0.0, 0
        for v in range(cover.shape[1]):
            for u in range(cover.shape[2]):
                if cover[h, v, u] == 0.5 and not hidden[min(h, len(hidden) - 1), v, u]:
                    total, count = total + edges[v, u], count + 1
        means[h] = total / max(count, 1)
    return means


def _geometry(depth: Map, there: NDArray[np.bool_], evidence: Evidence
              ) -> tuple[Array, NDArray[np.bool_], NDArray[np.bool_]]:
    """Share (H,) of pixels where sensor and drawing agree; where (H, S, S) it is hidden; where it is surely seen.

    A drawn pixel with the sensor nearer is hidden by something and costs only what the visible mask says; with the
    sensor farther it costs all, for the sensor sees through the object. A masked pixel that is not drawn costs its
    probability. A reading that agrees is worth something even where the mask does not expect it: masks of handles and
    rims come out too small, and the sensor knows better.
    """
    assert evidence.points is not None
    visible, sensor = evidence.visible, evidence.points[..., 2]
    read = sensor > 0
    ahead = (sensor - depth) * np.float32(1 / (_SENSOR + 0.015 * evidence.model.diameter))
    both = there & read
    worth = np.where(read, _UNSEEN + (1 - _UNSEEN) * visible, 0).astype(np.float32)
    gain = np.where(both, np.exp(np.float32(-0.5) * np.minimum(ahead**2, 40)), 0) * worth
    hidden = both & (ahead < -3)
    cost = np.where(hidden, visible, np.where(ahead > 3, np.float32(1), worth))
    missed = np.where(read & (visible > 0.5), visible, 0)
    lost = np.where(there, np.where(both, cost, 0), missed)
    geometry = gain.sum(axis=(1, 2)) / np.maximum(lost.sum(axis=(1, 2)), 1.0)
    return np.asarray(geometry, dtype=float), hidden, both & (np.abs(ahead) < 2) & (visible > 0.5)


def _print(drawn: Splats, evidence: Evidence, surface: Surface, where: NDArray[np.bool_]) -> Array:
    """Correlation (H,) of the drawn colours with the picture over the pixels where the object is seen, mapped to 0..1.

    Each colour channel's covariance is divided by the geometric mean of the two variances plus a floor, so that plain
    surfaces, whose colours only tell of light and shade, give 0.5.
    """
    result = np.full(len(where), 0.5)
    if surface.colors is not None:
        _correlate(drawn.index, where, surface.colors, evidence.rgb, result)
    return result


@compiled
def _correlate(index: NDArray[np.int32], where: NDArray[np.bool_], colors: Map, rgb: Map, result: Array) -> None:
    """Set `result` (H,) for those poses of which enough is seen."""
    for h in range(len(index)):
        count, sums = 0, np.zeros((5, 3))
        for v in range(index.shape[1]):
            for u in range(index.shape[2]):
                if where[h, v, u] and index[h, v, u] >= 0:
                    count += 1
                    for c in range(3):
                        model, seen = float(colors[index[h, v, u], c]), float(rgb[v, u, c])
                        sums[0, c] += model
                        sums[1, c] += seen
                        sums[2, c] += model * seen
                        sums[3, c] += model * model
                        sums[4, c] += seen * seen
        if count < _FEWEST:
            continue
        sums /= count
        total = 0.0
        for c in range(3):
            model, seen = sums[0, c], sums[1, c]
            spread = np.sqrt((sums[3, c] - model**2 + _LIGHT) * (sums[4, c] - seen**2 + _LIGHT))
            total += (sums[2, c] - model * seen) / spread
        result[h] = 0.5 + 0.5 * total / 3
