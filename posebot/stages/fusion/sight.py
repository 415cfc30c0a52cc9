"""What ought to be seen of an object that the map holds, and what the depth camera sees through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import Camera, project
from posebot.core.frame import Frame
from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, apply, inverse
from posebot.objects.geometry import face_vectors, sample_surface

_POINTS = 96
_NEAR = 0.05  # metres in front of the camera
_CORE = 0.8  # of its bounding box is what an object surely hides
_FEWEST = 8  # readings


@dataclass(frozen=True)
class Shape:
    """Points (N, 3) of an object's surface with outward normals, and its bounding box; object frame, metres."""

    points: Array
    normals: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Look:
    """visible: share of the side that faces the camera that is in the picture and not hidden, 0..1.
    through: share of the depth readings on it that lie clearly behind it, 0..1; 0 where there are too few."""

    visible: float
    through: float


def shape_of(model: ObjectModel) -> Shape:
    """Evenly spread points."""
    points, faces, _ = sample_surface(model.mesh, _POINTS)
    normals = face_vectors(model.mesh)[faces]
    half = _CORE * model.extents / 2
    return Shape(points, normals, model.center - half, model.center + half)


def look(shape: Shape, cam_from_obj: Array, frame: Frame, tolerance: float,
         others: Sequence[tuple[Shape, Array]] = ()) -> Look:
    """What is to be seen of an object at a pose.

    Args:
        tolerance: metres along the viewing ray that a reading may differ. others: shapes and cam_from_obj of all that
            may stand in front of it, where depth does not tell.
    """
    points = apply(cam_from_obj, shape.points)
    facing = (np.einsum("ij,ij->i", shape.normals @ cam_from_obj[:3, :3].T, points) < 0) & (points[:, 2] > _NEAR)
    if facing.sum() < _FEWEST:
        return Look(0.0, 0.0)
    points = points[facing]
    pixels = np.rint(project(frame.camera.K, points)).astype(int)
    inside = np.all((pixels >= 0) & (pixels < [frame.camera.width, frame.camera.height]), axis=1)
    readings = _readings(frame, pixels, inside)
    known = readings > 0
    nearer, behind = (known & (readings < points[:, 2] - tolerance)), (known & (readings > points[:, 2] + tolerance))
    hidden = nearer
    if others and not known.all():
        hidden = nearer | (~known & _blocked(points, others))
    open_ = known & ~nearer
    through = behind.sum() / open_.sum() if open_.sum() >= max(_FEWEST, len(points) // 4) else 0.0
    return Look(float((inside & ~hidden).mean()), float(through))


def _readings(frame: Frame, pixels: NDArray[np.int_], inside: NDArray[np.bool_]) -> Array:
    """Depth (N,) at pixels, 0 where there is none."""
    readings = np.zeros(len(pixels))
    if frame.depth is not None:
        readings[inside] = frame.depth[pixels[inside, 1], pixels[inside, 0]]
    return np.where(np.isfinite(readings), readings, 0.0)


def _blocked(points: Array, others: Sequence[tuple[Shape, Array]]) -> NDArray[np.bool_]:
    """Which points (N, 3) lie behind the box of another object (slab test of the segment from the camera)."""
    blocked = np.zeros(len(points), dtype=bool)
    for shape, cam_from_obj in others:
        obj_from_cam = inverse(cam_from_obj)
        eye = obj_from_cam[:3, 3]
        along = apply(obj_from_cam, points) - eye
        along = np.where(np.abs(along) < 1e-9, 1e-9, along)
        first, second = (shape.low - eye) / along, (shape.high - eye) / along
        (x0, y0, z0), (x1, y1, z1) = np.minimum(first, second).T, np.maximum(first, second).T
        enter, leave = np.maximum(np.maximum(x0, y0), z0), np.minimum(np.minimum(x1, y1), z1)
        blocked |= (enter < leave) & (leave > 0) & (enter < 0.98)
    return blocked


def in_view(centers: Array, radii: Array, camera: Camera) -> NDArray[np.bool_]:
    """Which of the spheres (N, 3), (N,) in the camera frame may show in the picture. Quick, generous."""
    depth = np.maximum(centers[:, 2], _NEAR)
    pixels = project(camera.K, np.column_stack([centers[:, :2], depth]))
    reach = (max(camera.K[0, 0], camera.K[1, 1]) * radii / depth)[:, None]
    inside = np.all((pixels > -reach) & (pixels < np.array([camera.width, camera.height]) + reach), axis=1)
    return np.asarray(inside & (centers[:, 2] > _NEAR))


def may_hide(centers: Array, radii: Array, place: int) -> list[int]:
    """Which of the spheres (N, 3), (N,) in the camera frame may stand in front of the one at `place`."""
    direction = centers / np.maximum(np.linalg.norm(centers, axis=1), 1e-6)[:, None]
    apart = np.linalg.norm(direction - direction[place], axis=1) * centers[place, 2]
    near = (centers[:, 2] - radii < centers[place, 2] + radii[place]) & (centers[:, 2] > _NEAR)
    covers = near & (apart < 1.2 * (radii[place] + radii * centers[place, 2] / np.maximum(centers[:, 2], _NEAR)))
    return [int(i) for i in np.flatnonzero(covers) if i != place]
