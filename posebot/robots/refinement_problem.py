"""Residuals, Jacobians and normal equations of the joint refinement in `robots.joint_refinement`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import Camera
from posebot.core.transforms import Array, exp, skew
from posebot.robots.solvers import HandEyeEstimate
from posebot.robots.views import Mode, View, mount_from_fixture

_HUBER = 3.0  # sigmas; threshold of the robust loss
_NEAREST = 1e-3  # metres; minimum depth of projected points


@dataclass(frozen=True)
class NoiseModel:
    """Standard deviations: `seen` in pixels (metres for views without pixels), the arm's in metres and radians."""

    seen: float
    arm_translation: float
    arm_rotation: float


@dataclass(frozen=True)
class FreeParameters:
    """Parameters estimated in addition to the two poses."""

    scale: bool = False
    camera: bool = False


NO_FREE_PARAMETERS = FreeParameters()


@dataclass(frozen=True)
class Solution:
    """The refined result.

    Attributes:
        mount_from_cam, fixture_from_target: 4x4. arm_errors: (N, 6) estimated error of each robot pose, at the gripper,
            along the mount's axes. noise: as used. camera, scale: as given, or as estimated if free.
        covariance: (P, P) of mount_from_cam (6), fixture_from_target (6), each as in `core.results`, then of the free
            parameters: the target scale, then fx, fy, cx, cy and the distortion.
    """

    mount_from_cam: Array
    fixture_from_target: Array
    arm_errors: Array
    noise: NoiseModel
    camera: Camera | None = None
    scale: float = 1.0
    covariance: Array = field(default_factory=lambda: np.eye(12))

    def as_estimate(self) -> HandEyeEstimate:
        """As the result of a solver."""
        return HandEyeEstimate("refined", self.mount_from_cam, self.fixture_from_target)


@dataclass(frozen=True)
class RefinementProblem:
    """The points of all views, concatenated: links (N, 4, 4), pivots (N, 3), points (M, 3), seen (M, D); start of each
    view (N,), and the view of each point (M,)."""

    links: Array
    pivots: Array
    points: Array
    seen: Array
    starts: NDArray[np.intp]
    view: NDArray[np.intp]
    free: FreeParameters


@dataclass(frozen=True)
class NormalEquations:
    """Normal equations in arrow form: shared block (P, P), coupling (N, P, 6), per-view blocks (N, 6, 6), both
    right-hand sides, the weighted sum of squares and the cost."""

    shared: Array
    coupling: Array
    own: Array
    shared_rhs: Array
    own_rhs: Array
    squares: float
    cost: float


def stack_views(views: Sequence[View], mode: Mode, free: FreeParameters) -> RefinementProblem:
    """The refinement problem of these views."""
    links = mount_from_fixture(views, mode)
    pivots = np.zeros((len(views), 3)) if mode == "eye-in-hand" else links[:, :3, 3]
    counts = [len(view.points) for view in views]
    return RefinementProblem(links, pivots, np.concatenate([view.points for view in views]),
                    np.concatenate([view.seen for view in views]), np.cumsum([0, *counts[:-1]]),
                    np.repeat(np.arange(len(views)), counts), free)


@dataclass(frozen=True)
class Residuals:
    """Residuals (M, D), their derivatives by the point in the camera frame (M, D, 3) and by the intrinsics (M, D, I),
    and intermediate points: in the fixture from the target's origin (M, 3), in the mount from the pivot and from the
    camera (M, 3)."""

    values: Array
    by_point: Array
    by_camera: Array
    rotated: Array
    arm: Array
    from_cam: Array


def compute_residuals(problem: RefinementProblem, state: Solution) -> Residuals:
    """Predicted minus observed points, and derivatives."""
    rotated = state.scale * problem.points @ state.fixture_from_target[:3, :3].T
    links, pivots = problem.links[problem.view], problem.pivots[problem.view]
    exact = np.einsum("mij,mj->mi", links[:, :3, :3], rotated + state.fixture_from_target[:3, 3]) + links[:, :3, 3]
    errors = exp(state.arm_errors)[problem.view]
    arm = np.einsum("mij,mj->mi", errors[:, :3, :3], exact - pivots)
    from_cam = arm + pivots + errors[:, :3, 3] - state.mount_from_cam[:3, 3]
    seen, by_point, by_camera = _observe(from_cam @ state.mount_from_cam[:3, :3], state.camera)
    return Residuals(seen - problem.seen, by_point, by_camera, rotated, arm, from_cam)


def _observe(in_cam: Array, camera: Camera | None) -> tuple[Array, Array, Array]:
    """Observation (M, D) of points (M, 3) in the camera frame, derivatives by point (M, D, 3) and intrinsics."""
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


def normal_equations(problem: RefinementProblem, state: Solution) -> NormalEquations:
    """The normal equations at a state, with Huber weights."""
    found = compute_residuals(problem, state)
    errors = exp(state.arm_errors)[problem.view][:, :3, :3]
    by_mount = found.by_point @ state.mount_from_cam[:3, :3].T  # derivative by a shift of the point, mount's axes
    by_fixture = by_mount @ errors @ problem.links[problem.view][:, :3, :3]
    columns = [-by_mount, by_mount @ skew(found.from_cam), by_fixture, -by_fixture @ skew(found.rotated)]
    columns += [by_fixture @ found.rotated[..., None] / state.scale] if problem.free.scale else []
    columns += [found.by_camera] if problem.free.camera else []
    shared = np.concatenate(columns, axis=2)
    own = np.concatenate([by_mount, -by_mount @ skew(found.arm)], axis=2)
    scaled = np.linalg.norm(found.values, axis=1) / state.noise.seen
    weights = np.minimum(1.0, _HUBER / np.maximum(scaled, 1e-12)) / state.noise.seen**2
    weighted_shared, weighted_own = shared * weights[:, None, None], own * weights[:, None, None]
    precision = arm_prior_precision(state.noise)

    def per_view(values: Array) -> Array:
        return np.add.reduceat(values, problem.starts, axis=0)

    return NormalEquations(
        np.einsum("mdi,mdj->ij", weighted_shared, shared), per_view(np.einsum("mdi,mdj->mij", weighted_shared, own)),
        per_view(np.einsum("mdi,mdj->mij", weighted_own, own)) + np.diag(precision),
        -np.einsum("mdi,md->i", weighted_shared, found.values),
        -per_view(np.einsum("mdi,md->mi", weighted_own, found.values)) - precision * state.arm_errors,
        float((weights[:, None] * found.values**2).sum()) * state.noise.seen**2, robust_cost(found.values, state))


def robust_cost(residuals: Array, state: Solution) -> float:
    """The cost of `robots.joint_refinement`, from residuals (M, D)."""
    scaled = np.linalg.norm(residuals, axis=1) / state.noise.seen
    huber = np.where(scaled <= _HUBER, scaled**2, 2 * _HUBER * scaled - _HUBER**2).sum()
    return float(huber + (arm_prior_precision(state.noise) * state.arm_errors**2).sum())


def arm_prior_precision(noise: NoiseModel) -> Array:
    """Inverse variances (6,) of a robot pose's error."""
    return np.repeat([noise.arm_translation**-2, noise.arm_rotation**-2], 3)
