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

SIZE = 64
Map = NDArray[np.float32]
_SEEN = 0.35  # probability from which a pixel's coordinates are used


@dataclass(frozen=True)
class Evidence:
    """Evidence in the working picture (S x S pixels, camera `K`).

    Attributes:
        visible: (S, S) probability. amodal: (S, S) share of the pixel that the whole object covers, 0..1.
        rgb: float32 (S, S, 3).
        points: float32 (S, S, 3) what the depth sensor sees at each pixel, camera frame, metres, (0, 0, 0) = no
            reading; None without depth.
        pixels: (N, 2) working pixels with coordinates. coordinates: (N, 3) object points predicted there, metres.
        sigma: (N,) their expected error, metres. weight: (N,) probability that the pixel belongs to the object.
        origin: (3,) camera-frame position of the object's origin that the network guesses from the whole crop.
    """

    model: ObjectModel
    K: Array
    visible: Map = field(repr=False)
    amodal: Map = field(repr=False)
    rgb: Map = field(repr=False)
    points: Map | None = field(repr=False)
    pixels: Array = field(repr=False)
    coordinates: Array = field(repr=False)
    sigma: Array = field(repr=False)
    weight: Array = field(repr=False)
    origin: Array

    @property
    def focal(self) -> float:
        """Geometric mean focal length of the working picture, pixels."""
        return float(np.sqrt(self.K[0, 0] * self.K[1, 1]))

    def halved(self) -> Evidence:
        """The same in a quarter of the pixels and coordinates: for judging many poses roughly."""
        size = len(self.visible) // 2
        visible, amodal, rgb = (cv2.resize(m, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
                                for m in (self.visible, self.amodal, self.rgb))
        points = None if self.points is None else np.ascontiguousarray(self.points[1::2, 1::2])
        return replace(self, K=resize_K(self.K, 0.5, 0.5), visible=visible, amodal=amodal, rgb=rgb, points=points,
                       pixels=(self.pixels[::4] + 0.5) / 2 - 0.5, coordinates=self.coordinates[::4],
                       sigma=self.sigma[::4], weight=self.weight[::4])


def gather(frame: Frame, localization: Localization, model: ObjectModel, use_depth: bool = True) -> Evidence:
    """Bring one crop's maps, its picture and the frame's depth to the working picture. The frame is undistorted."""
    matrix = localization.resampled(SIZE)
    visible, amodal = (cv2.resize(m, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR).astype(np.float32)
                       for m in (localization.visible, localization.amodal))
    amodal = np.clip(2 * amodal - 0.5, 0, 1)  # a probability says where the edge is; inside it coverage is 1
    rgb = cv2.resize(localization.crop, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
    points = None
    if use_depth and frame.depth is not None:
        points = _sensed(frame.depth, frame.camera.K, matrix)
    seen = localization.visible > _SEEN
    rows, columns = np.nonzero(seen)
    factor = SIZE / localization.visible.shape[0]
    pixels = np.stack([columns, rows], axis=1) * factor + (factor - 1) / 2
    return Evidence(
        model=model, K=matrix @ frame.camera.K, visible=visible, amodal=amodal, rgb=rgb, points=points, pixels=pixels,
        coordinates=model.denormalise(localization.coordinates[:, seen].T.astype(float)),
        sigma=np.maximum(localization.scale[seen].astype(float), 1e-3) * model.diameter,
        weight=localization.visible[seen].astype(float), origin=_origin(localization, frame.camera.K, model.diameter),
    )


def _sensed(depth: NDArray[np.float32], K: Array, matrix: Array) -> Map:
    """The sensor reading nearest to each working pixel, unprojected at its own place; no blending over edges."""
    height, width = depth.shape
    u, v = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    inverse = np.linalg.inv(matrix)
    x = np.rint(inverse[0, 0] * u + inverse[0, 2]).astype(int)
    y = np.rint(inverse[1, 1] * v + inverse[1, 2]).astype(int)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    z = np.where(inside, depth[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)], 0)
    z = np.where(np.isfinite(z), z, 0)
    return (rays(K, np.stack([x, y], axis=-1)) * z[..., None]).astype(np.float32)


def _origin(localization: Localization, K: Array, diameter: float) -> Array:
    """Position (3,) from the `center` output, see docs/architecture.md."""
    x0, y0, x1, y1 = localization.detection.box_xyxy
    side = localization.side
    dx, dy, dz = localization.center.astype(float)
    z = np.exp(np.clip(dz, -3, 3)) * np.sqrt(K[0, 0] * K[1, 1]) * diameter / side
    return rays(K, np.array([(x0 + x1) / 2 + dx * side, (y0 + y1) / 2 + dy * side])) * z
