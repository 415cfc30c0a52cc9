"""How well does a pose explain what was seen? Many poses at once, each judged by several kinds of evidence."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.stages.posing import landmarks
from posebot.stages.posing.contour import agreement
from posebot.stages.posing.evidence import Evidence
from posebot.stages.posing.splat import Splats, splat
from posebot.stages.posing.surface import Surface

Map = NDArray[np.float32]
# fitted on simulated frames: softmax over each crop's candidate poses, the share of right ones as likelihood
WITH_DEPTH = {"silhouette": 0.1, "coordinates": 0.4, "geometry": 2.0, "print": 2.4, "outline": 1.0}
ROUGH = {"silhouette": 2.0, "coordinates": 0.75, "print": 2.0, "outline": 0.5}  # colour alone, before refinement
REFINED = {"silhouette": 0.6, "coordinates": 1.35, "print": 0.8, "outline": 1.15, "contour": 1.05}  # and after it
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
    """

    silhouette: Array
    coordinates: Array
    geometry: Array
    print: Array
    outline: Array
    contour: Array
    landmarks: Array
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
        weights, geometry, hidden = ROUGH if region is None else REFINED, np.zeros(len(poses)), _unseen(evidence)
        printed = LANDMARKS
        seen = there & (evidence.visible > 0.5)
    else:
        weights, printed = WITH_DEPTH, LANDMARKS_WITH_DEPTH
        geometry, hidden, seen = _geometry(drawn.depth, there, evidence)
    parts = {"silhouette": _silhouette(drawn.cover, evidence.amodal), "coordinates": coordinate_fit(poses, evidence),
             "geometry": geometry, "print": _print(drawn, evidence, surface, seen),
             "outline": _outline(drawn.cover, evidence, hidden),
             "contour": np.zeros(len(poses)) if region is None else agreement(poses, region, surface)}
    total = sum(weight * parts[name] for name, weight in weights.items()) / sum(weights.values())
    parts["landmarks"] = np.zeros(len(poses)) if evidence.pairs is None else \
        landmarks.agreement(poses, evidence.pairs, evidence.K)
    return Scores(**parts, total=np.asarray(total + printed * parts["landmarks"]))


def coordinate_fit(poses: Array, evidence: Evidence) -> Array:
    """Weighted share (H,) of the coordinates that reproject where they were seen, in units of their own error.

    Compared up to place and size in the picture: an unsure network's coordinates are too small or too large by some
    percent, so they say how the object is turned, and masks and depth say better where it is.
    """
    step = 1 + len(evidence.pixels) // _COORDINATES
    pixels, points = (each[::step].astype(np.float32) for each in (evidence.pixels, evidence.coordinates))
    weight, error = evidence.weight[::step].astype(np.float32), evidence.sigma[::step].astype(np.float32)
    if not len(pixels):
        return np.zeros(len(poses))
    camera = np.asarray(evidence.K @ poses[:, :3], np.float32).reshape(-1, 4)
    x, y, z = np.moveaxis((camera[:, :3] @ points.T + camera[:, 3:]).reshape(len(poses), 3, -1), 1, 0)
    z = np.maximum(z, np.float32(1e-6))
    drawn = np.stack([x / z, y / z])  # (2, H, N)
    seen = pixels.T[:, None]
    sigma = np.maximum(error, 0.02 * evidence.model.diameter) * np.float32(evidence.focal) / z + np.float32(0.5)
    trust = np.broadcast_to(weight, sigma.shape)
    for _ in range(3):
        offset = ((_overlaid(drawn, seen, trust) - seen) ** 2).sum(axis=0)
        kernel = 1 / (1 + offset / sigma**2)
        trust = weight * kernel**2
    return np.asarray(kernel @ weight / weight.sum(), float)


def _overlaid(drawn: Map, seen: Map, trust: Map) -> Map:
    """Pixels (2, H, N) moved and scaled (by 0.8 to 1.25) onto those seen (2, 1, N), least squares, weights (H, N)."""
    share = trust / np.maximum(trust.sum(axis=1, keepdims=True), np.float32(1e-9))
    spread = drawn - (drawn * share).sum(axis=2, keepdims=True)
    middle = (seen * share).sum(axis=2, keepdims=True)
    size = np.maximum((share * spread**2).sum(axis=(0, 2)), 1e-9)
    scale = np.clip((share * spread * (seen - middle)).sum(axis=(0, 2)) / size, 0.8, 1.25).astype(np.float32)
    return middle + scale[:, None] * spread


def _silhouette(cover: Map, amodal: Map) -> Array:
    common = np.minimum(cover, amodal).sum(axis=(1, 2))
    return np.asarray(common / np.maximum(cover.sum(axis=(1, 2)) + amodal.sum() - common, 1e-6), dtype=float)


def _unseen(evidence: Evidence) -> NDArray[np.bool_]:
    """Where (1, S, S) nothing of the object is seen within two pixels, so that its rim cannot be judged."""
    return (cv2.dilate(evidence.visible, np.ones((5, 5), np.uint8)) < 0.5)[None]


def _outline(cover: Map, evidence: Evidence, hidden: NDArray[np.bool_]) -> Array:
    """Mean (H,) of the picture's edges over the rims of the silhouettes that are not hidden."""
    rim = ((cover == 0.5) & ~hidden).reshape(len(cover), -1).astype(np.float32)
    return np.asarray(rim @ evidence.edges.ravel() / np.maximum(rim.sum(axis=1), 1), dtype=float)


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
    if surface.colors is None:
        return result
    chosen = where & (drawn.index >= 0)
    counts = chosen.reshape(len(where), -1).sum(axis=1)
    chosen[counts < _FEWEST] = False
    enough = counts >= _FEWEST
    if not enough.any():
        return result
    pose, row, column = np.nonzero(chosen)
    model, seen = surface.colors[drawn.index[pose, row, column]], evidence.rgb[row, column]
    starts = np.concatenate([[0], np.cumsum(counts[enough])[:-1]])
    sums = np.add.reduceat(np.stack([model, seen, model * seen, model**2, seen**2]), starts, axis=1)
    first, second, product, first2, second2 = sums / counts[enough][:, None]
    spread = np.sqrt((first2 - first**2 + _LIGHT) * (second2 - second**2 + _LIGHT))
    result[enough] = 0.5 + 0.5 * ((product - first * second) / spread).mean(axis=1)
    return result
