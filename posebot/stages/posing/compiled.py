"""Loops over pixels and points as machine code.

The pose stage is many small loops, each too short for arrays to pay: numpy took 80 ms an object, most of it in copies
and calls. Numba compiles such a loop when it is first called, keeps the result beside the source (a machine compiles
once, some ten seconds in all), and runs it without Python's lock, so that objects can be solved in threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

from posebot.core.transforms import Array

Function = TypeVar("Function", bound=Callable[..., object])
_SMALL = 1e-9  # radians: no turn
_TINY = 1e-30  # pivots of what is not quite positive definite
_FREE = {"reassoc", "contract", "arcp", "nsz"}  # sums in any order; infinities and NaN keep their meaning


def compiled(function: Function) -> Function:
    """A function over numbers and arrays, compiled. Its callers give one kind of array each, else it is compiled anew.

    Where nothing can be kept (a read-only system without a home), every process compiles for itself.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": _FREE}
    try:
        return cast(Function, njit(cache=True, **options)(function))
    except RuntimeError:
        return cast(Function, njit(**options)(function))


@compiled
def turned(pose: Array, point: Array) -> tuple[float, float, float]:
    """A point (3,) of the object, turned by a pose (4, 4) but not shifted."""
    x, y, z = point
    return (pose[0, 0] * x + pose[0, 1] * y + pose[0, 2] * z, pose[1, 0] * x + pose[1, 1] * y + pose[1, 2] * z,
            pose[2, 0] * x + pose[2, 1] * y + pose[2, 2] * z)


@compiled
def pixel_rows(K: Array, point: tuple[float, float, float], arm: tuple[float, float, float], rows: Array) -> None:
    """Fill `rows` (2, 6) with the derivatives of a point's pixel by its pose's twist (`transforms.perturb`).

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
def add_rows(row: Array, weight: float, residual: float, matrix: Array, right: Array) -> None:
    """Add one weighted residual to normal equations: the matrix's lower half (6, 6) and the right side (6,)."""
    for i in range(6):
        share = weight * row[i]
        right[i] += share * residual
        for j in range(i + 1):
            matrix[i, j] += share * row[j]


@compiled
def mirror(matrix: Array) -> None:
    """Fill the upper half of a symmetric matrix from its lower one."""
    for i in range(len(matrix)):
        for j in range(i):
            matrix[j, i] = matrix[i, j]


@compiled
def moved(pose: Array, twist: Array, result: Array) -> None:
    """`transforms.perturb` of one pose into another, by the quaternion of the turn."""
    angle = np.sqrt(twist[3] ** 2 + twist[4] ** 2 + twist[5] ** 2)
    share, w = (np.sin(angle / 2) / angle, np.cos(angle / 2)) if angle > _SMALL else (0.5, 1.0)
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
def solve(matrix: Array, right: Array, solution: Array) -> None:
    """Solve symmetric, positive definite equations (N, N), which are spoilt: the lower half becomes their Cholesky
    factor. (numpy's own solver takes ten times as long to compile as this.)"""
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
        matrix[i, i] = np.sqrt(max(pivot, _TINY))
        solution[i] = value / matrix[i, i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            solution[i] -= matrix[k, i] * solution[k]
        solution[i] /= matrix[i, i]
