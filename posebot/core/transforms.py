"""Rigid transforms, SE(3) and SO(3).

A transform `a_from_b` is a 4x4 float64 matrix that takes homogeneous points given in frame b to frame a, metres.
Functions take a single transform or a stack (..., 4, 4). Quaternions are `xyzw`, as in ROS and SciPy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
_SMALL = 1e-8


def make(rotation: ArrayLike | None = None, translation: ArrayLike | None = None) -> Array:
    """4x4 transform from a 3x3 rotation (default identity) and a translation (3,) in metres (default zero)."""
    transform = np.eye(4)
    if rotation is not None:
        transform[:3, :3] = rotation
    if translation is not None:
        transform[:3, 3] = np.asarray(translation, dtype=float).reshape(3)
    return transform


def inverse(a_from_b: Array) -> Array:
    """`b_from_a`. The rotation is taken to be orthonormal. Shape (..., 4, 4)."""
    rotation_t = np.swapaxes(a_from_b[..., :3, :3], -1, -2)
    result = np.zeros_like(a_from_b)
    result[..., :3, :3] = rotation_t
    result[..., :3, 3] = -(rotation_t @ a_from_b[..., :3, 3, None])[..., 0]
    result[..., 3, 3] = 1.0
    return result


def apply(a_from_b: Array, points_b: ArrayLike) -> Array:
    """Points (N, 3) of frame b in frame a; a stack of transforms (..., 4, 4) gives (..., N, 3)."""
    points = np.asarray(points_b, dtype=float)
    return points @ np.swapaxes(a_from_b[..., :3, :3], -1, -2) + a_from_b[..., None, :3, 3]


def orthonormal(matrix: ArrayLike) -> Array:
    """The rotation nearest to a 3x3 matrix (Frobenius norm; SVD, determinant +1)."""
    u, _, vt = np.linalg.svd(np.asarray(matrix, dtype=float))
    d = np.ones(u.shape[:-1])
    d[..., -1] = np.sign(np.linalg.det(u @ vt))
    return (u * d[..., None, :]) @ vt


def skew(vector: ArrayLike) -> Array:
    """Cross-product matrix [v]x of vectors (..., 3): `skew(v) @ w == cross(v, w)`."""
    v = np.asarray(vector, dtype=float)
    result = np.zeros((*v.shape[:-1], 3, 3))
    result[..., 0, 1], result[..., 0, 2], result[..., 1, 2] = -v[..., 2], v[..., 1], -v[..., 0]
    return result - np.swapaxes(result, -1, -2)


def rotation_from_vector(vector: ArrayLike) -> Array:
    """Rotation matrices (..., 3, 3) from rotation vectors (..., 3) in radians (Rodrigues' formula)."""
    v = np.asarray(vector, dtype=float)
    angle = np.linalg.norm(v, axis=-1)[..., None, None]
    safe = np.maximum(angle, _SMALL)
    a = np.where(angle < _SMALL, 1.0 - angle**2 / 6.0, np.sin(safe) / safe)
    b = np.where(angle < _SMALL, 0.5 - angle**2 / 24.0, (1.0 - np.cos(safe)) / safe**2)
    k = skew(v)
    return np.eye(3) + a * k + b * (k @ k)


def vector_from_rotation(rotation: ArrayLike) -> Array:
    """Rotation vectors (..., 3) in radians, length in [0, pi], from rotation matrices (..., 3, 3)."""
    quaternion = quaternion_from_rotation(rotation)
    sine = np.linalg.norm(quaternion[..., :3], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, quaternion[..., 3:])
    scale = np.where(sine < _SMALL, 2.0, angle / np.maximum(sine, _SMALL))
    return quaternion[..., :3] * scale


def quaternion_from_rotation(rotation: ArrayLike) -> Array:
    """Unit quaternions xyzw (..., 4) with w >= 0 from rotation matrices (..., 3, 3). Stable at half turns.

    Each component is found from the largest of the four (Shepperd, "Quaternion from rotation matrix", 1978).
    """
    r = np.asarray(rotation, dtype=float)
    xx, yy, zz = r[..., 0, 0], r[..., 1, 1], r[..., 2, 2]
    q = np.empty((*r.shape[:-2], 4, 4))  # one candidate quaternion, times four times its largest component, per row
    q[..., 0, 0], q[..., 1, 1] = 1 + xx - yy - zz, 1 - xx + yy - zz
    q[..., 2, 2], q[..., 3, 3] = 1 - xx - yy + zz, 1 + xx + yy + zz
    q[..., 0, 1] = q[..., 1, 0] = r[..., 1, 0] + r[..., 0, 1]
    q[..., 0, 2] = q[..., 2, 0] = r[..., 0, 2] + r[..., 2, 0]
    q[..., 1, 2] = q[..., 2, 1] = r[..., 2, 1] + r[..., 1, 2]
    q[..., 0, 3] = q[..., 3, 0] = r[..., 2, 1] - r[..., 1, 2]
    q[..., 1, 3] = q[..., 3, 1] = r[..., 0, 2] - r[..., 2, 0]
    q[..., 2, 3] = q[..., 3, 2] = r[..., 1, 0] - r[..., 0, 1]
    best = np.argmax(np.diagonal(q, axis1=-2, axis2=-1), axis=-1)
    chosen = np.take_along_axis(q, best[..., None, None], axis=-2)[..., 0, :]
    chosen = chosen / np.linalg.norm(chosen, axis=-1, keepdims=True)
    return np.where(chosen[..., 3:] < 0, -chosen, chosen)


def rotation_from_quaternion(xyzw: ArrayLike) -> Array:
    """Rotation matrices (..., 3, 3) from quaternions xyzw (..., 4) of any length but zero."""
    q = np.asarray(xyzw, dtype=float)
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    k = skew(q[..., :3])
    return np.eye(3) + 2.0 * (q[..., 3, None, None] * k + k @ k)


def exp(twist: ArrayLike) -> Array:
    """Transforms (..., 4, 4) from (..., 6) = (translation in metres, rotation vector in radians).

    Translation and rotation are taken apart (SO(3) x R^3, not the SE(3) screw): `translation` is the shift itself.
    It is the chart in which covariances are given, see `core.results`.
    """
    t = np.asarray(twist, dtype=float)
    result = np.zeros((*t.shape[:-1], 4, 4))
    result[..., :3, :3] = rotation_from_vector(t[..., 3:])
    result[..., :3, 3] = t[..., :3]
    result[..., 3, 3] = 1.0
    return result


def perturb(a_from_b: Array, twist: ArrayLike) -> Array:
    """Move a pose by (..., 6): translation added to b's origin, rotation applied on the left, both along a's axes.

    It is the meaning of posebot's 6x6 covariances (and of ROS' PoseWithCovariance).
    """
    t = np.asarray(twist, dtype=float)
    result = np.array(np.broadcast_to(a_from_b, (*np.broadcast_shapes(a_from_b.shape[:-2], t.shape[:-1]), 4, 4)))
    result[..., :3, :3] = rotation_from_vector(t[..., 3:]) @ a_from_b[..., :3, :3]
    result[..., :3, 3] = a_from_b[..., :3, 3] + t[..., :3]
    return result


def difference(a_from_b: Array, a_from_b_ref: Array) -> Array:
    """The (..., 6) twist with `perturb(a_from_b_ref, twist) == a_from_b`."""
    rotation = a_from_b[..., :3, :3] @ np.swapaxes(a_from_b_ref[..., :3, :3], -1, -2)
    return np.concatenate([a_from_b[..., :3, 3] - a_from_b_ref[..., :3, 3], vector_from_rotation(rotation)], axis=-1)


def rotation_angle(rotation_a: Array, rotation_b: Array) -> Array:
    """Angle in radians, [0, pi], between rotations (..., 3, 3)."""
    return np.linalg.norm(vector_from_rotation(rotation_a @ np.swapaxes(rotation_b, -1, -2)), axis=-1)


def rotate_covariance(rotation: Array, covariance: Array) -> Array:
    """A 6x6 pose covariance given along the axes of frame b, along the axes of frame a (`rotation` = a_from_b, 3x3)."""
    jacobian = np.zeros((6, 6))
    jacobian[:3, :3] = jacobian[3:, 3:] = rotation
    return jacobian @ covariance @ jacobian.T


def is_transform(matrix: ArrayLike, tolerance: float = 2e-2) -> bool:
    """Whether a 4x4 matrix is finite and rigid up to `tolerance` (published poses are off by up to 1e-2)."""
    m = np.asarray(matrix, dtype=float)
    if m.shape != (4, 4) or not np.isfinite(m).all() or not np.allclose(m[3], [0, 0, 0, 1], atol=1e-6):
        return False
    r = m[:3, :3]
    return bool(np.allclose(r @ r.T, np.eye(3), atol=tolerance) and np.linalg.det(r) > 0)


def sphere(count: int) -> Array:
    """Directions (count, 3), unit vectors spread evenly over the sphere, from +z to -z (Fibonacci's spiral)."""
    index = np.arange(count) + 0.5
    z, turn = 1 - 2 * index / count, np.pi * (1 + 5**0.5) * index
    radius = np.sqrt(1 - z**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), z], axis=1)
