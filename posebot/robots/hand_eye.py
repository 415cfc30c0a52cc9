"""Hand-eye calibration from views: outlier rejection, solvers, joint refinement, leave-one-out, warnings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import Camera
from posebot.core.errors import CalibrationError, InconclusiveError
from posebot.core.transforms import Array, difference, rotation_angle
from posebot.robots.joint_refinement import (
    initial_solution,
    predict_target_poses,
    refine,
    refine_with_noise,
    reprojection_rms,
)
from posebot.robots.refinement_problem import NO_FREE_PARAMETERS, FreeParameters, NoiseModel, Solution
from posebot.robots.robot_motion import RobotMotion, analyze_robot_motion
from posebot.robots.solvers import HAND_EYE, ROBOT_WORLD, HandEyeEstimate, disagreement, robust_initial_estimate, solve
from posebot.robots.views import Mode, View, measured_target_poses, planar_target_pose

_MIN_VIEWS = 3
_OUTLIER_RATIO = 4.0  # times the median residual
_OUTLIER_MIN = {True: 1.0, False: 1e-3}  # pixels, or metres for views without pixels
_OUTLIER_MIN_DISAGREEMENT = 0.01  # metres
_SCALE_TOLERANCE, _MAX_SHIFT_MM, _MODE_CHECK_MM = 0.01, 3.0, 5.0
_CHI2_99_9 = 16.3  # 3 degrees of freedom


@dataclass(frozen=True)
class HandEyeOptions:
    """Options. `arm`: standard deviations of the robot's poses (metres, radians), None: estimated. `free`: parameters
    estimated in addition to the poses. `reject_outliers`: leave outlying pairs out."""

    arm: tuple[float, float] | None = None
    free: FreeParameters = NO_FREE_PARAMETERS
    reject_outliers: bool = True


@dataclass(frozen=True)
class PosePair:
    """Residuals of one view, with the robot pose taken as exact.

    Attributes:
        name: of the image. used: False for an outlier that was left out.
        residual: root mean square over the points, pixels (or metres). mm, deg: predicted target pose against the one
            measured in this view alone.
        left_out_mm, left_out_deg: change of the result without this view.
    """

    name: str
    used: bool
    residual: float
    mm: float
    deg: float
    left_out_mm: float = 0.0
    left_out_deg: float = 0.0


@dataclass(frozen=True)
class SolverResult:
    """Result of a closed-form solver, its distance from the refined result and its residual (pixels or metres)."""

    solver: str
    mount_from_cam: Array
    mm: float
    deg: float
    residual: float


@dataclass(frozen=True)
class HandEyeResult:
    """The result and its quality. Names as in `robots.views`.

    Attributes:
        mount_from_cam: 4x4, gripper_from_cam for eye-in-hand, base_from_cam for eye-to-hand; `covariance` 6x6 of it.
        fixture_from_target: 4x4. camera, scale: as estimated if they are free; scale_sigma: standard deviation of
            the target's scale, 0 if it is not free. noise: estimated sigmas of corners and arm.
    """

    mode: Mode
    mount_from_cam: Array
    covariance: Array
    fixture_from_target: Array
    pairs: tuple[PosePair, ...]
    solvers: tuple[SolverResult, ...]
    motions: RobotMotion
    noise: NoiseModel
    camera: Camera | None
    scale: float = 1.0
    scale_sigma: float = 0.0
    warnings: tuple[str, ...] = field(default=())

    @property
    def used(self) -> tuple[PosePair, ...]:
        """The pairs that are not outliers."""
        return tuple(pair for pair in self.pairs if pair.used)


def calibrate_hand_eye(views: Sequence[View], mode: Mode, camera: Camera | None,
                       options: HandEyeOptions | None = None) -> HandEyeResult:
    """Pose of the camera on its mount.

    Args:
        views: `seen` in pixels of `camera`, or in metres where `camera` is None.
    Raises:
        InputError: fewer than three views. InconclusiveError: no solver has a solution.
    """
    if len(views) < _MIN_VIEWS:
        raise CalibrationError("hand-eye", f"{len(views)} views in which the target was found",
                         f"{_MIN_VIEWS} or more, 15 are recommended")
    views, options = list(views), options or HandEyeOptions()
    if camera is None and options.free != NO_FREE_PARAMETERS:
        raise CalibrationError("hand-eye", "target scale and intrinsics cannot be estimated from target poses alone",
                         "images of the target")
    if options.free.camera and camera is not None:
        camera = replace(camera, distortion=np.pad(camera.distortion, (0, max(0, 5 - camera.distortion.size))))
    keep, solution, without = _fit_robustly(views, mode, camera, options)
    used = [view for view, kept in zip(views, keep) if kept]
    shifts = np.stack([difference(entry.mount_from_cam, solution.mount_from_cam) for entry in without])
    covariance = _covariance(solution, shifts)
    pairs = _pairs(views, keep, shifts, solution, mode)
    motions, solvers = analyze_robot_motion(used), _compare_solvers(used, mode, solution)
    sigma = float(np.sqrt(solution.covariance[12, 12])) if options.free.scale else 0.0
    result = HandEyeResult(mode, solution.mount_from_cam, covariance, solution.fixture_from_target, pairs, solvers,
                           motions, solution.noise, solution.camera, solution.scale, sigma)
    warnings = [*motions.warnings(), *_mode_warning(used, mode, solution),
                *_scale_warning(used, mode, solution, options), *_camera_warning(used, mode, solution, options),
                *_result_warnings(result)]
    return replace(result, warnings=tuple(warnings))


def _fit_robustly(views: list[View], mode: Mode, camera: Camera | None,
                  options: HandEyeOptions) -> tuple[NDArray[np.bool_], Solution, list[Solution]]:
    """Mask of inlier views, their solution, and the solutions without each of them."""
    solved = (solve(views, mode, solver) for solver in (*HAND_EYE, *ROBOT_WORLD))
    candidates = [estimate for estimate in solved if estimate is not None]
    estimate = robust_initial_estimate(views, mode, candidates)
    if estimate is None:
        raise InconclusiveError("hand-eye", "no solver has a solution", "views with gripper rotations between them")
    errors = disagreement(estimate, views, mode)
    keep = errors <= max(_OUTLIER_RATIO * float(np.median(errors)), _OUTLIER_MIN_DISAGREEMENT)
    if not options.reject_outliers or keep.sum() < max(_MIN_VIEWS, len(views) // 2):
        keep[:] = True
    solution = _fit(views, keep, mode, camera, estimate, options)
    if options.reject_outliers and not keep.all():  # a rejected pair may fit the refined result
        residuals = reprojection_rms(_all_views(solution, len(views)), views, mode)
        readmitted = residuals <= _limit(residuals[keep], camera)
        if (readmitted & ~keep).any():
            keep |= readmitted
            solution = _fit(views, keep, mode, camera, solution.as_estimate(), options)
    while True:
        used = [view for view, kept in zip(views, keep) if kept]
        without = _leave_one_out(used, mode, solution, options.free)
        errors = np.array([reprojection_rms(_all_views(entry, 1), [view], mode)[0]
                           for view, entry in zip(used, without)])
        enough = len(used) > max(_MIN_VIEWS + 1, len(views) // 2)
        if not (options.reject_outliers and enough and errors.max() > _limit(errors, camera)):
            return keep, solution, without
        keep[np.flatnonzero(keep)[errors.argmax()]] = False
        solution = _fit(views, keep, mode, camera, solution.as_estimate(), options)


def _limit(residuals: Array, camera: Camera | None) -> float:
    return max(_OUTLIER_RATIO * float(np.median(residuals)), _OUTLIER_MIN[camera is not None])


def _fit(views: list[View], keep: NDArray[np.bool_], mode: Mode, camera: Camera | None, estimate: HandEyeEstimate,
         options: HandEyeOptions) -> Solution:
    used = [view for view, kept in zip(views, keep) if kept]
    start = refine(used, mode, initial_solution(estimate, used, camera), options.free)
    return refine_with_noise(used, mode, start, options.free, options.arm)


def _all_views(solution: Solution, count: int) -> Solution:
    return replace(solution, arm_errors=np.zeros((count, 6)))


def _leave_one_out(views: list[View], mode: Mode, solution: Solution, free: FreeParameters) -> list[Solution]:
    """The solutions without each view, with the noise of the complete solution."""
    return [refine(views[:i] + views[i + 1:], mode,
                   replace(solution, arm_errors=np.delete(solution.arm_errors, i, axis=0)), free)
            for i in range(len(views))]


def _covariance(solution: Solution, shifts: Array) -> Array:
    """6x6 of `mount_from_cam`: that of the model, enlarged if leave-one-out changes the result more than it predicts.

    The jackknife estimate is (n - 1) / n times the sum of squared shifts (Efron and Stein, 1981).
    """
    model = solution.covariance[:6, :6]
    jackknife = (len(shifts) - 1) / len(shifts) * shifts.T @ shifts
    return model * max(1.0, float(np.trace(np.linalg.pinv(model, hermitian=True) @ jackknife)) / 6)


def _pairs(views: list[View], keep: NDArray[np.bool_], shifts: Array, solution: Solution,
           mode: Mode) -> tuple[PosePair, ...]:
    residuals = reprojection_rms(_all_views(solution, len(views)), views, mode)
    expected, seen = predict_target_poses(solution, views, mode), measured_target_poses(_rescaled(views, solution))
    mm = np.linalg.norm(expected[:, :3, 3] - seen[:, :3, 3], axis=1) * 1000
    deg = np.degrees(rotation_angle(expected[:, :3, :3], seen[:, :3, :3]))
    moved = np.zeros((len(views), 2))
    moved[keep] = np.stack([np.linalg.norm(shifts[:, :3], axis=1) * 1000,
                            np.degrees(np.linalg.norm(shifts[:, 3:], axis=1))], axis=1)
    return tuple(PosePair(view.name, bool(kept), float(residual), float(a), float(b), float(c), float(d))
                 for view, kept, residual, a, b, (c, d) in zip(views, keep, residuals, mm, deg, moved))


def _rescaled(views: list[View], solution: Solution) -> list[View]:
    """The views with the estimated camera and target scale."""
    camera = solution.camera
    if camera is None:
        return views
    poses = [planar_target_pose(view.points * solution.scale, view.seen, camera) for view in views]
    return [replace(view, points=view.points * solution.scale,
                    cam_from_target=view.cam_from_target if pose is None else pose)
            for view, pose in zip(views, poses)]


def _compare_solvers(views: list[View], mode: Mode, solution: Solution) -> tuple[SolverResult, ...]:
    rescaled, results = _rescaled(views, solution), []
    for solver in (*HAND_EYE, *ROBOT_WORLD):
        estimate = solve(rescaled, mode, solver)
        if estimate is None:
            continue
        away = difference(estimate.mount_from_cam, solution.mount_from_cam)
        residuals = reprojection_rms(initial_solution(estimate, rescaled, solution.camera), rescaled, mode)
        results.append(SolverResult(solver, estimate.mount_from_cam, float(np.linalg.norm(away[:3]) * 1000),
                                    float(np.degrees(np.linalg.norm(away[3:]))),
                                    float(np.sqrt((residuals**2).mean()))))
    return tuple(results)


def _mode_warning(views: list[View], mode: Mode, solution: Solution) -> Iterator[str]:
    other: Mode = "eye-to-hand" if mode == "eye-in-hand" else "eye-in-hand"
    own = float(np.median(disagreement(solution.as_estimate(), views, mode))) * 1000
    if own < _MODE_CHECK_MM:
        return
    solved = (solve(views, other, name) for name in HAND_EYE)
    estimate = robust_initial_estimate(views, other, [candidate for candidate in solved if candidate is not None])
    others = np.inf if estimate is None else float(np.median(disagreement(estimate, views, other))) * 1000
    if others < 0.4 * own:
        yield (f"the pairs fit {other} better ({others:.1f} against {own:.1f} mm): use the other --mode, or "
               "the poses are gripper_from_base")


def _scale_warning(views: list[View], mode: Mode, solution: Solution, options: HandEyeOptions) -> Iterator[str]:
    if solution.camera is None or options.free.scale:
        return
    freed = refine_with_noise(views, mode, solution, FreeParameters(scale=True), options.arm)
    sigma = float(np.sqrt(freed.covariance[12, 12]))
    if abs(freed.scale - 1) > max(_SCALE_TOLERANCE, 4 * sigma):
        yield (f"according to the robot's motion the target is {freed.scale:.3f} +- {sigma:.3f} times its nominal "
               "size: measure the print, calibrate the camera, or estimate the scale (--fit-scale)")


def _camera_warning(views: list[View], mode: Mode, solution: Solution, options: HandEyeOptions) -> Iterator[str]:
    """Warns if estimating the intrinsics changes the result significantly; the covariance takes them as exact."""
    if solution.camera is None or options.free.camera:
        return
    freed = refine_with_noise(views, mode, solution, replace(options.free, camera=True), options.arm)
    shift = difference(freed.mount_from_cam, solution.mount_from_cam)[:3]
    unlikely = shift @ np.linalg.solve(freed.covariance[:3, :3], shift) > _CHI2_99_9
    if unlikely and np.linalg.norm(shift) * 1000 > _MAX_SHIFT_MM:
        yield (f"according to the robot's motion the intrinsics are inaccurate; refining them (--fit-camera) moves the "
               f"result by {np.linalg.norm(shift) * 1000:.1f} mm: calibrate the camera with more tilted images")


def _result_warnings(result: HandEyeResult) -> Iterator[str]:
    dropped = [pair.name for pair in result.pairs if not pair.used]
    if dropped:
        yield f"outliers, left out: {', '.join(dropped)}"
    moved = max(result.used, key=lambda pair: pair.left_out_mm)
    if moved.left_out_mm > _MAX_SHIFT_MM:
        yield (f"without {moved.name} the result moves by {moved.left_out_mm:.1f} mm: too few views; "
               "take more, with other tilts")
    sigma = np.sqrt(np.diag(result.covariance)[:3]) * 1000
    if sigma.max() > _MAX_SHIFT_MM:
        yield f"the standard deviation of the camera position is {sigma.max():.1f} mm ({'xyz'[int(sigma.argmax())]})"
