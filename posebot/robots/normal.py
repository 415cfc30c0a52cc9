"""The arithmetic of `robots.refine`: what is seen against what is foretold, and the normal equations of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import Camera
from posebot.core.transforms import Array, exp, skew
from posebot.robots.solvers import Guess
from posebot.robots.views import Mode, View, mount_from_stand

_HUBER = 3.0  # sigmas; beyond, a corner counts linearly
_NEAREST = 1e-3  # metres: points nearer to the camera, or behind it, are projected as if they were there


@dataclass(frozen=True)
class Noise:
    """Standard deviations: `seen` in pixels (metres for views without pixels), the arm's in metres and radians."""

    seen: float
    arm_t: float
    arm_r: float


@dataclass(frozen=True)
class Free:
    """What is unknown besides the two poses."""

    scale: bool = False
    camera: bool = False


NOTHING = Free()


@dataclass(frozen=True)
class Solution:
    """The refined answer.

    Attributes:
        mount_from_cam, stand_from_target: 4x4. arm_errors: (N, 6) estimated error of each robot pose, at the gripper,
            along the mount's axes. noise: as used. camera, scale: as given, or as found where they were free.
        covariance: (P, P) of mount_from_cam (6), stand_from_target (6), each as in `core.results`, then of what else
            was free: the target's scale, then fx, fy, cx, cy and the distortion.
    """

    mount_from_cam: Array
    stand_from_target: Array
    arm_errors: Array
    noise: Noise
    camera: Camera | None = None
    scale: float = 1.0
    covariance: Array = field(default_factory=lambda: np.eye(12))

    def guess(self) -> Guess:
        """As an answer of a solver."""
        return Guess("refined", self.mount_from_cam, self.stand_from_target)


@dataclass(frozen=True)
class Problem:
    """All views' points end to end: links (N, 4, 4), pivots (N, 3), points (M, 3), seen (M, D); where a view starts
    (N,), and the view of each point (M,)."""

    links: Array
    pivots: Array
    points: Array
    seen: Array
    starts: NDArray[np.intp]
    view: NDArray[np.intp]
    free: Free


@dataclass(frozen=True)
class Normal:
    """Normal equations: shared block (P, P), couplings (N, P, 6), views' blocks (N, 6, 6) and right-hand sides."""

    shared: Array
    coupling: Array
    own: Array
    shared_rhs: Array
    own_rhs: Array
    squares: float
    cost: float


def stack(views: Sequence[View], mode: Mode, free: Free) -> Problem:
    """The problem of these views."""
    links = mount_from_stand(views, mode)
    pivots = np.zeros((len(views), 3)) if mode == "eye-in-hand" else links[:, :3, 3]
    counts = [len(view.points) for view in views]
    return Problem(links, pivots, np.concatenate([view.points for view in views]),
                    np.concatenate([view.seen for view in views]), np.cumsum([0, *counts[:-1]]),
                    np.repeat(np.arange(len(views)), counts), free)


@dataclass(frozen=True)
class Residuals:
    """Residuals (M, D), their derivatives by the point in the camera frame (M, D, 3) and by the intrinsics (M, D, I),
    and points on the way: along the stand's axes from the target's origin (M, 3), along the mount's from the pivot
    and from the camera (M, 3)."""

    values: Array
    by_point: Array
    by_camera: Array
    rotated: Array
    arm: Array
    from_cam: Array


def residuals_of(problem: Problem, state: Solution) -> Residuals:
    """What is seen less what the state foretells."""
    rotated = state.scale * problem.points @ state.stand_from_target[:3, :3].T
    links, pivots = problem.links[problem.view], problem.pivots[problem.view]
    exact = np.einsum("mij,mj->mi", links[:, :3, :3], rotated + state.stand_from_target[:3, 3]) + links[:, :3, 3]
    errors = exp(state.arm_errors)[problem.view]
    arm = np.einsum("mij,mj->mi", errors[:, :3, :3], exact - pivots)
    from_cam = arm + pivots + errors[:, :3, 3] - state.mount_from_cam[:3, 3]
    seen, by_point, by_camera = _observe(from_cam @ state.mount_from_cam[:3, :3], state.camera)
    return Residuals(seen - problem.seen, by_point, by_camera, rotated, arm, from_cam)


def _observe(in_cam: Array, camera: Camera | None) -> tuple[Array, Array, Array]:
    """What is seen of points (M, 3) in the camera frame, (M, D), its derivative (M, D, 3), and by the intrinsics."""
    if camera is None:
        return in_cam, np.broadcast_to(np.eye(3), (len(in_cam), 3, 3)), np.zeros((len(in_cam), 3, 0))
    import cv2

    in_front = np.concatenate([in_cam[:, :2], np.maximum(in_cam[:, 2:], _NEAREST)], axis=1)
    pixels: Any
    jacobian: Any
    pixels, jacobian = cv2.projectPoints(in_front, np.zeros(3), np.zeros(3), camera.K,
                                         camera.distortion if camera.distortion.size else None)
    jacobian = jacobian.reshape(-1, 2, jacobian.shape[1])
    return pixels.reshape(-1, 2), jacobian[..., 3:6], jacobian[..., 6:10 + camera.distortion.size]


def normal_equations(problem: Problem, state: Solution) -> Normal:
    """The normal equations at a state, corners weighted by Huber's rule."""
    found = residuals_of(problem, state)
    errors = exp(state.arm_errors)[problem.view][:, :3, :3]
    by_mount = found.by_point @ state.mount_from_cam[:3, :3].T  # derivative by a shift of the point, mount's axes
    by_stand = by_mount @ errors @ problem.links[problem.view][:, :3, :3]
    columns = [-by_mount, by_mount @ skew(found.from_cam), by_stand, -by_stand @ skew(found.rotated)]
    columns += [by_stand @ found.rotated[..., None] / state.scale] if problem.free.scale else []
    columns += [found.by_camera] if problem.free.camera else []
    shared = np.concatenate(columns, axis=2)
    own = np.concatenate([by_mount, -by_mount @ skew(found.arm)], axis=2)
    scaled = np.linalg.norm(found.values, axis=1) / state.noise.seen
    weights = np.minimum(1.0, _HUBER / np.maximum(scaled, 1e-12)) / state.noise.seen**2
    weighted_shared, weighted_own = shared * weights[:, None, None], own * weights[:, None, None]
    precision = prior(state.noise)

    def per_view(values: Array) -> Array:
        return np.add.reduceat(values, problem.starts, axis=0)

    return Normal(
        np.einsum("mdi,mdj->ij", weighted_shared, shared), per_view(np.einsum("mdi,mdj->mij", weighted_shared, own)),
        per_view(np.einsum("mdi,mdj->mij", weighted_own, own)) + np.diag(precision),
        -np.einsum("mdi,md->i", weighted_shared, found.values),
        -per_view(np.einsum("mdi,md->mi", weighted_own, found.values)) - precision * state.arm_errors,
        float((weights[:, None] * found.values**2).sum()) * state.noise.seen**2, cost_of(found.values, state))


def cost_of(residuals: Array, state: Solution) -> float:
    """The cost of `robots.refine`, from residuals (M, D)."""
    scaled = np.linalg.norm(residuals, axis=1) / state.noise.seen
    huber = np.where(scaled <= _HUBER, scaled**2, 2 * _HUBER * scaled - _HUBER**2).sum()
    return float(huber + (prior(state.noise) * state.arm_errors**2).sum())


def prior(noise: Noise) -> Array:
    """Inverse variances (6,) of a robot pose's error."""
    return np.repeat([noise.arm_t**-2, noise.arm_r**-2], 3)
