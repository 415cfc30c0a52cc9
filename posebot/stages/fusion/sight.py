"""Expected visibility of the map's objects, and which of them the depth camera sees through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import Camera, project
from posebot.core.frame import Frame
from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, apply, inverse
from posebot.objects.geometry import face_area_vectors, sample_surface

_POINTS = 96
_MIN_Z = 0.05  # metres in front of the camera
_SOLID_SHARE = 0.8  # of the bounding box, that certainly occludes
_MIN_READINGS = 8  # readings


@dataclass(frozen=True)
class Shape:
    """Points (N, 3) of an object's surface with outward normals, and its bounding box; object frame, metres."""

    points: Array
    normals: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Visibility:
    """Of M objects. visible: (M,) share of the front side that is in the image and not occluded, 0..1.
    through: (M,) share of the depth readings on it that lie clearly behind it, 0..1; 0 where there are too few."""

    visible: Array
    through: Array


def shape_of(model: ObjectModel) -> Shape:
    """Evenly spread points."""
    points, faces, _ = sample_surface(model.mesh, _POINTS)
    normals = face_area_vectors(model.mesh)[faces]
    half = _SOLID_SHARE * model.extents / 2
    return Shape(points, normals, model.center - half, model.center + half)


def visibility(shapes: Sequence[Shape], cam_from_obj: Array, frame: Frame, tolerance: Array,
         others: Sequence[Sequence[tuple[Shape, Array]]] = ()) -> Visibility:
    """Visibility of M objects at poses (M, 4, 4).

    Args:
        tolerance: (M,) metres along the viewing ray that a reading may differ. others: for each object shapes and
            cam_from_obj of all that may occlude it where there is no depth reading.
    """
    points = apply(cam_from_obj, np.array([shape.points for shape in shapes]))
    normals = np.array([shape.normals for shape in shapes]) @ np.swapaxes(cam_from_obj[:, :3, :3], 1, 2)
    z = points[..., 2]
    facing = (np.einsum("mij,mij->mi", normals, points) < 0) & (z > _MIN_Z)
    readings, inside = _readings(frame, points, facing)
    known, margin = readings > 0, tolerance[:, None]
    nearer, behind = known & (readings < z - margin), known & (readings > z + margin)
    hidden = nearer.copy()
    for place, before in enumerate(others):
        unknown = facing[place] & ~known[place]
        if before and unknown.any():
            hidden[place, unknown] = _blocked(points[place, unknown], before)
    count, open_ = facing.sum(axis=1), (known & ~nearer).sum(axis=1)
    enough = (open_ >= np.maximum(_MIN_READINGS, count // 4)) & (count >= _MIN_READINGS)
    return Visibility(np.where(count >= _MIN_READINGS, (inside & ~hidden).sum(axis=1) / np.maximum(count, 1), 0.0),
                 np.where(enough, behind.sum(axis=1) / np.maximum(open_, 1), 0.0))


def _readings(frame: Frame, points: Array, wanted: NDArray[np.bool_]) -> tuple[Array, NDArray[np.bool_]]:
    """Depth (M, N) at those of the points (M, N, 3) that are wanted, 0 where there is none; and which are in view."""
    K, size = frame.camera.K, (frame.camera.width, frame.camera.height)
    z = np.where(wanted, points[..., 2], 1.0)
    x = np.rint((K[0, 0] * points[..., 0] + K[0, 1] * points[..., 1]) / z + K[0, 2])
    y = np.rint(K[1, 1] * points[..., 1] / z + K[1, 2])
    inside = wanted & (x >= 0) & (x < size[0]) & (y >= 0) & (y < size[1])
    readings = np.zeros(z.shape)
    if frame.depth is not None:
        readings[inside] = frame.depth[y[inside].astype(int), x[inside].astype(int)]
        readings[~np.isfinite(readings)] = 0.0
    return readings, inside


def _blocked(points: Array, others: Sequence[tuple[Shape, Array]]) -> NDArray[np.bool_]:
    """Which points (N, 3) lie behind the box of another object (slab test of the segment from the camera)."""
    obj_from_cam = inverse(np.array([cam_from_obj for _, cam_from_obj in others]))
    eyes = obj_from_cam[:, None, :3, 3]
    along = points @ np.swapaxes(obj_from_cam[:, :3, :3], 1, 2)  # (K, N, 3)
    along[np.abs(along) < 1e-9] = 1e-9
    first = (np.array([shape.low for shape, _ in others])[:, None] - eyes) / along
    second = (np.array([shape.high for shape, _ in others])[:, None] - eyes) / along
    low, high = np.minimum(first, second), np.maximum(first, second)
    enter = np.maximum(np.maximum(low[..., 0], low[..., 1]), low[..., 2])  # faster than max(axis=-1)
    leave = np.minimum(np.minimum(high[..., 0], high[..., 1]), high[..., 2])
    return np.asarray(((enter < leave) & (leave > 0) & (enter < 0.98)).any(axis=0))


def in_view(centers: Array, radii: Array, camera: Camera) -> NDArray[np.bool_]:
    """Which of the spheres (N, 3), (N,) in the camera frame may be in the image. Fast, conservative."""
    depth = np.maximum(centers[:, 2], _MIN_Z)
    pixels = project(camera.K, np.column_stack([centers[:, :2], depth]))
    reach = (max(camera.K[0, 0], camera.K[1, 1]) * radii / depth)[:, None]
    inside = np.all((pixels > -reach) & (pixels < np.array([camera.width, camera.height]) + reach), axis=1)
    return np.asarray(inside & (centers[:, 2] > _MIN_Z))


def occluders(centers: Array, radii: Array) -> NDArray[np.bool_]:
    """Which of the spheres (N, 3), (N,) in the camera frame may be occluded (N, N: row) by which other (column)."""
    direction = centers / np.maximum(np.sqrt((centers**2).sum(axis=1)), 1e-6)[:, None]
    depth, reach = centers[:, 2], radii / np.maximum(centers[:, 2], _MIN_Z)
    apart = np.sqrt(np.maximum(2 - 2 * direction @ direction.T, 0))
    near = (depth - radii < (depth + radii)[:, None]) & (depth > _MIN_Z)
    return np.asarray(near & (apart < 1.2 * (reach + reach[:, None])) & ~np.eye(len(radii), dtype=bool))
