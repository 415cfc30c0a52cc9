"""PnP refinement: Levenberg-Marquardt on SE(3) with a robust loss of the coordinates' reprojection errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from posebot.core.transforms import Array
from posebot.stages.geometry.compiled import compiled
from posebot.stages.geometry.normal_equations import (
    add_residual,
    perturb_pose,
    pixel_jacobian,
    rotate_point,
    solve_cholesky,
    symmetrize,
)
from posebot.stages.observation.evidence import Evidence
from posebot.stages.settings import DEFAULTS
from posebot.stages.settings.refinement import RefinementSettings

_MIN_DIAGONAL = 1e-9  # in the damping
_MIN_Z = 1e-3  # metres: nearer points are behind the camera


@dataclass(frozen=True)
class OriginPrior:
    """Prior of the object's origin, independent of the coordinates.

    Attributes:
        position: (3,) camera frame, metres; or (H, 3), one for each of H poses.
        shift: sideways error, working pixels. depth: error of log z.
        weight: number of coordinates that it counts as.
    """

    position: Array
    shift: float = DEFAULTS.refinement.origin.shift_px
    depth: float = DEFAULTS.refinement.origin.depth
    weight: float = DEFAULTS.refinement.origin.weight

    @classmethod
    def of(cls, evidence: Evidence) -> OriginPrior:
        """The network's prediction."""
        settings = evidence.settings.refinement.origin
        return cls(evidence.origin, settings.shift_px, settings.depth, settings.weight)


def refine(poses: Array, evidence: Evidence, prior: OriginPrior, steps: int | None = None) -> tuple[Array, Array]:
    """Poses (H, 4, 4) refined by the coordinates and a prior of the origin, and their information (H, 6, 6).

    Minimises the Cauchy loss of the reprojection errors, each in units of its own expected error, for all poses at
    once. The information is the Gauss-Newton Hessian in the chart of `transforms.perturb`; its inverse is the
    covariance as if all pixels were independent.
    """
    poses, matrices = poses.copy(), np.empty((len(poses), 6, 6))
    origins, tolerance = prior_arrays(prior, len(poses), evidence.settings.refinement)
    _refine(poses, evidence.K, correspondences(evidence), origins, tolerance,
            evidence.settings.refinement.pnp_steps if steps is None else steps, matrices)
    return poses, matrices


def information(pose: Array, evidence: Evidence, prior: OriginPrior) -> Array:
    """Gauss-Newton Hessian (6, 6) of coordinates and prior at a pose, as in `refine`."""
    return np.asarray(linearise(pose[None], evidence, prior)[1][0])


def linearise(poses: Array, evidence: Evidence, prior: OriginPrior) -> tuple[Array, Array, Array]:
    """Robust costs (H,), Hessians (H, 6, 6) and descent directions (H, 6) at poses (H, 4, 4).

    The cost of a pose that puts any point behind the camera is infinite.
    """
    costs, matrices, rights = np.empty(len(poses)), np.empty((len(poses), 6, 6)), np.empty((len(poses), 6))
    origins, tolerance = prior_arrays(prior, len(poses), evidence.settings.refinement)
    _linearise(poses, evidence.K, correspondences(evidence), origins, tolerance, costs, matrices, rights)
    return costs, matrices, rights


class Correspondences(NamedTuple):
    """Pixels (N, 2), their object points (N, 3), the points' expected error in metres times the focal length (N,), and
    weights (N,)."""

    pixels: Array
    points: Array
    spread: Array
    weight: Array


class Tolerance(NamedTuple):
    """Errors and weight of an `OriginPrior`, and the least error of a coordinate in pixels; for compiled loops."""

    shift: float
    depth: float
    weight: float
    pixel: float


def correspondences(evidence: Evidence) -> Correspondences:
    """The evidence's coordinates, for compiled loops."""
    return Correspondences(*map(np.ascontiguousarray, (evidence.pixels, evidence.coordinates,
                                                       evidence.sigma * evidence.focal, evidence.weight)))


def prior_arrays(prior: OriginPrior, count: int, settings: RefinementSettings) -> tuple[Array, Tolerance]:
    """Origins (count, 3) of a prior, and its tolerance, for compiled loops."""
    origins = np.array(np.broadcast_to(prior.position, (count, 3)), float)
    errors = (prior.shift, prior.depth, prior.weight, settings.pixel_error_px)
    return origins, Tolerance(*map(float, errors))


@compiled
def _refine(poses: Array, K: Array, pairs: Correspondences, origins: Array, tolerance: Tolerance, steps: int,
            matrices: Array) -> None:
    right, trial_right, step = np.empty(6), np.empty(6), np.empty(6)
    held, trial_matrix, trial = np.empty((6, 6)), np.empty((6, 6)), np.empty((4, 4))
    for h in range(len(poses)):
        damping, pose, matrix = 1e-3, poses[h], matrices[h]
        cost = linearise_pose(pose, K, pairs, origins[h], tolerance, matrix, right)
        for _ in range(steps):
            for i in range(6):
                for j in range(6):
                    held[i, j] = matrix[i, j]
                # without coordinates nothing constrains the attitude: it stays where it is
                held[i, i] += damping * max(matrix[i, i], _MIN_DIAGONAL)
            solve_cholesky(held, right, step)
            perturb_pose(pose, step, trial)
            trial_cost = linearise_pose(trial, K, pairs, origins[h], tolerance, trial_matrix, trial_right)
            if not trial_cost < cost:
                damping *= 10.0
                continue
            for i in range(6):
                right[i] = trial_right[i]
                for j in range(6):
                    matrix[i, j] = trial_matrix[i, j]
            for i in range(4):
                for j in range(4):
                    pose[i, j] = trial[i, j]
            converged = cost - trial_cost < 1e-4 * cost
            damping, cost = 0.2 * damping, trial_cost
            if converged:
                break


@compiled
def _linearise(poses: Array, K: Array, pairs: Correspondences, origins: Array, tolerance: Tolerance, costs: Array,
               matrices: Array, rights: Array) -> None:
    for h in range(len(poses)):
        costs[h] = linearise_pose(poses[h], K, pairs, origins[h], tolerance, matrices[h], rights[h])


@compiled
def linearise_pose(pose: Array, K: Array, pairs: Correspondences, origin: Array, tolerance: Tolerance, matrix: Array,
                   right: Array) -> float:
    """Cost of one pose; fills its Hessian (6, 6) and descent direction (6,)."""
    rows = np.empty((2, 6))
    cost = _origin_terms(pose, K, origin, tolerance, rows, matrix, right)
    possible = pose[2, 3] > _MIN_Z
    for n in range(len(pairs.points)):
        arm = rotate_point(pose, pairs.points[n])
        x, y, z = arm[0] + pose[0, 3], arm[1] + pose[1, 3], arm[2] + pose[2, 3]
        possible &= z > _MIN_Z
        z = max(z, _MIN_Z)
        known = 1 / np.sqrt((pairs.spread[n] / z) ** 2 + tolerance.pixel**2)
        off_x = (pairs.pixels[n, 0] - x / z * K[0, 0] - K[0, 2]) * known
        off_y = (pairs.pixels[n, 1] - y / z * K[1, 1] - K[1, 2]) * known
        square = off_x**2 + off_y**2
        trust = pairs.weight[n] / (1 + square)
        cost += pairs.weight[n] * np.log1p(square)
        pixel_jacobian(K, (x, y, z), arm, rows)
        add_residual(rows[0], known * known * trust, off_x / known, matrix, right)
        add_residual(rows[1], known * known * trust, off_y / known, matrix, right)
    if not possible:
        for i in range(6):
            right[i] = 0.0
            for j in range(6):
                matrix[i, j] = 1.0 if i == j else 0.0
        return np.inf
    symmetrize(matrix)
    return cost


@compiled
def _origin_terms(pose: Array, K: Array, origin: Array, tolerance: Tolerance, rows: Array, matrix: Array,
                  right: Array) -> float:
    """Set a pose's Hessian and descent direction to those of the origin's prior; returns its cost."""
    for i in range(6):
        right[i] = 0.0
        for j in range(6):
            matrix[i, j] = 0.0
    z = max(pose[2, 3], _MIN_Z)
    off_x = (origin[0] / origin[2] - pose[0, 3] / z) * K[0, 0]
    off_y = (origin[1] / origin[2] - pose[1, 3] / z) * K[1, 1]
    off_z = np.log(origin[2] / z)
    square = (off_x / tolerance.shift) ** 2 + (off_y / tolerance.shift) ** 2 + (off_z / tolerance.depth) ** 2
    trust = tolerance.weight / (1 + square)
    pixel_jacobian(K, (pose[0, 3], pose[1, 3], z), (0.0, 0.0, 0.0), rows)
    add_residual(rows[0], trust / tolerance.shift**2, off_x, matrix, right)
    add_residual(rows[1], trust / tolerance.shift**2, off_y, matrix, right)
    matrix[2, 2] += trust / (tolerance.depth * z) ** 2
    right[2] += trust / (tolerance.depth**2 * z) * off_z
    return tolerance.weight * np.log1p(square)
