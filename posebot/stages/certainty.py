"""Stage 4: how probable is it that a pose is right, and how far off may it be?

`p_correct` is a logistic model on a few features, each with a weight of the sign that reason gives it, fitted on
held-out data. `region90` is split-conformal (Lei et al., "Distribution-free predictive inference for regression", JASA
2018): the 90 % quantile of error / sigma on held-out data times this pose's sigma, within bins of `p_correct`, so that
coverage holds for hard cases as well as for easy ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posebot.core.results import PoseEstimate, Region90
from posebot.core.transforms import Array
from posebot.models.calibration import Calibration, ModeCalibration
from posebot.stages.pose import PoseSolution

FEATURES = ("silhouette", "coordinates", "geometry", "print", "margin", "visibility", "score", "sharpness", "precision",
            "views")
_RIDGE = 0.02
_COVERAGE = 0.9
_BIN_SIZE = 60  # estimates a conformal bin must have


def features(solution: PoseSolution, diameter: float, views: int = 1) -> Array:
    """(len(FEATURES),) numbers of about unit size; more of each means more certain.

    sharpness: minus log of the network's expected coordinate error; precision: minus log det of the covariance with
    lengths in diameters, a twelfth of it, so that it is minus the log of a typical sigma.
    """
    assert solution.covariance is not None
    units = np.array([1 / diameter] * 3 + [1.0] * 3)
    log_det = np.linalg.slogdet(solution.covariance * np.outer(units, units))[1]
    return np.array([
        solution.silhouette, solution.coordinates, solution.geometry, solution.print, min(solution.margin, 0.2) * 5,
        solution.visibility, solution.localization.detection.score, -np.log(max(solution.sigma, 1e-3)) / 3,
        -log_det / 48, np.log(views),
    ])


def probability(values: Array, calibration: ModeCalibration) -> Array:
    """p_correct (...,) of features (..., len(FEATURES))."""
    weights = np.array([calibration.weights.get(name, 0.0) for name in FEATURES])
    return np.asarray(1 / (1 + np.exp(-(values @ weights + calibration.bias))))


def sigmas(covariance: Array, diameter: float) -> tuple[float, float]:
    """One sigma of position (metres) and attitude (radians), never less than what a model can promise."""
    shift, turn = np.sqrt(np.trace(covariance[:3, :3])), np.sqrt(np.trace(covariance[3:, 3:]))
    return float(shift + 0.005 * diameter), float(turn + 0.01)


def radii(p_correct: float, covariance: Array, diameter: float, calibration: ModeCalibration) -> Region90:
    """Radii with 90 % coverage for a calibrated covariance."""
    shift, turn = sigmas(covariance, diameter)
    place = int(np.searchsorted(calibration.edges, p_correct, side="right"))
    return Region90(1000 * shift * calibration.translation_quantiles[place],
                    min(180.0, float(np.degrees(turn * calibration.rotation_quantiles[place]))))


def assess(solution: PoseSolution, label: str, obj_id: int, diameter: float, calibration: Calibration) -> PoseEstimate:
    """The estimate of one object: pose, covariance, p_correct, region90 and a status that a person understands."""
    detection = solution.localization.detection
    estimate = PoseEstimate(label, obj_id, detection.score, detection.box_xyxy, reason=solution.reason)
    if solution.pose is None or solution.covariance is None:
        return estimate
    mode = calibration.depth if solution.with_depth else calibration.rgb
    covariance = solution.covariance * mode.sample_factor
    p_correct = float(probability(features(solution, diameter), mode))
    reason = "" if mode.samples and p_correct >= mode.ok_threshold else doubt(solution, mode)
    return estimate.replace(status="low_certainty" if reason else "ok", reason=reason, cam_from_obj=solution.pose,
                            covariance=covariance, p_correct=p_correct,
                            region90=radii(p_correct, covariance, diameter, mode))


def restate(estimate: PoseEstimate, diameter: float, mode: ModeCalibration) -> PoseEstimate:
    """The estimate with status and region that follow from its p_correct and covariance, after fusion."""
    if estimate.cam_from_obj is None or estimate.covariance is None or estimate.views < 2:
        return estimate
    certain = mode.samples > 0 and estimate.p_correct >= mode.ok_threshold
    reason = "" if certain else estimate.reason or "the views together do not fix the pose well"
    return estimate.replace(status="ok" if certain else "low_certainty", reason=reason,
                            region90=radii(estimate.p_correct, estimate.covariance, diameter, mode))


def doubt(solution: PoseSolution, mode: ModeCalibration) -> str:
    """Why a pose is not certain, as a sentence."""
    if not mode.samples:
        return "this model has not been calibrated"
    if solution.visibility < 0.5:
        return f"{100 * (1 - solution.visibility):.0f} % hidden"
    if solution.margin < 0.01:
        return "two poses explain the picture"
    if solution.with_depth and solution.geometry < 0.4:
        return "the depth does not fit the shape"
    if solution.silhouette < 0.5:
        return "the outline does not fit the shape"
    return "the picture does not fix the pose well"


def fit(values: Array, correct: Array, translation_errors: Array, rotation_errors: Array, covariances: Array,
        diameters: Array, ok_precision: float = 0.9) -> ModeCalibration:
    """Calibrate one mode on held-out estimates.

    Args:
        values: (N, len(FEATURES)) of `features`. correct: (N,) MSSD < 10 % of the diameter. translation_errors: (N,)
            metres. rotation_errors: (N,) radians modulo symmetry. covariances: (N, 6, 6) as in PoseSolution.
        diameters: (N,) metres.
        ok_precision: share of right poses wanted at the threshold for "ok".
    """
    correct = np.asarray(correct, dtype=float)
    bias, weights = _logistic(values, correct)
    named = {name: round(float(weight), 6) for name, weight in zip(FEATURES, weights) if weight > 0}
    mode = ModeCalibration(named, round(float(bias), 6), samples=len(correct))
    p = probability(values, mode)
    factor = _sample_factor(covariances, translation_errors, correct > 0.5)
    edges = _edges(p)
    bins = np.searchsorted(edges, p, side="right")
    scaled = [sigmas(covariance * factor, diameter) for covariance, diameter in zip(covariances, diameters)]
    ratios = np.stack([translation_errors, rotation_errors], axis=1) / np.array(scaled).reshape(-1, 2)
    quantiles = [[conformal_quantile(ratios[bins == b, part]) for b in range(len(edges) + 1)] for part in range(2)]
    return ModeCalibration(named, mode.bias, threshold(p, correct, ok_precision), factor, tuple(edges),
                           tuple(quantiles[0]), tuple(quantiles[1]), len(correct))


def conformal_quantile(ratios: Array, coverage: float = _COVERAGE) -> float:
    """The quantile with finite-sample coverage: the ceil((n + 1) coverage)-th smallest, or the largest."""
    if not len(ratios):
        return 6.0
    rank = min(len(ratios), int(np.ceil((len(ratios) + 1) * coverage)))
    return round(float(np.sort(ratios)[rank - 1]), 6)


def threshold(p: Array, correct: Array, precision: float) -> float:
    """The lowest p_correct above which the wanted share is right; 1.01 (never) where there is none."""
    order = np.argsort(-p)
    share = np.cumsum(np.asarray(correct, dtype=float)[order]) / np.arange(1, len(p) + 1)
    good = np.flatnonzero((share >= precision) & (np.arange(1, len(p) + 1) >= min(10, len(p))))
    return round(float(max(p[order][good[-1]], 0.5)), 6) if len(good) else 1.01


def _logistic(values: Array, correct: Array) -> tuple[float, Array]:
    """Ridge logistic regression with weights >= 0 (every feature is made so that more is better)."""
    from scipy.optimize import minimize

    def loss(parameters: Array) -> tuple[float, Array]:
        score = parameters[0] + values @ parameters[1:]
        error = 1 / (1 + np.exp(-score)) - correct
        value = np.mean(np.logaddexp(0, score) - correct * score) + _RIDGE / len(correct) * (parameters[1:] ** 2).sum()
        slope = values.T @ error / len(correct) + 2 * _RIDGE / len(correct) * parameters[1:]
        return float(value), np.concatenate([[error.mean()], slope])

    bounds: Sequence[tuple[float | None, float | None]] = [(None, None)] + [(0, 30)] * values.shape[1]
    found = minimize(loss, np.zeros(1 + values.shape[1]), jac=True, bounds=bounds, method="L-BFGS-B").x
    return float(found[0]), np.asarray(found[1:])


def _sample_factor(covariances: Array, translation_errors: Array, correct: NDArray[np.bool_]) -> float:
    """What the covariance must be multiplied by so that the squared position errors of right poses are as expected."""
    if correct.sum() < 10:
        return ModeCalibration().sample_factor
    expected = np.trace(covariances[:, :3, :3], axis1=1, axis2=2)
    return round(float(np.clip(np.median((translation_errors**2 / expected)[correct]) / 0.79, 0.01, 1e5)), 6)


def _edges(p: Array) -> list[float]:
    """Up to two edges that part the estimates into bins of at least `_BIN_SIZE`."""
    count = int(np.clip(len(p) // _BIN_SIZE, 1, 3))
    return [round(float(edge), 6) for edge in np.quantile(p, np.arange(1, count) / count)]
