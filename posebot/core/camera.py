"""The pinhole camera, its pixels and its boxes.

Conventions, written down here once:

- OpenCV camera frame: x right, y down, z forward, metres.
- Pixel centres lie at whole numbers: pixel (0, 0) covers [-0.5, 0.5] x [-0.5, 0.5]; an image of width W covers
  [-0.5, W - 0.5].
- A box is `xyxy` = (x0, y0, x1, y1) in those coordinates, continuous. The box of a set of pixels with columns c0..c1
  (both inside) is (c0 - 0.5, ..., c1 + 0.5): its width is the number of columns. BOP's `bbox_visib` (x, y, w, h) in
  whole pixels is thus (x - 0.5, y - 0.5, x + w - 0.5, y + h - 0.5).
- Resizing by a factor s maps the pixel u to s * (u + 0.5) - 0.5 (as cv2.resize and torch's align_corners=False).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posebot.core.equality import ArrayEquality
from posebot.core.errors import IntrinsicsError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Camera(ArrayEquality):
    """Intrinsics of one image.

    Attributes:
        K: 3x3, pixels. distortion: OpenCV coefficients (0, 4, 5, 8, 12 or 14 numbers). width, height: pixels.
    Raises:
        InputError: K is not a finite pinhole matrix, or the size is not positive.
    """

    K: Array
    width: int
    height: int
    distortion: Array = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        K = np.asarray(self.K, dtype=float)
        if K.size != 9:
            raise IntrinsicsError("camera", f"K has {K.size} numbers", "9 are needed (row-major 3x3, pixels)")
        K = K.reshape(3, 3)
        if not np.isfinite(K).all() or K[0, 0] <= 0 or K[1, 1] <= 0 or not np.allclose(K[2], [0, 0, 1]):
            raise IntrinsicsError("camera", f"K = {K.ravel().tolist()} is not a pinhole matrix",
                                  "fx, fy > 0, last row 0 0 1")
        if self.width <= 0 or self.height <= 0:
            raise IntrinsicsError("camera", f"size {self.width}x{self.height}", "width and height in pixels, > 0")
        distortion = np.asarray(self.distortion, dtype=float).ravel()
        if distortion.size not in (0, 4, 5, 8, 12, 14):
            raise IntrinsicsError("camera", f"distortion has {distortion.size} numbers",
                                  "0, 4, 5, 8, 12 or 14 (OpenCV)")
        object.__setattr__(self, "K", K)
        object.__setattr__(self, "distortion", distortion)

    def __repr__(self) -> str:
        fx, fy, cx, cy = self.K[0, 0], self.K[1, 1], self.K[0, 2], self.K[1, 2]
        distortion = f", distortion={self.distortion.round(5).tolist()}" if self.distorted else ""
        return f"Camera({self.width}x{self.height}, fx={fx:.1f}, fy={fy:.1f}, cx={cx:.1f}, cy={cy:.1f}{distortion})"

    @property
    def distorted(self) -> bool:
        return bool(np.any(self.distortion))

    def undistorted(self) -> Camera:
        """The same K without distortion, as for an image that `cv2.undistort` has undistorted."""
        return Camera(self.K, self.width, self.height)

    def scaled(self, factor: float) -> Camera:
        """The camera of the image resized by `factor`, size rounded."""
        width, height = round(self.width * factor), round(self.height * factor)
        return Camera(resize_K(self.K, width / self.width, height / self.height), width, height, self.distortion)

    def project(self, points_cam: ArrayLike) -> Array:
        """Points (..., 3) in the camera frame to pixels (..., 2), without distortion. z must be positive."""
        return project(self.K, points_cam)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Camera:
        """The camera of `to_dict`; unknown fields are skipped."""
        return cls(np.asarray(data["K"], dtype=float), int(data["width"]), int(data["height"]),
                   np.asarray(data.get("distortion", ()), dtype=float))

    def to_dict(self) -> dict[str, object]:
        """K row-major (9 numbers), distortion, width and height, as in results."""
        return {"K": self.K.ravel().tolist(), "distortion": self.distortion.tolist(),
                "width": self.width, "height": self.height}


def project(K: Array, points_cam: ArrayLike) -> Array:
    """Pixels (..., 2) of points (..., 3) in the camera frame, pinhole without distortion."""
    points = np.asarray(points_cam, dtype=float)
    return (points[..., :2] / points[..., 2:]) @ K[:2, :2].T + K[:2, 2]


def rays(K: Array, pixels: ArrayLike) -> Array:
    """Directions (..., 3) with z = 1 through pixels (..., 2)."""
    uv = np.asarray(pixels, dtype=float)
    xy = (uv - K[:2, 2]) @ np.linalg.inv(K[:2, :2]).T
    return np.concatenate([xy, np.ones((*xy.shape[:-1], 1))], axis=-1)


def unproject(K: Array, depth: NDArray[np.floating]) -> Array:
    """Points (H, W, 3) in the camera frame from a depth image (H, W) in metres; (0, 0, 0) where depth is 0."""
    height, width = depth.shape
    u, v = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    return rays(K, np.stack([u, v], axis=-1)) * depth[..., None]


def resize_K(K: Array, scale_x: float, scale_y: float) -> Array:
    """K of an image resized by the factors, pixel centres at whole numbers."""
    return np.array([[scale_x, 0, 0.5 * scale_x - 0.5], [0, scale_y, 0.5 * scale_y - 0.5], [0, 0, 1.0]]) @ K


def box_from_bop(xywh: ArrayLike) -> Array:
    """xyxy from a BOP box (x, y, width, height) in whole pixels."""
    x, y, w, h = np.asarray(xywh, dtype=float)
    return np.array([x - 0.5, y - 0.5, x + w - 0.5, y + h - 0.5])


def box_to_bop(xyxy: ArrayLike) -> list[int]:
    """BOP (x, y, width, height) in whole pixels from an xyxy box; inverse of `box_from_bop`."""
    x0, y0, x1, y1 = np.asarray(xyxy, dtype=float)
    return [round(x0 + 0.5), round(y0 + 0.5), round(x1 - x0), round(y1 - y0)]


def box_from_mask(mask: NDArray[np.bool_]) -> Array | None:
    """xyxy box of a mask (H, W), or None if it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return np.array([columns[0] - 0.5, rows[0] - 0.5, columns[-1] + 0.5, rows[-1] + 0.5])


def box_iou(boxes_a: ArrayLike, boxes_b: ArrayLike) -> Array:
    """Intersection over union (N, M) of xyxy boxes (N, 4) and (M, 4)."""
    a, b = np.asarray(boxes_a, dtype=float).reshape(-1, 4), np.asarray(boxes_b, dtype=float).reshape(-1, 4)
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=-1)
    area_a, area_b = np.prod(a[:, 2:] - a[:, :2], axis=-1), np.prod(b[:, 2:] - b[:, :2], axis=-1)
    return common / np.maximum(area_a[:, None] + area_b[None] - common, 1e-12)


def crop_matrix(box_xyxy: ArrayLike, size: int, pad: float = 1.25, angle: float = 0.0) -> Array:
    """3x3 affine matrix that maps image pixels to pixels of a square crop (size x size).

    The crop is centred on the box, its side is the box's longer side times `pad`; `angle` (radians) turns it about its
    centre. Use with `cv2.warpAffine(image, M[:2], (size, size), flags=...)`. The crop's camera is `crop_matrix @ K`
    (for angle 0 an ordinary pinhole, otherwise one with the roll inside).
    """
    x0, y0, x1, y1 = np.asarray(box_xyxy, dtype=float)
    scale = size / max(pad * max(x1 - x0, y1 - y0), 1e-6)
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    cx, cy, middle = (x0 + x1) / 2, (y0 + y1) / 2, (size - 1) / 2
    return np.array([[cos, -sin, middle - cos * cx + sin * cy], [sin, cos, middle - sin * cx - cos * cy], [0, 0, 1.0]])


def transform_pixels(matrix: Array, pixels: ArrayLike) -> Array:
    """Pixels (..., 2) mapped by a 3x3 affine matrix."""
    return np.asarray(pixels, dtype=float) @ matrix[:2, :2].T + matrix[:2, 2]
