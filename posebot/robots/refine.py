"""Joint refinement of hand-eye and target pose over all views: least reprojection error, with an arm that is not exact.

Unknown are `mount_from_cam` and `stand_from_target` (see `robots.views`) and, for every view, a small error e of the
robot's reported pose at the gripper, with a Gaussian prior. The cost is

    sum over points  huber(|projected - seen| / sigma_seen)
    + sum over views  |e_t|^2 / sigma_t^2 + |e_r|^2 / sigma_r^2

minimised by damped Gauss-Newton on SE(3), in the chart of `transforms.perturb`. Each view's six numbers are eliminated
by a Schur complement, so that the cost grows linearly with the views (a general least-squares routine pays their cube,
once for every left-out view). Without the e a board of a hundred corners would claim a hundred independent witnesses
where all err together, and the covariance would be ten times too small.

On demand the target's scale (a print that a driver shrank to fit the page) and the camera's intrinsics are unknown too:
the robot's own motion tells them apart from everything else.

The sigmas are estimated from the data by the evidence approximation (MacKay, "Bayesian interpolation", 1992):
sigma^2 = sum of squares / effective degrees of freedom. What a board's points have in common (a lens model that does
not fit, paper that is not flat) is no noise that averages out, so the points of a view count as four witnesses: with
their full number, sub-pixel bends of a board were read as centimetres of arm error on real pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import Camera
from posebot.core.transforms import Array, exp, perturb, skew
from posebot.robots.solvers import Guess, predicted
from posebot.robots.views import Mode, View, mount_from_stand

_WITNESSES = 4  # independent points in a view, at most
_HUBER = 3.0  # sigmas; beyond, a corner counts linearly
_LEAST = (1e-3, 1e-6, 1e-7)  # lower ends of the sigmas: pixels (or 1e-3 mm), metres, radians
_UNSEEN = 1e-10  # share of a direction's information below which it counts as unobserved
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
class _Problem:
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
class _Normal:
    """Normal equations: shared block (P, P), couplings (N, P, 6), views' blocks (N, 6, 6) and right-hand sides."""

    shared: Array
    coupling: Array
    own: Array
    shared_rhs: Array
    own_rhs: Array
    squares: float
    cost: float


def refine(views: Sequence[View], mode: Mode, start: Solution, free: Free = NOTHING) -> Solution:
    """The joint solution from `start`, with its noise taken as known.

    `views`: three or more, `seen` in pixels of `start.camera`, or in metres where that is None.
    """
    return _minimise(_stack(views, mode, free), start)


def refine_with_noise(views: Sequence[View], mode: Mode, start: Solution, free: Free = NOTHING,
                      arm: tuple[float, float] | None = None) -> Solution:
    """As `refine`, with the noise estimated from the views; `arm` = (metres, radians) keeps that of the arm."""
    problem, solution = _stack(views, mode, free), start
    if arm is not None:
        solution = replace(start, noise=Noise(start.noise.seen, max(arm[0], _LEAST[1]), max(arm[1], _LEAST[2])))
    for _ in range(30):
        solution = _minimise(problem, solution)
        better = _estimate_noise(problem, solution, arm is not None)
        before, after = (np.array([entry.seen, entry.arm_t, entry.arm_r]) for entry in (solution.noise, better))
        if np.abs(np.log(after / before)).max() < 0.02:
            break
        solution = replace(solution, noise=better)
    return solution


def start_from(guess: Guess, views: Sequence[View], camera: Camera | None) -> Solution:
    """A solver's answer as a start: half a pixel of noise (1 mm where there are no pixels), the arm nearly exact.

    From an arm that may err much, the noise would settle where the arm explains everything.
    """
    noise = Noise(0.5 if camera is not None else 1e-3, 1e-4, 1e-4)
    return Solution(guess.mount_from_cam, guess.stand_from_target, np.zeros((len(views), 6)), noise, camera)


def reprojection(solution: Solution, views: Sequence[View], mode: Mode) -> Array:
    """(N,) root mean square over each view's points of |projected - seen|, arm taken as exact; pixels or metres."""
    problem = _stack(views, mode, NOTHING)
    exact = replace(solution, arm_errors=np.zeros((len(views), 6)))
    squares = (_residuals(problem, exact).values ** 2).sum(axis=1)
    counts = np.bincount(problem.view, minlength=len(views))
    return np.sqrt(np.bincount(problem.view, squares, len(views)) / counts)


def foretold(solution: Solution, views: Sequence[View], mode: Mode) -> Array:
    """`cam_from_target` (N, 4, 4) of views by the solution, arm taken as exact."""
    return predicted(solution.guess(), mount_from_stand(views, mode))


def _stack(views: Sequence[View], mode: Mode, free: Free) -> _Problem:
    links = mount_from_stand(views, mode)
    pivots = np.zeros((len(views), 3)) if mode == "eye-in-hand" else links[:, :3, 3]
    counts = [len(view.points) for view in views]
    return _Problem(links, pivots, np.concatenate([view.points for view in views]),
                    np.concatenate([view.seen for view in views]), np.cumsum([0, *counts[:-1]]),
                    np.repeat(np.arange(len(views)), counts), free)


@dataclass(frozen=True)
class _Residuals:
    """Residuals (M, D), their derivatives by the point in the camera frame (M, D, 3) and by the intrinsics (M, D, I),
    and points on the way: along the stand's axes from the target's origin (M, 3), along the mount's from the pivot
    and from the camera (M, 3)."""

    values: Array
    by_point: Array
    by_camera: Array
    rotated: Array
    arm: Array
    from_cam: Array


def _residuals(problem: _Problem, state: Solution) -> _Residuals:
    rotated = state.scale * problem.points @ state.stand_from_target[:3, :3].T
    links, pivots = problem.links[problem.view], problem.pivots[problem.view]
    exact = np.einsum("mij,mj->mi", links[:, :3, :3], rotated + state.stand_from_target[:3, 3]) + links[:, :3, 3]
    errors = exp(state.arm_errors)[problem.view]
    arm = np.einsum("mij,mj->mi", errors[:, :3, :3], exact - pivots)
    from_cam = arm + pivots + errors[:, :3, 3] - state.mount_from_cam[:3, 3]
    seen, by_point, by_camera = _observe(from_cam @ state.mount_from_cam[:3, :3], state.camera)
    return _Residuals(seen - problem.seen, by_point, by_camera, rotated, arm, from_cam)


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


def _normal(problem: _Problem, state: Solution) -> _Normal:
    found = _residuals(problem, state)
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
    prior = _prior(state.noise)

    def per_view(values: Array) -> Array:
        return np.add.reduceat(values, problem.starts, axis=0)

    return _Normal(
        np.einsum("mdi,mdj->ij", weighted_shared, shared), per_view(np.einsum("mdi,mdj->mij", weighted_shared, own)),
        per_view(np.einsum("mdi,mdj->mij", weighted_own, own)) + np.diag(prior),
        -np.einsum("mdi,md->i", weighted_shared, found.values),
        -per_view(np.einsum("mdi,md->mi", weighted_own, found.values)) - prior * state.arm_errors,
        float((weights[:, None] * found.values**2).sum()) * state.noise.seen**2, _cost(found.values, state))


def _cost(residuals: Array, state: Solution) -> float:
    scaled = np.linalg.norm(residuals, axis=1) / state.noise.seen
    huber = np.where(scaled <= _HUBER, scaled**2, 2 * _HUBER * scaled - _HUBER**2).sum()
    return float(huber + (_prior(state.noise) * state.arm_errors**2).sum())


def _prior(noise: Noise) -> Array:
    return np.repeat([noise.arm_t**-2, noise.arm_r**-2], 3)


def _minimise(problem: _Problem, state: Solution, steps: int = 30) -> Solution:
    """Levenberg-Marquardt from `state`, sigmas kept; the covariance is that of the last point."""
    damping, normal = 1e-6, _normal(problem, state)
    for _ in range(steps):
        moved = _step(state, normal, damping, problem.free)
        cost = _cost(_residuals(problem, moved).values, moved)
        if not cost < normal.cost:
            damping *= 10
            if damping > 1e6:
                break
            continue
        gain, state, damping = normal.cost - cost, moved, max(damping / 10, 1e-9)
        normal = _normal(problem, state)
        if gain < 1e-9 * (1 + cost):
            break
    return replace(state, covariance=_inverse(_reduced(normal)[0]))


def _step(state: Solution, normal: _Normal, damping: float, free: Free) -> Solution:
    reduced, solved, right = _reduced(normal)
    diagonal = np.diag(normal.shared)
    twist = np.asarray(np.linalg.solve(reduced + damping * np.diag(diagonal + 1e-9), right), dtype=float)
    errors = np.linalg.solve(normal.own, normal.own_rhs[..., None])[..., 0] - np.einsum("nij,i->nj", solved, twist)
    camera, scale = state.camera, state.scale + (float(twist[12]) if free.scale else 0.0)
    if free.camera and camera is not None:
        camera = _moved_camera(camera, twist[12 + free.scale:])
    return replace(state, mount_from_cam=perturb(state.mount_from_cam, twist[:6]), scale=scale, camera=camera,
                   stand_from_target=perturb(state.stand_from_target, twist[6:12]),
                   arm_errors=state.arm_errors + errors)


def _moved_camera(camera: Camera, change: Array) -> Camera:
    K = camera.K.copy()
    K[[0, 1, 0, 1], [0, 1, 2, 2]] += change[:4]
    K[[0, 1], [0, 1]] = np.maximum(K[[0, 1], [0, 1]], 1.0)  # a wild step must not end in no camera at all
    return replace(camera, K=K, distortion=camera.distortion + change[4:])


def _reduced(normal: _Normal) -> tuple[Array, Array, Array]:
    """Schur complement (P, P), `coupling @ inverse(own)` (N, P, 6), and the reduced right-hand side (P,)."""
    solved = np.swapaxes(np.linalg.solve(normal.own, np.swapaxes(normal.coupling, 1, 2)), 1, 2)
    reduced = normal.shared - np.einsum("nij,nkj->ik", solved, normal.coupling)
    right = normal.shared_rhs - np.einsum("nij,nj->i", solved, normal.own_rhs)
    return reduced, solved, right


def _inverse(information: Array) -> Array:
    """The covariance of an information matrix; what is not observed at all gets a huge variance, not none."""
    scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    return np.asarray((vectors / np.maximum(values, _UNSEEN)) @ vectors.T / np.outer(scale, scale), dtype=float)


def _estimate_noise(problem: _Problem, state: Solution, arm_known: bool) -> Noise:
    normal = _normal(problem, state)
    _, solved, _ = _reduced(normal)
    own = np.linalg.inv(normal.own) + np.einsum("nij,ik,nkl->njl", solved, state.covariance, solved)
    variances = np.diagonal(own, axis1=1, axis2=2) * _prior(state.noise)
    known = (1 - variances).reshape(-1, 2, 3).sum(axis=(0, 2))  # how far the data, not the prior, fix the errors
    squares = (state.arm_errors**2).reshape(-1, 2, 3).sum(axis=(0, 2))
    arm_t, arm_r = np.sqrt(squares / np.maximum(known, 0.5))
    freedom = max(problem.seen.size - len(state.covariance) - float(known.sum()), 1.0)
    crowd = max(1.0, len(problem.points) / len(problem.links) / _WITNESSES)
    seen = max(float(np.sqrt(crowd * normal.squares / freedom)), _LEAST[0] if state.camera is not None else _LEAST[1])
    if arm_known:
        return replace(state.noise, seen=seen)
    return Noise(seen, max(float(arm_t), _LEAST[1]), max(float(arm_r), _LEAST[2]))
