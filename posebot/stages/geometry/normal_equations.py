"""Gauss-Newton for one pose in compiled loops: Jacobians of pixels, normal equations, their solution, the update."""

from __future__ import annotations

import numpy as np

from posebot.core.transforms import Array
from posebot.stages.geometry.compiled import compiled

_MIN_ANGLE = 1e-9  # radians: below, sin(a / 2) / a is taken as 1/2
_MIN_PIVOT = 1e-30  # of a matrix that is not quite positive definite


@compiled
def rotate_point(pose: Array, point: Array) -> tuple[float, float, float]:
    """A point (3,) of the object, rotated by a pose (4, 4) but not translated."""
    x, y, z = point
    return (pose[0, 0] * x + pose[0, 1] * y + pose[0, 2] * z, pose[1, 0] * x + pose[1, 1] * y + pose[1, 2] * z,
            pose[2, 0] * x + pose[2, 1] * y + pose[2, 2] * z)


@compiled
def pixel_jacobian(K: Array, point: tuple[float, float, float], arm: tuple[float, float, float], rows: Array) -> None:
    """Fill `rows` (2, 6) with the Jacobian of a point's pixel by its pose's twist (`transforms.perturb`).

    point: camera frame. arm: the same relative to the object's origin.
    """
    (x, y, z), (arm_x, arm_y, arm_z) = point, arm
    u, v = K[0, 0] / z, K[1, 1] / z  # by the point: (u, 0, u_z) and (0, v, v_z); by turns: arm x these
    u_z, v_z = -u * x / z, -v * y / z
    rows[0, 0], rows[0, 1], rows[0, 2] = u, 0.0, u_z
    rows[1, 0], rows[1, 1], rows[1, 2] = 0.0, v, v_z
    rows[0, 3], rows[0, 4], rows[0, 5] = arm_y * u_z, arm_z * u - arm_x * u_z, -arm_y * u
    rows[1, 3], rows[1, 4], rows[1, 5] = arm_y * v_z - arm_z * v, -arm_x * v_z, arm_x * v


@compiled
def add_residual(row: Array, weight: float, residual: float, matrix: Array, right: Array) -> None:
    """Add one weighted residual to normal equations: the lower triangle of a (6, 6) matrix and the right side (6,)."""
    for i in range(6):
        share = weight * row[i]
        right[i] += share * residual
        for j in range(i + 1):
            matrix[i, j] += share * row[j]


@compiled
def symmetrize(matrix: Array) -> None:
    """Fill the upper triangle of a symmetric matrix from the lower one."""
    for i in range(len(matrix)):
        for j in range(i):
            matrix[j, i] = matrix[i, j]


@compiled
def perturb_pose(pose: Array, twist: Array, result: Array) -> None:
    """`transforms.perturb` of one pose, by the quaternion of its rotation, written to `result` (4, 4)."""
    angle = np.sqrt(twist[3] ** 2 + twist[4] ** 2 + twist[5] ** 2)
    share, w = (np.sin(angle / 2) / angle, np.cos(angle / 2)) if angle > _MIN_ANGLE else (0.5, 1.0)
    x, y, z = share * twist[3], share * twist[4], share * twist[5]
    for axis in range(3):
        a, b, c = pose[0, axis], pose[1, axis], pose[2, axis]
        result[0, axis] = a + 2 * (-(y * y + z * z) * a + (x * y - w * z) * b + (x * z + w * y) * c)
        result[1, axis] = b + 2 * ((x * y + w * z) * a - (x * x + z * z) * b + (y * z - w * x) * c)
        result[2, axis] = c + 2 * ((x * z - w * y) * a + (y * z + w * x) * b - (x * x + y * y) * c)
        result[axis, 3] = pose[axis, 3] + twist[axis]
        result[3, axis] = 0.0
    result[3, 3] = 1.0


@compiled
def solve_cholesky(matrix: Array, right: Array, solution: Array) -> None:
    """Solve symmetric, positive definite equations (N, N) in place: the lower triangle becomes the Cholesky factor.

    NumPy's own solver takes ten times as long to compile.
    """
    size = len(right)
    for i in range(size):
        value = right[i]
        for j in range(i):
            entry = matrix[i, j]
            for k in range(j):
                entry -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = entry / matrix[j, j]
            value -= matrix[i, j] * solution[j]
        pivot = matrix[i, i]
        for k in range(i):
            pivot -= matrix[i, k] ** 2
        matrix[i, i] = np.sqrt(max(pivot, _MIN_PIVOT))
        solution[i] = value / matrix[i, i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            solution[i] -= matrix[k, i] * solution[k]
        solution[i] /= matrix[i, i]
