"""Pose from coordinates in the picture: RANSAC-PnP, then Levenberg-Marquardt on SE(3) with a robust loss."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array, make, perturb, rotation_from_vector
from posebot.stages.posing.evidence import SIZE, Evidence

MIN_PIXELS = 12
_PIXEL = 0.7  # working pixels: error of a perfect coordinate, from the map's grid
_STILL = 1e-9  # least damping


@dataclass(frozen=True)
class Prior:
    """Where the object's origin is thought to be, before any coordinate is looked at.

    Attributes:
        position: (3,) camera frame, metres; or (H, 3), one for each of H poses.
        shift: error sideways, working pixels. depth: error of log z.
        weight: how many coordinates it counts as much as.
    """

    position: Array
    shift: float = 0.05 * SIZE
    depth: float = 0.08
    weight: float = 10.0

    def of(self, poses: NDArray[np.int64]) -> Prior:
        """That of some of the poses, by number."""
        return self if self.position.ndim == 1 else replace(self, position=self.position[poses])



def ransac(evidence: Evidence, tries: int = 3, iterations: int = 80) -> Array:
    """Pose hypotheses (H, 4, 4) from random minimal sets, for several tolerances. Empty with too few pixels."""
    poses = []
    if len(evidence.pixels) < MIN_PIXELS:
        return np.zeros((0, 4, 4))
    order = np.argsort(evidence.sigma / evidence.weight)
    for attempt in range(tries):
        best = order[:max(MIN_PIXELS, len(order) >> attempt)]
        cv2.setRNGSeed(attempt + 1)  # the same crop gives the same pose
        found, turn, shift, _ = cv2.solvePnPRansac(
            evidence.coordinates[best], evidence.pixels[best], evidence.K, None, iterationsCount=iterations,
            reprojectionError=2.0 + attempt, confidence=0.99, flags=cv2.SOLVEPNP_EPNP)
        if found and np.isfinite(turn).all() and np.isfinite(shift).all() and shift[2, 0] > 0.01:
            poses.append(make(rotation_from_vector(turn[:, 0]), shift[:, 0]))
    return np.stack(poses) if poses else np.zeros((0, 4, 4))


def refine(poses: Array, evidence: Evidence, prior: Prior, steps: int = 10) -> tuple[Array, Array]:
    """Best poses near `poses` (H, 4, 4) given the coordinates and a guess of the origin, and their information
    (H, 6, 6).

    Minimises the Cauchy loss of the reprojection errors, each in units of its own expected error, for all poses at
    once. The information is the Gauss-Newton Hessian in the chart of `transforms.perturb`; its inverse is the
    covariance as if all pixels were independent.
    """
    poses = poses.copy()
    cost, matrix, right = linearise(poses, evidence, prior)
    damping, moving = np.full(len(poses), 1e-3), np.ones(len(poses), bool)
    for _ in range(steps):
        at = np.flatnonzero(moving)
        if not len(at):
            break
        # without coordinates nothing holds the attitude: what no evidence moves stays where it is
        held = damping[at, None] * np.maximum(np.diagonal(matrix[at], axis1=1, axis2=2), _STILL)
        step = np.linalg.solve(matrix[at] + held[:, None] * np.eye(6), right[at, :, None])[..., 0]
        trials = perturb(poses[at], step)
        trial_cost, trial_matrix, trial_right = linearise(trials, evidence, prior.of(at))
        better = trial_cost < cost[at]
        taken = at[better]
        moving[taken[cost[taken] - trial_cost[better] < 1e-4 * cost[taken]]] = False
        poses[taken], cost[taken] = trials[better], trial_cost[better]
        matrix[taken], right[taken] = trial_matrix[better], trial_right[better]
        damping[at] *= np.where(better, 0.2, 10.0)
    return poses, matrix


def information(pose: Array, evidence: Evidence, prior: Prior) -> Array:
    """Gauss-Newton Hessian (6, 6) of the coordinates' evidence at a pose, as in `refine`."""
    return np.asarray(linearise(pose[None], evidence, prior)[1][0])


def linearise(poses: Array, evidence: Evidence, prior: Prior) -> tuple[Array, Array, Array]:
    """Robust costs (H,), Hessians (H, 6, 6) and downhill directions (H, 6) at poses (H, 4, 4).

    A pose that puts anything behind the camera costs infinitely much.
    """
    K, count = evidence.K, len(evidence.pixels)
    arms = poses[:, :3, :3] @ evidence.coordinates.T  # (H, 3, N)
    points = arms + poses[:, :3, 3:]
    possible = (points[:, 2].min(axis=1, initial=1.0) > 1e-3) & (poses[:, 2, 3] > 1e-3)
    points[:, 2] = np.maximum(points[:, 2], 1e-3)
    known = 1 / np.hypot(evidence.sigma * evidence.focal / points[:, 2], _PIXEL)
    rows = pixel_rows(K, points.transpose(1, 0, 2), arms.transpose(1, 0, 2))
    residual = np.empty((len(poses), 2, count))
    for axis in (0, 1):
        drawn = points[:, axis] / points[:, 2] * K[axis, axis] + K[axis, 2]
        residual[:, axis] = (evidence.pixels[:, axis] - drawn) * known
    square = (residual**2).sum(axis=1)
    root = np.sqrt(evidence.weight / (1 + square))
    rows = (rows * (known * root)).transpose(2, 0, 1, 3).reshape(len(poses), 6, 2 * count)
    residual = (residual * root[:, None]).reshape(len(poses), 2 * count, 1)
    cost, matrix, right = _prior_terms(poses, K, prior)
    cost += np.log1p(square) @ evidence.weight
    matrix += rows @ np.swapaxes(rows, 1, 2)
    right += (rows @ residual)[..., 0]
    cost[~possible], matrix[~possible], right[~possible] = np.inf, np.eye(6), 0
    return cost, matrix, right


def pixel_rows(K: Array, points: Array, arms: Array) -> Array:
    """Derivatives (6, 2, ...) of the pixels of points (3, ...), camera frame, by the pose's twist.

    arms: (3, ...) the points relative to the object's origin.
    """
    x, y, near = points[0], points[1], 1 / points[2]
    arm_x, arm_y, arm_z = arms
    u, v = K[0, 0] * near, K[1, 1] * near  # by the point: (u, 0, u_z) and (0, v, v_z); by turns: arm x these
    u_z, v_z = -u * x * near, -v * y * near
    rows = np.zeros((6, 2, *near.shape))
    rows[0, 0], rows[2, 0], rows[1, 1], rows[2, 1] = u, u_z, v, v_z
    rows[3, 0], rows[4, 0], rows[5, 0] = arm_y * u_z, arm_z * u - arm_x * u_z, -arm_y * u
    rows[3, 1], rows[4, 1], rows[5, 1] = arm_y * v_z - arm_z * v, -arm_x * v_z, arm_x * v
    return rows


def _prior_terms(poses: Array, K: Array, prior: Prior) -> tuple[Array, Array, Array]:
    """Costs (H,), Hessians (H, 6, 6) and downhill directions (H, 6) of the guess of the origin."""
    focal, z = np.array([K[0, 0], K[1, 1]]), np.maximum(poses[:, 2, 3], 1e-3)
    position = np.broadcast_to(prior.position, (len(poses), 3))
    sideways = (position[:, :2] / position[:, 2:] - poses[:, :2, 3] / z[:, None]) * focal
    residual = np.concatenate([sideways / prior.shift, np.log(position[:, 2:] / z[:, None]) / prior.depth], axis=1)
    jacobian = np.zeros((len(poses), 3, 6))
    rows = pixel_rows(K, np.stack([*poses[:, :2, 3].T, z]), np.zeros((3, len(poses))))
    jacobian[:, :2] = rows.transpose(2, 1, 0) / prior.shift
    jacobian[:, 2, 2] = 1 / (z * prior.depth)
    square = (residual**2).sum(axis=1)
    weighted = np.swapaxes(jacobian, 1, 2) * (prior.weight / (1 + square))[:, None, None]
    return prior.weight * np.log1p(square), weighted @ jacobian, (weighted @ residual[..., None])[..., 0]
