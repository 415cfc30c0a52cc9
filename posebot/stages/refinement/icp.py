"""Point-to-plane ICP of many poses at once, against a `Surface`.

Chen and Medioni, "Object modelling by registration of multiple range images", 1992, with the robust kernel of Geman and
McClure, narrowed step by step. The update is taken in the object frame: pose <- pose . exp(step).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array, exp
from posebot.stages.geometry.compiled import compiled
from posebot.stages.geometry.normal_equations import add_residual, symmetrize
from posebot.stages.geometry.surface import NearestTable, Surface, nearest
from posebot.stages.settings import DEFAULTS
from posebot.stages.settings.refinement import DepthRefinementSettings

Points = NDArray[np.float32]


def refine(poses: Array, surface: Surface, points_cam: Points, weights: Points, widths: Array, front: bool = True,
           settings: DepthRefinementSettings = DEFAULTS.refinement.depth) -> Array:
    """Move poses (H, 4, 4) so that the points (N, 3), camera frame, lie on the surface.

    Args:
        weights: (N,) of the points. widths: (steps,) width of the robust kernel at each step, metres.
        front: use only surfaces that face the camera.
    """
    for width in widths:
        poses = poses @ exp(_step(poses, surface, points_cam, weights, float(width), front, settings))
    return poses


def residuals(poses: Array, surface: Surface, points_cam: Points, front: bool = True) -> tuple[Points, Points, Points]:
    """Signed distances (H, N) to the planes at the nearest samples; points and normals (H, N, 3) in the object frame.

    Where the nearest surface faces away from the camera the distance is NaN: the sensor cannot have seen it.
    """
    rotation = poses[:, :3, :3].astype(np.float32)
    translation = poses[:, :3, 3].astype(np.float32)
    points = np.asarray((points_cam[None] - translation[:, None]) @ rotation, np.float32)  # x_obj = R^T (x_cam - t)
    index = surface.nearest(points)
    normals = surface.normals[index]
    distance = np.einsum("hni,hni->hn", normals, points - surface.points[index])
    if not front:
        return distance, points, normals
    camera = -np.einsum("hij,hi->hj", rotation, translation)
    away = np.einsum("hni,hni->hn", normals, camera[:, None] - points) < 0
    return np.where(away, np.float32(np.nan), distance).astype(np.float32), points, normals


def information(poses: Array, surface: Surface, points_cam: Points, weights: Points, width: float) -> Array:
    """Normal matrices (H, 6, 6) of the last step, per square metre of residual, object frame."""
    return _normal_equations(poses, surface, points_cam, weights, width, True)[0]


def _step(poses: Array, surface: Surface, points_cam: Points, weights: Points, width: float, front: bool,
          settings: DepthRefinementSettings) -> Array:
    """Damped Gauss-Newton steps (H, 6), object frame, of limited length."""
    matrix, right = _normal_equations(poses, surface, points_cam, weights, width, front)
    radius = surface.model.diameter / 2
    unit = np.array([1, 1, 1, radius, radius, radius])  # translation and rotation in the same unit, for the damping
    matrix, right = matrix / np.outer(unit, unit), right / unit
    damping = settings.damping * np.trace(matrix, axis1=1, axis2=2) / 6 + 1e-9
    step = np.linalg.solve(matrix + damping[:, None, None] * np.eye(6), right[..., None])[..., 0] / unit
    limits = np.array([settings.max_shift * surface.model.diameter, settings.max_rotation_rad])[:, None]
    for part, limit in zip((step[:, :3], step[:, 3:]), limits):
        part *= np.minimum(1, limit / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12))
    return step


def _normal_equations(poses: Array, surface: Surface, points_cam: Points, weights: Points, width: float, front: bool
                      ) -> tuple[Array, Array]:
    """Matrices (H, 6, 6) and right sides (H, 6) of the linearised distances, robustly weighted, object frame."""
    matrices, rights = np.zeros((len(poses), 6, 6)), np.zeros((len(poses), 6))
    _add(poses, surface.table, surface.points, surface.normals, points_cam, weights, width, front, matrices, rights)
    return matrices, rights


@compiled
def _add(poses: Array, table: NearestTable, samples: Points, directions: Points, points_cam: Points, weights: Points,
         width: float, front: bool, matrices: Array, rights: Array) -> None:
    row, eye, point = np.empty(6), np.zeros(3), np.zeros(3)
    for h in range(len(poses)):
        pose = poses[h]
        for axis in range(3):
            eye[axis] = -(pose[0, axis] * pose[0, 3] + pose[1, axis] * pose[1, 3] + pose[2, axis] * pose[2, 3])
        for n in range(len(points_cam)):
            x, y, z = points_cam[n]
            for axis in range(3):  # x_obj = R^T (x_cam - t)
                point[axis] = pose[0, axis] * x + pose[1, axis] * y + pose[2, axis] * z + eye[axis]
            index = nearest(table, point)
            distance, towards = 0.0, 0.0
            for axis in range(3):
                row[axis] = directions[index, axis]
                distance += row[axis] * (point[axis] - samples[index, axis])
                towards += row[axis] * (eye[axis] - point[axis])
            if front and towards < 0:
                continue
            row[3] = point[1] * row[2] - point[2] * row[1]
            row[4] = point[2] * row[0] - point[0] * row[2]
            row[5] = point[0] * row[1] - point[1] * row[0]
            add_residual(row, weights[n] / (1 + (distance / width) ** 2) ** 2, distance, matrices[h], rights[h])
        symmetrize(matrices[h])
