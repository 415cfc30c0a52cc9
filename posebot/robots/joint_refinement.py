"""Joint refinement of hand-eye and target pose over all views: least reprojection error, with an inaccurate robot arm.

Unknowns are `mount_from_cam` and `fixture_from_target` (see `robots.views`) and, for every view, a small error e of the
robot's reported pose at the gripper, with a Gaussian arm_prior_precision. The cost is

    sum over points  huber(|projected - seen| / sigma_seen)
    + sum over views  |e_t|^2 / sigma_t^2 + |e_r|^2 / sigma_r^2

minimised by damped Gauss-Newton on SE(3), in the chart of `transforms.perturb`. Each view's six numbers are eliminated
by a Schur complement, so that the cost grows linearly with the views (a general least-squares solver is cubic, for
each left-out view). Without e the correlated errors of the points of a board would count as independent, and the
covariance would be ten times too small.

Optional unknowns are the scale of the target (a print scaled to fit the page) and the intrinsics of the camera: the
motion of the robot makes them observable.

The sigmas are estimated from the data by the evidence approximation (MacKay, "Bayesian interpolation", 1992):
sigma^2 = sum of squares / effective degrees of freedom. Errors that the points of a board share (distortion
model, paper that is not flat) do not average out, so the points of a view count as four observations: with their full
number, sub-pixel errors were attributed to centimetres of arm error on real images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from posebot.core.camera import Camera
from posebot.core.transforms import Array, perturb
from posebot.robots.refinement_problem import (
    NO_FREE_PARAMETERS,
    FreeParameters,
    NoiseModel,
    NormalEquations,
    RefinementProblem,
    Solution,
    arm_prior_precision,
    compute_residuals,
    normal_equations,
    robust_cost,
    stack_views,
)
from posebot.robots.solvers import HandEyeEstimate, predicted_target_poses
from posebot.robots.views import Mode, View, mount_from_fixture

_MAX_OBSERVATIONS = 4  # independent points per view
_MIN_SIGMAS = (1e-3, 1e-6, 1e-7)  # lower bounds: pixels (or 1e-3 mm), metres, radians
_MIN_INFORMATION = 1e-10  # relative; directions below are unobserved


def refine(views: Sequence[View], mode: Mode, start: Solution, free: FreeParameters = NO_FREE_PARAMETERS) -> Solution:
    """The joint solution from `start`, with its noise known.

    `views`: three or more, `seen` in pixels of `start.camera`, or in metres where that is None.
    """
    return _minimise(stack_views(views, mode, free), start)


def refine_with_noise(views: Sequence[View], mode: Mode, start: Solution, free: FreeParameters = NO_FREE_PARAMETERS,
                      arm: tuple[float, float] | None = None) -> Solution:
    """As `refine`, with the noise estimated from the views; `arm` = (metres, radians) keeps that of the arm."""
    problem, solution = stack_views(views, mode, free), start
    if arm is not None:
        translation, rotation = max(arm[0], _MIN_SIGMAS[1]), max(arm[1], _MIN_SIGMAS[2])
        solution = replace(start, noise=NoiseModel(start.noise.seen, translation, rotation))
    for _ in range(30):
        solution = _minimise(problem, solution)
        better = _estimate_noise(problem, solution, arm is not None)
        before, after = (np.array([entry.seen, entry.arm_translation, entry.arm_rotation])
                         for entry in (solution.noise, better))
        if np.abs(np.log(after / before)).max() < 0.02:
            break
        solution = replace(solution, noise=better)
    return solution


def initial_solution(estimate: HandEyeEstimate, views: Sequence[View], camera: Camera | None) -> Solution:
    """The result of a solver as start: half a pixel of noise (1 mm without pixels), the arm nearly exact.

    With a large initial arm noise the estimate converges to a solution in which the arm explains all errors.
    """
    noise = NoiseModel(0.5 if camera is not None else 1e-3, 1e-4, 1e-4)
    return Solution(estimate.mount_from_cam, estimate.fixture_from_target, np.zeros((len(views), 6)), noise, camera)


def reprojection_rms(solution: Solution, views: Sequence[View], mode: Mode) -> Array:
    """(N,) root mean square over each view's points of |projected - seen|, arm taken as exact; pixels or metres."""
    problem = stack_views(views, mode, NO_FREE_PARAMETERS)
    exact = replace(solution, arm_errors=np.zeros((len(views), 6)))
    squares = (compute_residuals(problem, exact).values ** 2).sum(axis=1)
    counts = np.bincount(problem.view, minlength=len(views))
    return np.sqrt(np.bincount(problem.view, squares, len(views)) / counts)


def predict_target_poses(solution: Solution, views: Sequence[View], mode: Mode) -> Array:
    """`cam_from_target` (N, 4, 4) of views predicted by the solution, arm taken as exact."""
    return predicted_target_poses(solution.as_estimate(), mount_from_fixture(views, mode))


def _minimise(problem: RefinementProblem, state: Solution, steps: int = 30) -> Solution:
    """Levenberg-Marquardt from `state`, sigmas kept; the covariance is that of the last point."""
    damping, normal = 1e-6, normal_equations(problem, state)
    for _ in range(steps):
        moved = _step(state, normal, damping, problem.free)
        cost = robust_cost(compute_residuals(problem, moved).values, moved)
        if not cost < normal.cost:
            damping *= 10
            if damping > 1e6:
                break
            continue
        gain, state, damping = normal.cost - cost, moved, max(damping / 10, 1e-9)
        normal = normal_equations(problem, state)
        if gain < 1e-9 * (1 + cost):
            break
    return replace(state, covariance=_inverse(_reduced(normal)[0]))


def _step(state: Solution, normal: NormalEquations, damping: float, free: FreeParameters) -> Solution:
    reduced, solved, right = _reduced(normal)
    diagonal = np.diag(normal.shared)
    twist = np.asarray(np.linalg.solve(reduced + damping * np.diag(diagonal + 1e-9), right), dtype=float)
    errors = np.linalg.solve(normal.own, normal.own_rhs[..., None])[..., 0] - np.einsum("nij,i->nj", solved, twist)
    camera, scale = state.camera, state.scale + (float(twist[12]) if free.scale else 0.0)
    if free.camera and camera is not None:
        camera = _moved_camera(camera, twist[12 + free.scale:])
    return replace(state, mount_from_cam=perturb(state.mount_from_cam, twist[:6]), scale=scale, camera=camera,
                   fixture_from_target=perturb(state.fixture_from_target, twist[6:12]),
                   arm_errors=state.arm_errors + errors)


def _moved_camera(camera: Camera, change: Array) -> Camera:
    K = camera.K.copy()
    K[[0, 1, 0, 1], [0, 1, 2, 2]] += change[:4]
    K[[0, 1], [0, 1]] = np.maximum(K[[0, 1], [0, 1]], 1.0)  # keeps the camera valid after a large step
    return replace(camera, K=K, distortion=camera.distortion + change[4:])


def _reduced(normal: NormalEquations) -> tuple[Array, Array, Array]:
    """Schur complement (P, P), `coupling @ inverse(own)` (N, P, 6), and the reduced right-hand side (P,)."""
    solved = np.swapaxes(np.linalg.solve(normal.own, np.swapaxes(normal.coupling, 1, 2)), 1, 2)
    reduced = normal.shared - np.einsum("nij,nkj->ik", solved, normal.coupling)
    right = normal.shared_rhs - np.einsum("nij,nj->i", solved, normal.own_rhs)
    return reduced, solved, right


def _inverse(information: Array) -> Array:
    """The covariance of an information matrix; unobserved directions get a large variance."""
    scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    covariance = (vectors / np.maximum(values, _MIN_INFORMATION)) @ vectors.T / np.outer(scale, scale)
    return np.asarray(covariance, dtype=float)


def _estimate_noise(problem: RefinementProblem, state: Solution, arm_known: bool) -> NoiseModel:
    normal = normal_equations(problem, state)
    _, solved, _ = _reduced(normal)
    own = np.linalg.inv(normal.own) + np.einsum("nij,ik,nkl->njl", solved, state.covariance, solved)
    variances = np.diagonal(own, axis1=1, axis2=2) * arm_prior_precision(state.noise)
    known = (1 - variances).reshape(-1, 2, 3).sum(axis=(0, 2))  # effective degrees of freedom fixed by the data
    squares = (state.arm_errors**2).reshape(-1, 2, 3).sum(axis=(0, 2))
    arm_translation, arm_rotation = np.sqrt(squares / np.maximum(known, 0.5))
    freedom = max(problem.seen.size - len(state.covariance) - float(known.sum()), 1.0)
    redundancy = max(1.0, len(problem.points) / len(problem.links) / _MAX_OBSERVATIONS)
    min_seen = _MIN_SIGMAS[0] if state.camera is not None else _MIN_SIGMAS[1]
    seen = max(float(np.sqrt(redundancy * normal.squares / freedom)), min_seen)
    if arm_known:
        return replace(state.noise, seen=seen)
    return NoiseModel(seen, max(float(arm_translation), _MIN_SIGMAS[1]), max(float(arm_rotation), _MIN_SIGMAS[2]))
