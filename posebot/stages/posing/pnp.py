"""Pose from coordinates in the picture: RANSAC-PnP, then Levenberg-Marquardt on SE(3) with a robust loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from posebot.core.transforms import Array, make, rotation_from_vector
from posebot.stages.posing.compiled import add_rows, compiled, mirror, moved, pixel_rows, solve, turned
from posebot.stages.posing.evidence import SIZE, Evidence

MIN_PIXELS = 12
_PIXEL = 0.7  # working pixels: error of a perfect coordinate, from the map's grid
_SAMPLED = 300  # most pixels that poses are drawn from and judged by: neighbours say the same
_STILL = 1e-9  # least damping
_NEAREST = 1e-3  # metres: what is nearer is behind the camera


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


def ransac(evidence: Evidence, tries: int = 3, iterations: int = 80) -> Array:
    """Pose hypotheses (H, 4, 4) from random minimal sets, for several tolerances. Empty with too few pixels."""
    poses = []
    if len(evidence.pixels) < MIN_PIXELS:
        return np.zeros((0, 4, 4))
    order = np.argsort(evidence.sigma / evidence.weight)
    for attempt in range(tries):
        best = order[:max(MIN_PIXELS, len(order) >> attempt)]
        best = best[::1 + len(best) // _SAMPLED]
        cv2.setRNGSeed(attempt + 1)  # the same crop gives the same pose
        found, turn, shift, _ = cv2.solvePnPRansac(
            evidence.coordinates[best], evidence.pixels[best], evidence.K, None, iterationsCount=iterations,
            reprojectionError=2.0 + attempt, confidence=0.99, flags=cv2.SOLVEPNP_AP3P)
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
    poses, matrices = poses.copy(), np.empty((len(poses), 6, 6))
    origins, firm = guessed(prior, len(poses))
    _refine(poses, evidence.K, spots_of(evidence), origins, firm, steps, matrices)
    return poses, matrices


def information(pose: Array, evidence: Evidence, prior: Prior) -> Array:
    """Gauss-Newton Hessian (6, 6) of the coordinates' evidence at a pose, as in `refine`."""
    return np.asarray(linearise(pose[None], evidence, prior)[1][0])


def linearise(poses: Array, evidence: Evidence, prior: Prior) -> tuple[Array, Array, Array]:
    """Robust costs (H,), Hessians (H, 6, 6) and downhill directions (H, 6) at poses (H, 4, 4).

    A pose that puts anything behind the camera costs infinitely much.
    """
    costs, matrices, rights = np.empty(len(poses)), np.empty((len(poses), 6, 6)), np.empty((len(poses), 6))
    origins, firm = guessed(prior, len(poses))
    _linearise(poses, evidence.K, spots_of(evidence), origins, firm, costs, matrices, rights)
    return costs, matrices, rights


class Spots(NamedTuple):
    """Pixels (N, 2), the object's points (N, 3) seen there, their expected error in metres times the focal length (N,),
    and their weights (N,)."""

    pixels: Array
    points: Array
    spread: Array
    weight: Array


class Firm(NamedTuple):
    """A prior's tolerances and weight."""

    shift: float
    depth: float
    weight: float


def spots_of(evidence: Evidence) -> Spots:
    """The evidence's coordinates for compiled loops."""
    return Spots(*map(np.ascontiguousarray, (evidence.pixels, evidence.coordinates, evidence.sigma * evidence.focal,
                                              evidence.weight)))


def guessed(prior: Prior, count: int) -> tuple[Array, Firm]:
    """Where a prior puts the origins (count, 3), and how firmly."""
    origins = np.array(np.broadcast_to(prior.position, (count, 3)), float)
    return origins, Firm(prior.shift, prior.depth, prior.weight)


@compiled
def _refine(poses: Array, K: Array, spots: Spots, origins: Array, firm: Firm, steps: int, matrices: Array) -> None:
    right, trial_right, step = np.empty(6), np.empty(6), np.empty(6)
    held, trial_matrix, trial = np.empty((6, 6)), np.empty((6, 6)), np.empty((4, 4))
    for h in range(len(poses)):
        damping, pose, matrix = 1e-3, poses[h], matrices[h]
        cost = linear(pose, K, spots, origins[h], firm, matrix, right)
        for _ in range(steps):
            for i in range(6):
                for j in range(6):
                    held[i, j] = matrix[i, j]
                # without coordinates nothing holds the attitude: what no evidence moves stays where it is
                held[i, i] += damping * max(matrix[i, i], _STILL)
            solve(held, right, step)
            moved(pose, step, trial)
            trial_cost = linear(trial, K, spots, origins[h], firm, trial_matrix, trial_right)
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
            still = cost - trial_cost < 1e-4 * cost
            damping, cost = 0.2 * damping, trial_cost
            if still:
                break


@compiled
def _linearise(poses: Array, K: Array, spots: Spots, origins: Array, firm: Firm, costs: Array, matrices: Array,
               rights: Array) -> None:
    for h in range(len(poses)):
        costs[h] = linear(poses[h], K, spots, origins[h], firm, matrices[h], rights[h])


@compiled
def linear(pose: Array, K: Array, spots: Spots, origin: Array, firm: Firm, matrix: Array, right: Array) -> float:
    """The cost of one pose; fills its Hessian and its downhill direction."""
    rows = np.empty((2, 6))
    cost = _origin_terms(pose, K, origin, firm, rows, matrix, right)
    possible = pose[2, 3] > _NEAREST
    for n in range(len(spots.points)):
        arm = turned(pose, spots.points[n])
        x, y, z = arm[0] + pose[0, 3], arm[1] + pose[1, 3], arm[2] + pose[2, 3]
        possible &= z > _NEAREST
        z = max(z, _NEAREST)
        known = 1 / np.sqrt((spots.spread[n] / z) ** 2 + _PIXEL**2)
        off_x = (spots.pixels[n, 0] - x / z * K[0, 0] - K[0, 2]) * known
        off_y = (spots.pixels[n, 1] - y / z * K[1, 1] - K[1, 2]) * known
        square = off_x**2 + off_y**2
        trust = spots.weight[n] / (1 + square)
        cost += spots.weight[n] * np.log1p(square)
        pixel_rows(K, (x, y, z), arm, rows)
        add_rows(rows[0], known * known * trust, off_x / known, matrix, right)
        add_rows(rows[1], known * known * trust, off_y / known, matrix, right)
    if not possible:
        for i in range(6):
            right[i] = 0.0
            for j in range(6):
                matrix[i, j] = 1.0 if i == j else 0.0
        return np.inf
    mirror(matrix)
    return cost


@compiled
def _origin_terms(pose: Array, K: Array, origin: Array, firm: Firm, rows: Array, matrix: Array, right: Array) -> float:
    """Begin a pose's Hessian and downhill direction with the guess of the origin; its cost."""
    for i in range(6):
        right[i] = 0.0
        for j in range(6):
            matrix[i, j] = 0.0
    z = max(pose[2, 3], _NEAREST)
    off_x = (origin[0] / origin[2] - pose[0, 3] / z) * K[0, 0]
    off_y = (origin[1] / origin[2] - pose[1, 3] / z) * K[1, 1]
    off_z = np.log(origin[2] / z)
    square = (off_x / firm.shift) ** 2 + (off_y / firm.shift) ** 2 + (off_z / firm.depth) ** 2
    trust = firm.weight / (1 + square)
    pixel_rows(K, (pose[0, 3], pose[1, 3], z), (0.0, 0.0, 0.0), rows)
    add_rows(rows[0], trust / firm.shift**2, off_x, matrix, right)
    add_rows(rows[1], trust / firm.shift**2, off_y, matrix, right)
    matrix[2, 2] += trust / (firm.depth * z) ** 2
    right[2] += trust / (firm.depth**2 * z) * off_z
    return firm.weight * np.log1p(square)
