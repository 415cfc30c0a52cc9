"""Pose from coordinates in the picture: RANSAC-PnP, then Levenberg-Marquardt on SE(3) with a robust loss."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from posebot.core.camera import project
from posebot.core.transforms import Array, apply, make, perturb, rotation_from_vector
from posebot.stages.evidence import SIZE, Evidence

MIN_PIXELS = 12
_PIXEL = 0.7  # working pixels: error of a perfect coordinate, from the map's grid
_STILL = 1e-9  # least damping


@dataclass(frozen=True)
class Prior:
    """Where the object's origin is thought to be, before any coordinate is looked at.

    Attributes:
        position: (3,) camera frame, metres. shift: error sideways, working pixels. depth: error of log z.
        weight: how many coordinates it counts as much as.
    """

    position: Array
    shift: float = 0.05 * SIZE
    depth: float = 0.08
    weight: float = 10.0




def ransac(evidence: Evidence, tries: int = 3, iterations: int = 80) -> list[Array]:
    """Pose hypotheses (4x4) from random minimal sets, for several tolerances. Empty with too few pixels."""
    poses = []
    if len(evidence.pixels) < MIN_PIXELS:
        return []
    order = np.argsort(evidence.sigma / evidence.weight)
    for attempt in range(tries):
        best = order[:max(MIN_PIXELS, len(order) >> attempt)]
        cv2.setRNGSeed(attempt + 1)  # the same crop gives the same pose
        found, turn, shift, _ = cv2.solvePnPRansac(
            evidence.coordinates[best], evidence.pixels[best], evidence.K, None, iterationsCount=iterations,
            reprojectionError=2.0 + attempt, confidence=0.99, flags=cv2.SOLVEPNP_EPNP)
        if found and np.isfinite(turn).all() and np.isfinite(shift).all() and shift[2, 0] > 0.01:
            poses.append(make(rotation_from_vector(turn[:, 0]), shift[:, 0]))
    return poses


def refine(pose: Array, evidence: Evidence, prior: Prior, steps: int = 10) -> tuple[Array, Array]:
    """Best pose near `pose` given the coordinates and a guess of the origin, and its 6x6 information.

    Minimises the Cauchy loss of the reprojection errors, each in units of its own expected error. The information is
    the Gauss-Newton Hessian in the chart of `transforms.perturb`; its inverse is the covariance as if all pixels were
    independent.
    """
    cost, matrix, right = linearise(pose, evidence, prior)
    damping = 1e-3
    for _ in range(steps):
        # without coordinates nothing holds the attitude: what no evidence moves stays where it is
        step = np.linalg.solve(matrix + damping * np.diag(np.maximum(np.diag(matrix), _STILL)), right)
        trial = perturb(pose, step)
        trial_cost, trial_matrix, trial_right = linearise(trial, evidence, prior)
        if trial_cost < cost:
            done = cost - trial_cost < 1e-4 * cost
            pose, cost, matrix, right, damping = trial, trial_cost, trial_matrix, trial_right, damping / 5
            if done:
                break
        else:
            damping *= 10
    return pose, matrix


def information(pose: Array, evidence: Evidence, prior: Prior) -> Array:
    """Gauss-Newton Hessian (6, 6) of the coordinates' evidence at a pose, as in `refine`."""
    return linearise(pose, evidence, prior)[1]


def linearise(pose: Array, evidence: Evidence, prior: Prior) -> tuple[float, Array, Array]:
    """Robust cost, Hessian (6, 6) and downhill direction (6,) at a pose."""
    points = apply(pose, evidence.coordinates)
    if points[:, 2].min(initial=1.0) < 1e-3 or pose[2, 3] < 1e-3:
        return np.inf, np.eye(6), np.zeros(6)
    sigma = np.hypot(evidence.sigma * evidence.focal / points[:, 2], _PIXEL)
    residual = (evidence.pixels - project(evidence.K, points)) / sigma[:, None]
    square = (residual**2).sum(axis=1)
    trust = evidence.weight / (1 + square)
    jacobian = projection_jacobian(evidence.K, points, points - pose[:3, 3]).reshape(-1, 6)
    jacobian /= np.repeat(sigma, 2)[:, None]
    weighted = jacobian * np.repeat(trust, 2)[:, None]
    cost, matrix, right = _prior_terms(pose, evidence.K, prior)
    cost += float((evidence.weight * np.log1p(square)).sum())
    matrix += weighted.T @ jacobian
    right += weighted.T @ residual.reshape(-1)
    return cost, matrix, right


def projection_jacobian(K: Array, points: Array, arms: Array) -> Array:
    """Derivative (N, 2, 6) of the pixels by the pose's twist; `arms`: points relative to the object's origin."""
    x, y, near = points[:, 0], points[:, 1], 1 / points[:, 2]
    arm_x, arm_y, arm_z = arms.T
    u, v = K[0, 0] * near, K[1, 1] * near  # by the point: (u, 0, u_z) and (0, v, v_z); by turns: arm x these
    u_z, v_z = -u * x * near, -v * y * near
    result = np.zeros((len(points), 2, 6))
    result[:, 0, 0], result[:, 0, 2] = u, u_z
    result[:, 1, 1], result[:, 1, 2] = v, v_z
    result[:, 0, 3], result[:, 0, 4], result[:, 0, 5] = arm_y * u_z, arm_z * u - arm_x * u_z, -arm_y * u
    result[:, 1, 3], result[:, 1, 4], result[:, 1, 5] = arm_y * v_z - arm_z * v, -arm_x * v_z, arm_x * v
    return result


def _prior_terms(pose: Array, K: Array, prior: Prior) -> tuple[float, Array, Array]:
    """Cost, Hessian and downhill direction of the guess of the origin."""
    z = pose[2, 3]
    sideways = project(K, prior.position) - project(K, pose[:3, 3])
    residual = np.append(sideways / prior.shift, np.log(prior.position[2] / z) / prior.depth)
    jacobian = np.zeros((3, 6))
    jacobian[:2] = projection_jacobian(K, pose[None, :3, 3], np.zeros((1, 3)))[0] / prior.shift
    jacobian[2, 2] = 1 / (z * prior.depth)
    square = float(residual @ residual)
    weight = prior.weight / (1 + square)
    return prior.weight * float(np.log1p(square)), weight * jacobian.T @ jacobian, weight * jacobian.T @ residual
