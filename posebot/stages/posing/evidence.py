"""Everything one crop says about one object's pose, in one small pinhole picture.

The pose stage works in a square picture of `SIZE` x `SIZE` pixels around the object (the crop, resized). Its camera is
an ordinary pinhole, so that near and far objects look alike and every step costs the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import rays, resize_K
from posebot.core.frame import Frame
from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array
from posebot.stages.localize import Localization
from posebot.stages.posing.landmarks import Pairs, matched
from posebot.stages.posing.region import Region, region_of
from posebot.stages.posing.sharpen import sharpened
from posebot.stages.posing.standing import Upright

SIZE = 64
Map = NDArray[np.float32]
_EDGE = np.float32(15.0)  # of 255 a pixel: a gradient that is as likely an edge as not
_SEEN = 0.35  # probability from which a pixel's coordinates are used


@dataclass(frozen=True)
class Evidence:
    """Evidence in the working picture (S x S pixels, camera `K`).

    Attributes:
        visible: (S, S) probability that the object is seen, after the picture's colours have been heard.
        amodal: (S, S) share of the pixel that the whole object covers, 0..1.
        rgb: float32 (S, S, 3). edges: (S, S) how much of an edge there is in the picture, 0..1.
        points: float32 (S, S, 3) what the depth sensor sees at each pixel, camera frame, metres, (0, 0, 0) = no
            reading; None without depth.
        pixels: (N, 2) working pixels with coordinates. coordinates: (N, 3) object points predicted there, metres.
        sigma: (N,) their expected error, metres. weight: (N,) probability that the pixel belongs to the object.
        origin: (3,) camera-frame position of the object's origin that the network guesses from the whole crop.
        region, bins: the crop's own pixels and the network's probabilities (M, M, 3, B), see `closer`; None with depth,
            `bins` also of a network that gives none. pairs: what is seen of the object's print, if it has one. upright:
            which way is up, where that is known.
    """

    model: ObjectModel
    K: Array
    visible: Map = field(repr=False)
    amodal: Map = field(repr=False)
    rgb: Map = field(repr=False)
    edges: Map = field(repr=False)
    points: Map | None = field(repr=False)
    pixels: Array = field(repr=False)
    coordinates: Array = field(repr=False)
    sigma: Array = field(repr=False)
    weight: Array = field(repr=False)
    origin: Array
    region: Region | None = field(default=None, repr=False)
    pairs: Pairs | None = field(default=None, repr=False)
    bins: Map | None = field(default=None, repr=False)
    upright: Upright | None = None

    @property
    def focal(self) -> float:
        """Geometric mean focal length of the working picture, pixels."""
        return float(np.sqrt(self.K[0, 0] * self.K[1, 1]))

    def closer(self, localization: Localization) -> Evidence:
        """The same, without depth and with the crop in full: for what colour alone must do."""
        K = np.linalg.inv(localization.resampled(len(self.visible))) @ self.K
        bins = None if localization.bins is None else np.ascontiguousarray(localization.bins.transpose(2, 3, 0, 1))
        return replace(self, points=None, region=region_of(localization, K), bins=bins)

    def thinned(self, most: int) -> Evidence:
        """The same with at most so many coordinates, each of which counts as much more."""
        step = max(1, -(-len(self.pixels) // most))
        return replace(self, pixels=self.pixels[::step], coordinates=self.coordinates[::step],
                       sigma=self.sigma[::step], weight=self.weight[::step] * step)

    def halved(self) -> Evidence:
        """The same in a quarter of the pixels and coordinates: for judging many poses roughly."""
        size = len(self.visible) // 2
        visible, amodal, rgb, edges = (cv2.resize(m, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
                                       for m in (self.visible, self.amodal, self.rgb, self.edges))
        points = None if self.points is None else np.ascontiguousarray(self.points[1::2, 1::2])
        return replace(self, K=resize_K(self.K, 0.5, 0.5), visible=visible, amodal=amodal, rgb=rgb, edges=edges,
                       points=points, pixels=(self.pixels[::4] + 0.5) / 2 - 0.5, coordinates=self.coordinates[::4],
                       sigma=self.sigma[::4], weight=self.weight[::4],
                       region=None, pairs=None)


def gather(frame: Frame, localization: Localization, model: ObjectModel, use_depth: bool = True) -> Evidence:
    """Bring one crop's maps, its picture and the frame's depth to the working picture. The frame is undistorted."""
    matrix = localization.resampled(SIZE)
    visible, amodal = (cv2.resize(m, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR).astype(np.float32)
                       for m in (localization.visible, localization.amodal))
    amodal = np.clip(2 * amodal - 0.5, 0, 1)  # a probability says where the edge is; inside it coverage is 1
    rgb = cv2.resize(localization.crop, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
    visible = sharpened(visible, rgb)
    points = None
    if use_depth and frame.depth is not None:
        points = _sensed(frame.depth, frame.camera.K, matrix)
    seen = localization.visible > _SEEN
    pairs = None if model.landmarks is None else matched(frame.rgb, localization, model.landmarks)
    rows, columns = np.nonzero(seen)
    factor = SIZE / localization.visible.shape[0]
    pixels = np.stack([columns, rows], axis=1) * factor + (factor - 1) / 2
    return Evidence(
        model=model, K=matrix @ frame.camera.K, visible=visible, amodal=amodal, rgb=rgb, edges=_edges(rgb),
        points=points, pixels=pixels,
        coordinates=model.denormalise(localization.coordinates[:, seen].T.astype(float)),
        sigma=np.maximum(localization.scale[seen].astype(float), 1e-3) * model.diameter,
        weight=localization.visible[seen].astype(float), origin=_origin(localization, frame.camera.K, model.diameter),
        pairs=None if pairs is None else pairs.moved(matrix),
    )


def _edges(rgb: Map) -> Map:
    """How much of an edge there is at each pixel: the steepest channel's gradient g, as g / (g + `_EDGE`)."""
    across, down = (cv2.Sobel(rgb, cv2.CV_32F, x, 1 - x) * np.float32(0.25) for x in (1, 0))
    steepness = np.sqrt((across**2 + down**2).max(axis=-1))
    return np.asarray(steepness / (steepness + _EDGE), np.float32)


def _sensed(depth: NDArray[np.float32], K: Array, matrix: Array) -> Map:
    """The sensor reading nearest to each working pixel, unprojected at its own place; no blending over edges."""
    height, width = depth.shape
    step = np.arange(SIZE)
    x = np.rint((step - matrix[0, 2]) / matrix[0, 0]).astype(int)
    y = np.rint((step - matrix[1, 2]) / matrix[1, 1]).astype(int)
    z = depth[y.clip(0, height - 1)[:, None], x.clip(0, width - 1)]
    inside = ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))
    z = np.where(inside & np.isfinite(z), z, 0)
    along = rays(K, np.stack(np.broadcast_arrays(x, y[:, None]), axis=-1)).astype(np.float32)
    return along * z[..., None]


def _origin(localization: Localization, K: Array, diameter: float) -> Array:
    """Position (3,) from the `center` output, see docs/explanation/architecture.md."""
    x0, y0, x1, y1 = localization.detection.box_xyxy
    side = localization.side
    dx, dy, dz = localization.center.astype(float)
    z = np.exp(np.clip(dz, -3, 3)) * np.sqrt(K[0, 0] * K[1, 1]) * diameter / side
    return rays(K, np.array([(x0 + x1) / 2 + dx * side, (y0 + y1) / 2 + dy * side])) * z
