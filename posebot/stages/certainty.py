"""Stage 4, certainty: the probability that a pose is correct, and the region that contains its error.

The calibration is applied here; `training.certainty_fit` fits it on held-out data.
"""

from __future__ import annotations

import numpy as np

from posebot.core.results import PoseEstimate, Region90
from posebot.core.transforms import Array
from posebot.models.calibration import LEVELS, Calibration, ModeCalibration
from posebot.stages.scoring.table import SCORES
from posebot.stages.solution import PoseSolution

UNCALIBRATED = "this model has not been calibrated"
CAMERA_POSE_UNCERTAIN = "where the camera is, is not known well enough"
_SINGLE_VIEW_SHIFT, _SINGLE_VIEW_ROTATION = 0.005, 0.01  # sigma that remains in one view: diameters, radians
OK_RADIUS = 0.2
"""Largest radius of position of an "ok" pose, in diameters."""
OK_ROTATION_DEG = float(np.degrees(2 * np.arcsin(OK_RADIUS)))
"""Largest radius of attitude of an "ok" pose: it moves the ends of the diameter by `OK_RADIUS`."""
_COUNTS = ("two", "three", "four", "five")
_OTHER_FEATURES = ("margin", "visibility", "score", "sharpness", "precision", "views", "upright")


def feature_names() -> tuple[str, ...]:
    """Names of the features: the scores of `scoring.table` that certainty uses, then those that are no scores."""
    return (*(score.name for score in SCORES if score.feature), *_OTHER_FEATURES)


def features(solution: PoseSolution, diameter: float, views: int = 1) -> Array:
    """Features (F,) of about unit size, in the order of `feature_names`; more of each means more certain.

    sharpness: minus log of the network's expected coordinate error; precision: minus log det of the covariance with
    lengths in diameters, divided by 48: minus the log of a typical sigma, up to scale.
    """
    assert solution.covariance is not None
    units = np.array([1 / diameter] * 3 + [1.0] * 3)
    log_det = np.linalg.slogdet(solution.covariance * np.outer(units, units))[1]
    values = dict(solution.scores) | {
        "margin": min(solution.margin, 0.2) * 5, "visibility": solution.visibility,
        "score": solution.localization.detection.score, "sharpness": -np.log(max(solution.sigma, 1e-3)) / 3,
        "precision": -log_det / 48, "views": np.log(views), "upright": solution.upright}
    return np.array([values[name] for name in feature_names()])


def segments(values: Array, knots: Array) -> Array:
    """The parts of each value (...) below, between and above the knots (K,): (..., K + 1), which sum to the value.

    With slopes as weights this is a piecewise linear function that is 0 at 0.
    """
    values = np.asarray(values, dtype=float)[..., None]
    if not len(knots):
        return values
    parts = [np.minimum(values, knots[0]), np.clip(values - knots[:-1], 0, np.diff(knots)),
             np.maximum(values - knots[-1], 0)]
    return np.concatenate(parts, axis=-1)


def log_odds(values: Array, obj_id: int, calibration: ModeCalibration) -> float:
    """Log odds that a pose with features (F,) is correct."""
    names = feature_names()
    total = calibration.bias + calibration.object_bias.get(obj_id, 0.0)
    for name, slopes in calibration.weights.items():
        value = values[names.index(name)]
        total += float(segments(value, np.array(calibration.knots.get(name, ()))) @ np.array(slopes))
    return total


def probability(values: Array, obj_id: int, calibration: ModeCalibration) -> float:
    """p_correct of features (F,), never quite 0 or 1."""
    return float(1 / (1 + np.exp(-np.clip(log_odds(values, obj_id, calibration), -9.0, 9.0))))


def calibrated(covariance: Array, diameter: float, calibration: ModeCalibration) -> Array:
    """The covariance (6, 6) of the errors of correct poses, from that of the weighted Hessian."""
    place, attitude = calibration.floor
    floor = np.diag([(place * diameter) ** 2] * 3 + [attitude**2] * 3)
    return covariance * calibration.sample_factor + floor


def sigmas(covariance: Array, diameter: float, sides: int = 1) -> tuple[float, float]:
    """One sigma of position (metres) and attitude (radians), never below the floor of a single view.

    sides: number of directions it was seen from. Errors of a network differ between directions.
    """
    floor = 1.0 if sides < 2 else 0.0
    shift, rotation = np.sqrt(np.trace(covariance[:3, :3])), np.sqrt(np.trace(covariance[3:, 3:]))
    return (float(shift + floor * _SINGLE_VIEW_SHIFT * diameter),
            float(rotation + floor * _SINGLE_VIEW_ROTATION))


def radii(p_correct: float, covariance: Array, diameter: float, obj_id: int, calibration: ModeCalibration,
          level: float = 0.9, sides: int = 1) -> Region90:
    """Radii of position and attitude that both hold in `level` (one of `LEVELS`) of the cases.

    covariance: calibrated. Conformal radii are in units of its sigma, by `p_correct`, times the object's own factor.
    Fusion takes views from different `sides` to err independently; errors that correlate make the spread of a mean
    sqrt(1 + (sides - 1) view_correlation) times as wide (Kish's design effect).
    """
    widening = np.sqrt(1 + (sides - 1) * calibration.view_correlation)
    shift, turn = (float(widening) * sigma for sigma in sigmas(covariance, diameter, sides))
    of_ok = calibration.ok_regions
    if of_ok is not None and p_correct >= calibration.ok_threshold:
        scale = of_ok.object_scale.get(obj_id, of_ok.scale)[LEVELS.index(level)]
        across, about = of_ok.translation_quantile, of_ok.rotation_quantile
    else:
        place = int(np.searchsorted(calibration.edges, p_correct, side="right"))
        scale = calibration.object_scale.get(obj_id, calibration.region_scale)[LEVELS.index(level)]
        across, about = calibration.translation_quantiles[place], calibration.rotation_quantiles[place]
    return Region90(1000 * shift * scale * across, min(180.0, float(np.degrees(turn * scale * about))))


def assess(solution: PoseSolution, label: str, obj_id: int, diameter: float, calibration: Calibration) -> PoseEstimate:
    """The estimate of one object: pose, covariance, p_correct, region90 and a status with its reason.

    A model that was never calibrated for this kind of input gives no p_correct (NaN) and no region.
    """
    detection = solution.localization.detection
    estimate = PoseEstimate(label, obj_id, detection.score, detection.box_xyxy, reason=solution.reason)
    if solution.pose is None or solution.covariance is None:
        return estimate
    mode = calibration.depth if solution.with_depth else calibration.rgb
    covariance = calibrated(solution.covariance, diameter, mode)
    if not mode.samples:
        return estimate.replace(status="low_certainty", reason=UNCALIBRATED, cam_from_obj=solution.pose,
                                covariance=covariance, p_correct=float("nan"), fit=min(solution.total, 1.0),
                                alternatives=solution.alternatives)
    p_correct = probability(features(solution, diameter), obj_id, mode)
    region = radii(p_correct, covariance, diameter, obj_id, mode)
    reason = too_wide(region, diameter) if p_correct >= mode.ok_threshold else doubt(solution, mode)
    return estimate.replace(status="low_certainty" if reason else "ok", reason=reason, cam_from_obj=solution.pose,
                            covariance=covariance, p_correct=p_correct, fit=min(solution.total, 1.0),
                            region90=region, alternatives=solution.alternatives)


def too_wide(region: Region90 | None, diameter: float) -> str:
    """Why a pose with this region is not "ok" however probable it is; "" where the region is narrow enough.

    The limits are a fifth of the diameter (metres), and the rotation that moves the ends of the diameter that far: what
    is less exact is neither grasped nor inspected by.
    """
    if region is None or (region.translation_mm <= 1000 * OK_RADIUS * diameter
                          and region.rotation_deg <= OK_ROTATION_DEG):
        return ""
    return f"the pose may be {region.translation_mm:.0f} mm and {region.rotation_deg:.0f}° off"


def restate(estimate: PoseEstimate, diameter: float, mode: ModeCalibration, sides: int = 1) -> PoseEstimate:
    """The estimate after fusion, with status and region by its fused p_correct and covariance. sides: see `sigmas`.
    """
    if estimate.cam_from_obj is None or estimate.covariance is None:
        return estimate
    if not mode.samples:
        return estimate.replace(status="low_certainty", reason=UNCALIBRATED, p_correct=float("nan"), region90=None)
    if estimate.views < 2:
        unsure = estimate.p_correct < mode.ok_threshold or too_wide(estimate.region90, diameter)
        return (estimate.replace(status="low_certainty", reason=CAMERA_POSE_UNCERTAIN)
                if unsure and estimate.status == "ok" else estimate)
    region = radii(estimate.p_correct, estimate.covariance, diameter, estimate.obj_id, mode, sides=sides)
    reason = (too_wide(region, diameter) if estimate.p_correct >= mode.ok_threshold
              else estimate.reason or "the views together do not fix the pose well")
    return estimate.replace(status="low_certainty" if reason else "ok", reason=reason, alternatives=(),
                            region90=region)


def doubt(solution: PoseSolution, mode: ModeCalibration) -> str:
    """Why a pose is not certain, as shown to a user."""
    if mode.never_ok:
        return never_ok(mode, solution.with_depth)
    if solution.visibility < 0.5:
        return f"{100 * (1 - solution.visibility):.0f} % hidden"
    if solution.alternatives:
        return f"{_COUNTS[len(solution.alternatives) - 1]} poses explain the picture"
    if solution.with_depth and solution.scores["geometry"] < 0.4:
        return "the depth does not fit the shape"
    if solution.scores["silhouette"] < 0.5:
        return "the outline does not fit the shape"
    return "the picture does not fix the pose well"


def never_ok(mode: ModeCalibration, with_depth: bool) -> str:
    """Why a calibrated model calls no pose "ok": it is the model's fault, whatever the picture shows."""
    said = f"this model never says ok {'with depth' if with_depth else 'from colour alone'}"
    return f"{said}: {mode.counted}" if mode.counted else said
