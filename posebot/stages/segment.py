"""Table-top segmentation by depth alone: the table's plane, and the segments above it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array

Mask = NDArray[np.bool_]
_TRIES, _SAMPLES = 200, 3000
_PLANE_TOLERANCE = 0.006  # metres that a reading on the plane may be off
_MIN_PLANE_SHARE = 0.15  # of all readings must lie on the plane
_MIN_HEIGHT, _MIN_HEIGHT_SIGMAS, _MAX_HEIGHT = 0.003, 4.0, 0.5  # metres, sigmas and metres above the plane
_DEPTH_JUMP = 0.015  # metres from pixel to pixel, between two objects
_MIN_PIXELS = 150  # of a segment
_KERNEL = np.ones((3, 3), np.uint8)
_STEP, _BLUR = 3, 7  # pixels over which normals are compared, and points averaged
_CONCAVE = -0.35  # change of the normal, along the surface, at which two objects meet


def above_table(points: Array) -> Mask | None:
    """Mask (H, W) of what is above the table, from points (H, W, 3) in the camera frame; None without a plane.

    The table is the plane that most readings lie on; their noise there limits how flat an object may be.
    """
    plane = table_plane(points.reshape(-1, 3))
    if plane is None:
        return None
    height = points @ plane[:3] + plane[3]
    read = points[..., 2] > 0
    noise = float(np.std(height[read & (np.abs(height) < _PLANE_TOLERANCE)]))
    return np.asarray(read & (height > max(_MIN_HEIGHT, _MIN_HEIGHT_SIGMAS * noise)) & (height < _MAX_HEIGHT))


def table_plane(points: Array) -> Array | None:
    """(4,) unit normal, towards the camera, and offset of the plane that most of the points (N, 3) lie on: RANSAC, then
    least squares. None where no plane holds enough of them. Points at z = 0 are no readings."""
    points = points[points[:, 2] > 0]
    if len(points) < 100:
        return None
    rng = np.random.default_rng(0)
    points = points[rng.choice(len(points), min(_SAMPLES, len(points)), replace=False)]
    corners = points[rng.integers(len(points), size=(_TRIES, 3))]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    offsets = -(normals * corners[:, 0]).sum(axis=1)
    counts = (np.abs(points @ normals.T + offsets) < _PLANE_TOLERANCE).sum(axis=0)
    normal, offset = normals[counts.argmax()], offsets[counts.argmax()]
    if counts.max() < _MIN_PLANE_SHARE * len(points):
        return None
    for _ in range(3):
        on = points[np.abs(points @ normal + offset) < _PLANE_TOLERANCE]
        middle = on.mean(axis=0)
        normal = np.linalg.svd(on - middle, full_matrices=False)[2][2]
        offset = -float(normal @ middle)
    return np.append(normal, offset) * (1 if offset > 0 else -1)  # the camera, at 0, is above the table


def split(mask: Mask, depth: Array) -> list[Mask]:
    """A mask's connected components, separated where depth (H, W) jumps, the largest first; small ones are dropped."""
    near = np.where(mask, depth, np.inf).astype(np.float32)
    far = np.where(mask, depth, 0).astype(np.float32)
    smooth = mask & (cv2.dilate(far, _KERNEL) - cv2.erode(near, _KERNEL) < _DEPTH_JUMP)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(smooth.astype(np.uint8), connectivity=4)
    found = [(int(stats[label, cv2.CC_STAT_AREA]), label) for label in range(1, count)
             if stats[label, cv2.CC_STAT_AREA] >= _MIN_PIXELS]
    grown = [cv2.dilate((labels == label).astype(np.uint8), _KERNEL) > 0 for _, label in sorted(found, reverse=True)]
    return [piece & mask for piece in grown]


def split_at_concavities(mask: Mask, points: Array) -> list[Mask]:
    """A mask's components, separated also where its surface is concave, as where one object leans against another."""
    smooth = _averaged(mask, points)
    across, down = (_central(smooth, axis) for axis in (1, 0))
    normals = np.cross(down, across)  # towards the camera: x right, y down, z forward
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    concave = np.zeros(mask.shape, bool)
    for axis, along in ((1, across), (0, down)):
        bend = (_central(normals, axis) * along).sum(axis=-1) / np.maximum(np.linalg.norm(along, axis=-1), 1e-9)
        concave |= bend < _CONCAVE
    return split(mask & ~concave, points[..., 2])


def _averaged(mask: Mask, points: Array) -> Array:
    """Points (H, W, 3) averaged over the part of the mask around each."""
    weight = mask.astype(np.float64)
    total = cv2.blur(points * weight[..., None], (_BLUR, _BLUR))
    return np.asarray(total / np.maximum(cv2.blur(weight, (_BLUR, _BLUR)), 1e-9)[..., None])


def _central(values: Array, axis: int) -> Array:
    """Differences (H, W, 3) between `_STEP` pixels ahead and behind; at the border, to the border."""
    index = np.arange(values.shape[axis])
    ahead, behind = (np.clip(index + step, 0, len(index) - 1) for step in (_STEP, -_STEP))
    return np.asarray(values.take(ahead, axis) - values.take(behind, axis))
