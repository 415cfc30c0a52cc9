"""Point-to-plane ICP of many poses at once, against a `Surface`.

Chen and Medioni, "Object modelling by registration of multiple range images", 1992, with the robust kernel of Geman and
McClure, narrowed step by step. The update is taken in the object frame: pose <- pose . exp(step).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array, exp
from posebot.stages.posing.surface import Surface

Points = NDArray[np.float32]
_DAMPING = 0.02  # of the mean of the normal matrix's diagonal: holds directions that the points do not fix


def refine(poses: Array, surface: Surface, points_cam: Points, weights: Points, widths: Array, front: bool = True
           ) -> Array:
    """Move poses (H, 4, 4) so that the points (N, 3), camera frame, lie on the surface.

    Args:
        weights: (N,) trust in each point. widths: (steps,) width of the robust kernel at each step, metres.
        front: only surfaces that face the camera count.
    """
    for width in widths:
        poses = poses @ exp(_step(poses, surface, points_cam, weights, float(width), front))
    return poses


def residuals(poses: Array, surface: Surface, points_cam: Points, front: bool = True) -> tuple[Points, Points, Points]:
    """Signed distances (H, N) to the planes at the nearest samples; points and normals (H, N, 3) in the object frame.

    Where the nearest surface looks away from the camera the distance is NaN: the sensor cannot have seen it.
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
    """Normal matrices (H, 6, 6) of the last step, per square metre of residual, object frame (shift, turn)."""
    distance, points, normals = residuals(poses, surface, points_cam)
    trust, jacobian = _linear(distance, points, normals, weights, width)
    return np.einsum("hni,hn,hnj->hij", jacobian, trust, jacobian, optimize=True).astype(float)


def _step(poses: Array, surface: Surface, points_cam: Points, weights: Points, width: float, front: bool) -> Array:
    distance, points, normals = residuals(poses, surface, points_cam, front)
    trust, jacobian = _linear(distance, points, normals, weights, width)
    radius = np.float32(surface.model.diameter / 2)
    jacobian[..., 3:] /= radius  # shift and turn in the same unit, for the damping
    weighted = jacobian * trust[..., None]
    matrix = (np.swapaxes(weighted, 1, 2) @ jacobian).astype(float)
    right = np.einsum("hni,hn->hi", weighted, np.nan_to_num(distance)).astype(float)
    damping = _DAMPING * np.trace(matrix, axis1=1, axis2=2) / 6 + 1e-9
    step = np.linalg.solve(matrix + damping[:, None, None] * np.eye(6), right[..., None])[..., 0]
    step[:, 3:] /= radius
    limit = np.array([0.2 * surface.model.diameter, 0.5])[:, None]
    for part, most in zip((step[:, :3], step[:, 3:]), limit):
        part *= np.minimum(1, most / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12))
    return step


def _linear(distance: Points, points: Points, normals: Points, weights: Points, width: float) -> tuple[Points, Points]:
    """Robust weights (H, N) and the rows (H, N, 6) of the linearised distances."""
    share = np.nan_to_num(distance, nan=1e3) / np.float32(width)
    trust = weights / (1 + share**2) ** 2
    return trust, np.concatenate([normals, np.cross(points, normals)], axis=-1)
