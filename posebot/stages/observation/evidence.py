"""All evidence of one crop about one object's pose, in one small pinhole image.

The pose stage works in a square image of `SIZE` x `SIZE` pixels around the object (the crop, resized). Its camera is an
ordinary pinhole, so that near and far objects are treated alike and every step costs the same.
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
from posebot.stages.observation.colour_posterior import colour_posterior
from posebot.stages.observation.region import Region, region_of_crop
from posebot.stages.observation.texture_landmarks import LandmarkMatches, match_landmarks
from posebot.stages.observation.upright import Upright
from posebot.stages.settings import DEFAULTS, PoseSettings

SIZE = 64
Map = NDArray[np.float32]


@dataclass(frozen=True)
class Evidence:
    """Evidence in the working image (S x S pixels, camera `K`).

    Attributes:
        visible: (S, S) probability that the object is visible, given the mask and the colours.
        amodal: (S, S) share of the pixel that the whole object covers, 0..1.
        rgb: float32 (S, S, 3). edges: (S, S) edge strength of the image, 0..1.
        points: float32 (S, S, 3) depth reading at each pixel, camera frame, metres, (0, 0, 0) = none; None without
            depth.
        pixels: (N, 2) working pixels with coordinates. coordinates: (N, 3) object points predicted there, metres.
        sigma: (N,) their expected error, metres. weight: (N,) probability that the pixel belongs to the object.
        origin: (3,) camera-frame position of the object's origin that the network predicts from the whole crop.
        region, bins: the crop at full resolution and the network's probabilities (M, M, 3, B), see `for_colour`; None
            with depth, `bins` also for a network without them. matches: texture landmarks, if the object has any.
        upright: the up direction, where it is known. settings: those that the pose is solved with.
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
    matches: LandmarkMatches | None = field(default=None, repr=False)
    bins: Map | None = field(default=None, repr=False)
    upright: Upright | None = None
    settings: PoseSettings = field(default=DEFAULTS, repr=False)

    @property
    def focal(self) -> float:
        """Geometric mean focal length of the working image, pixels."""
        return float(np.sqrt(self.K[0, 0] * self.K[1, 1]))

    def for_colour(self, localization: Localization) -> Evidence:
        """The same without depth and with the crop at full resolution: for poses from colour alone."""
        K = np.linalg.inv(localization.resampled(len(self.visible))) @ self.K
        bins = None if localization.bins is None else np.ascontiguousarray(localization.bins.transpose(2, 3, 0, 1))
        return replace(self, points=None, region=region_of_crop(localization, K, self.settings.observation.colour),
                       bins=bins)

    def subsampled(self, max_coordinates: int) -> Evidence:
        """The same with at most this many coordinates, weighted accordingly."""
        step = max(1, -(-len(self.pixels) // max_coordinates))
        return replace(self, pixels=self.pixels[::step], coordinates=self.coordinates[::step],
                       sigma=self.sigma[::step], weight=self.weight[::step] * step)

    def half_resolution(self) -> Evidence:
        """The same in a quarter of the pixels and coordinates: for a rough score of many poses."""
        size = len(self.visible) // 2
        visible, amodal, rgb, edges = (cv2.resize(m, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
                                       for m in (self.visible, self.amodal, self.rgb, self.edges))
        points = None if self.points is None else np.ascontiguousarray(self.points[1::2, 1::2])
        return replace(self, K=resize_K(self.K, 0.5, 0.5), visible=visible, amodal=amodal, rgb=rgb, edges=edges,
                       points=points, pixels=(self.pixels[::4] + 0.5) / 2 - 0.5, coordinates=self.coordinates[::4],
                       sigma=self.sigma[::4], weight=self.weight[::4], region=None, matches=None)


def gather(frame: Frame, localization: Localization, model: ObjectModel, use_depth: bool = True,
           settings: PoseSettings = DEFAULTS) -> Evidence:
    """Resample one crop's maps, its image and the frame's depth to the working image. The frame is undistorted."""
    matrix, own = localization.resampled(SIZE), settings.observation
    visible, amodal = (cv2.resize(m, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR).astype(np.float32)
                       for m in (localization.visible, localization.amodal))
    amodal = np.clip(2 * amodal - 0.5, 0, 1)  # the 0.5 level of the probability is the edge; inside it coverage is 1
    rgb = cv2.resize(localization.crop, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
    visible = colour_posterior(visible, rgb, own.colour)
    points = None
    if use_depth and frame.depth is not None:
        points = _depth_points(frame.depth, frame.camera.K, matrix)
    matches = None
    if model.landmarks is not None:
        matches = match_landmarks(frame.rgb, localization, model.landmarks, own.landmarks)
    chosen = localization.visible > own.min_visible
    rows, columns = np.nonzero(chosen)
    factor = SIZE / localization.visible.shape[0]
    return Evidence(
        model=model, K=matrix @ frame.camera.K, visible=visible, amodal=amodal, rgb=rgb,
        edges=_edge_strength(rgb, own.half_edge), points=points,
        pixels=np.stack([columns, rows], axis=1) * factor + (factor - 1) / 2,
        coordinates=model.denormalise(localization.coordinates[:, chosen].T.astype(float)),
        sigma=np.maximum(localization.scale[chosen].astype(float), 1e-3) * model.diameter,
        weight=localization.visible[chosen].astype(float), origin=_origin(localization, frame.camera.K, model.diameter),
        matches=None if matches is None else matches.resampled(matrix),
        settings=settings)


def _edge_strength(rgb: Map, half_edge: float) -> Map:
    """Edge strength of each pixel: the steepest channel's gradient g, as g / (g + half_edge)."""
    across, down = (cv2.Sobel(rgb, cv2.CV_32F, x, 1 - x) * np.float32(0.25) for x in (1, 0))
    steepness = np.sqrt((across**2 + down**2).max(axis=-1))
    return np.asarray(steepness / (steepness + np.float32(half_edge)), np.float32)


def _depth_points(depth: NDArray[np.float32], K: Array, matrix: Array) -> Map:
    """The depth reading nearest to each working pixel, unprojected from its own pixel; no blending across edges."""
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
    """Position (3,) of the origin from the `center` output, see docs/explanation/architecture.md."""
    x0, y0, x1, y1 = localization.detection.box_xyxy
    side = localization.side
    dx, dy, dz = localization.center.astype(float)
    z = np.exp(np.clip(dz, -3, 3)) * np.sqrt(K[0, 0] * K[1, 1]) * diameter / side
    return rays(K, np.array([(x0 + x1) / 2 + dx * side, (y0 + y1) / 2 + dy * side])) * z
