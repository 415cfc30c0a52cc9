"""Fitting what certainty needs to know of a bundle's errors, on held-out estimates.

`p_correct` is a logistic model of a few features, each by a rising piecewise linear function, with a small offset of
each object. The threshold for "ok" and the regions are fitted to cross-fitted probabilities: each estimate is judged by
a model that has not seen its image, since one that has is surer than it will be on new images.

`region90` is split-conformal (Lei et al., "Distribution-free predictive inference for regression", JASA 2018):
quantiles of error / sigma, of "ok" poses among such poses alone, of others within bins of `p_correct`, so that hard
cases get larger regions; then one factor for each object (Mondrian, Vovk et al., "Algorithmic Learning in a Random
World", 2005) so that none is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.models.calibration import LEVELS, NEVER, ModeCalibration, OkRegions
from posebot.stages.certainty import calibrated, feature_names, probability, segments, sigmas

_RIDGE, _OBJECT_RIDGE = 0.02, 1.0  # per held-out estimate; the objects' offsets are held near 0
_KNOTS = (0.33, 0.67)  # quantiles of each feature
_COVERAGE = 0.9
_BIN_SIZE, _OBJECT_SIZE = 60, 40  # estimates that a conformal bin, or an object, must have for numbers of its own
_OK_SIZE = 20  # "ok" poses from which their regions are calibrated on them alone
_FOLDS, _FOLD_SIZE = 5, 8  # of cross-fitting; fewer estimates than this a fold are not worth parting
_MAX_LEVEL = 0.99  # of right poses' errors, where a region has to make up for wrong ones
_MIN_OK = 10  # held-out poses above the threshold without which there is none
_SURE = 0.8  # no pose is "ok" that is less probable than this, whatever the company it is in
OK_PRECISION = 0.97
"""Share of the "ok" poses that are to be right."""


@dataclass(frozen=True)
class Sample:
    """Held-out estimates, one a row.

    Attributes:
        features (N, F): of `certainty.features`. obj_id (N,). diameter (N,) metres.
        correct (N,) bool: MSSD < 10 % of the diameter. present (N,) bool: such an object is in the image at all.
        twist (N, 6): error of position (metres) and attitude (radians) modulo symmetry.
        covariance (N, 6, 6): of the weighted Hessian alone. frame (N,): number of the image each is from.
    """

    features: Array
    obj_id: NDArray[np.int64]
    diameter: Array
    correct: NDArray[np.bool_]
    present: NDArray[np.bool_]
    twist: Array
    covariance: Array
    frame: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.obj_id)

    def rows(self, chosen: NDArray[np.bool_]) -> Sample:
        """The part where `chosen` (N,) holds."""
        return Sample(*(getattr(self, entry.name)[chosen] for entry in fields(self)))


def fit(sample: Sample, ok_precision: float = OK_PRECISION) -> ModeCalibration:
    """Calibrate one kind of input. ok_precision: share of right poses wanted at the threshold for "ok"."""
    mode = fit_probability(sample)
    p = cross_fitted(sample, mode)
    mode = fit_covariance(sample.rows(sample.correct), mode)
    mode = replace(mode, ok_threshold=threshold(p, sample.correct, ok_precision))
    certain = sample.present & (p >= mode.ok_threshold)
    mode = fit_regions(sample.rows(sample.present & ~certain), p[sample.present & ~certain], mode)
    return replace(mode, ok_regions=fit_ok_regions(sample, certain, mode))


def probabilities(sample: Sample, mode: ModeCalibration) -> Array:
    """p_correct (N,) of each estimate."""
    return np.array([probability(row, int(obj), mode) for row, obj in zip(sample.features, sample.obj_id, strict=True)])


def cross_fitted(sample: Sample, mode: ModeCalibration) -> Array:
    """p_correct (N,) of each estimate by a model that was fitted without its image; by `mode` where data are few."""
    frames = np.unique(sample.frame)
    if len(frames) < _FOLDS or len(sample) < _FOLDS * _FOLD_SIZE:
        return probabilities(sample, mode)
    fold_of = np.random.default_rng(len(frames)).permutation(len(frames)) % _FOLDS
    fold, p = fold_of[np.searchsorted(frames, sample.frame)], np.zeros(len(sample))
    for number in range(_FOLDS):
        here = fold == number
        p[here] = probabilities(sample.rows(here), fit_probability(sample.rows(~here)))
    return p


def fit_probability(sample: Sample) -> ModeCalibration:
    """Ridge logistic regression; slopes >= 0, for every feature is made so that more is better."""
    knots = [np.unique(np.quantile(column, _KNOTS)) for column in sample.features.T]
    parts = [segments(column, knot) for column, knot in zip(sample.features.T, knots, strict=True)]
    objects = np.unique(sample.obj_id)
    own = (sample.obj_id[:, None] == objects).astype(float)
    slopes = sum(part.shape[1] for part in parts)
    bias, weights = _logistic(np.concatenate([*parts, own], axis=1), sample.correct.astype(float), slopes)
    ends = np.cumsum([part.shape[1] for part in parts])
    chunks = np.split(weights[:slopes], ends[:-1])
    by_name = {name: _rounded(chunk) for name, chunk in zip(feature_names(), chunks, strict=True)}
    used = {name: chunk for name, chunk in by_name.items() if any(chunk)}
    return ModeCalibration(
        used, {name: _rounded(knot) for name, knot in zip(feature_names(), knots, strict=True) if name in used},
        round(float(bias), 6), dict(zip(objects.tolist(), _rounded(weights[slopes:]), strict=True)),
        samples=len(sample), right=int(sample.correct.sum()))


def _logistic(columns: Array, correct: Array, rising: int) -> tuple[float, Array]:
    """Constant and weights; the first `rising` are >= 0, the others free but held near 0."""
    from scipy.optimize import minimize

    ridge = np.concatenate([np.full(rising, _RIDGE), np.full(columns.shape[1] - rising, _OBJECT_RIDGE)]) / len(correct)

    def loss(parameters: Array) -> tuple[float, Array]:
        score = parameters[0] + columns @ parameters[1:]
        error = 1 / (1 + np.exp(-np.clip(score, -50, 50))) - correct
        value = np.mean(np.logaddexp(0, score) - correct * score) + (ridge * parameters[1:] ** 2).sum()
        slope = columns.T @ error / len(correct) + 2 * ridge * parameters[1:]
        return float(value), np.concatenate([[error.mean()], slope])

    bounds: Sequence[tuple[float | None, float | None]] = (
        [(None, None)] + [(0, 50)] * rising + [(None, None)] * (columns.shape[1] - rising))
    found = minimize(loss, np.zeros(1 + columns.shape[1]), jac=True, bounds=bounds, method="L-BFGS-B").x
    return float(found[0]), np.asarray(found[1:])


def fit_covariance(right: Sample, mode: ModeCalibration) -> ModeCalibration:
    """Factor and floor of the covariance by maximum likelihood of right poses' errors, largest twentieth left out.

    Errors have heavier tails than a Gaussian: at last both are scaled so that the ellipsoid made for 90 % holds 90 % of
    them. A wrong pose is what p_correct is for; no Gaussian holds it.
    """
    from scipy.optimize import minimize
    from scipy.stats import chi2

    if len(right) < 10:
        return mode
    units = np.stack([1 / right.diameter] * 3 + [np.ones(len(right))] * 3, axis=1)
    twist, covariance = right.twist * units, right.covariance * units[:, :, None] * units[:, None, :]

    def scaled(parameters: Array) -> tuple[Array, Array]:
        """Squared Mahalanobis distances (N,) and log determinants (N,)."""
        factor, place, attitude = np.exp(parameters)
        matrices = covariance * factor + np.diag([place**2] * 3 + [attitude**2] * 3)
        squared = np.einsum("ni,ni->n", twist, np.linalg.solve(matrices, twist[..., None])[..., 0])
        return squared, np.linalg.slogdet(matrices)[1]

    def nll(parameters: Array) -> float:
        squared, log_det = scaled(parameters)
        return float(np.sort((squared + log_det) / 2)[: max(1, int(0.95 * len(squared)))].mean())

    start = np.log([mode.sample_factor, 0.003, 0.005])
    bounds = [(np.log(1e-2), np.log(1e5)), (np.log(1e-4), np.log(0.1)), (np.log(1e-4), np.log(0.5))]
    best = minimize(nll, start, bounds=bounds, method="Nelder-Mead").x
    tail = conformal_quantile(scaled(best)[0]) / chi2.ppf(_COVERAGE, 6)
    factor, place, attitude = np.exp(best) * np.sqrt(tail) ** [2, 1, 1]
    return replace(mode, sample_factor=round(float(factor), 6), floor=_rounded(np.array([place, attitude])))


def fit_regions(sample: Sample, p: Array, mode: ModeCalibration) -> ModeCalibration:
    """Conformal radii: of each bin of p, then a factor so that position and attitude hold together, by object."""
    if not len(sample):
        return mode
    edges = _edges(p)
    bins = np.searchsorted(edges, p, side="right")
    ratios = _ratios(sample, mode)
    quantiles = np.array([[conformal_quantile(ratios[bins == b, part]) for b in range(len(edges) + 1)]
                          for part in range(2)])
    joint = (ratios / quantiles[:, bins].T).max(axis=1)
    return replace(mode, edges=tuple(edges), translation_quantiles=_rounded(quantiles[0]),
                   rotation_quantiles=_rounded(quantiles[1]), region_scale=_scales(joint),
                   object_scale=_object_scales(joint, sample.obj_id))


def fit_ok_regions(sample: Sample, certain: NDArray[np.bool_], mode: ModeCalibration) -> OkRegions | None:
    """Conformal radii of the poses called "ok" (`certain` (N,)); of right poses where those are too few.

    A region of right poses holds 90 % of the "ok" ones if it holds 0.9 / p of the right ones, where p of the "ok" poses
    are right. None where no pose is "ok".
    """
    count = int(certain.sum())
    if not count:
        return None
    missing = max(0, _OK_SIZE - count)
    right_share = float(sample.correct[certain].mean()) if missing else 1.0
    pool = sample.rows(sample.correct if missing else certain)
    if not len(pool):
        return None
    ratios = _ratios(pool, mode)
    level = min(_MAX_LEVEL, _COVERAGE / max(right_share, _COVERAGE))
    quantiles = np.array([conformal_quantile(ratios[:, part], level) for part in range(2)])
    joint = (ratios / quantiles).max(axis=1)
    objects, counts = np.unique(sample.obj_id[certain], return_counts=True)
    across, about = _rounded(quantiles)
    return OkRegions(across, about, _scales(joint, right_share),
                     {} if missing else _object_scales(joint, pool.obj_id),
                     dict(zip(objects.tolist(), counts.tolist(), strict=True)), missing)


def _ratios(sample: Sample, mode: ModeCalibration) -> Array:
    """Errors (N, 2) of position and attitude in sigmas."""
    scaled = [sigmas(calibrated(covariance, diameter, mode), diameter)
              for covariance, diameter in zip(sample.covariance, sample.diameter, strict=True)]
    return np.asarray(np.linalg.norm(sample.twist.reshape(-1, 2, 3), axis=2) / np.array(scaled))


def _object_scales(joint: Array, obj_id: NDArray[np.int64]) -> dict[int, tuple[float, ...]]:
    """`_scales` of each object with `_OBJECT_SIZE` estimates of its own."""
    objects, counts = np.unique(obj_id, return_counts=True)
    return {int(obj): _scales(joint[obj_id == obj])
            for obj, count in zip(objects, counts, strict=True) if count >= _OBJECT_SIZE}


def _scales(joint: Array, right_share: float = 1.0) -> tuple[float, ...]:
    """Quantiles of `joint` at `LEVELS`, each divided by the share of poses that it speaks of."""
    return tuple(conformal_quantile(joint, min(_MAX_LEVEL, level / max(right_share, level))) for level in LEVELS)


def conformal_quantile(ratios: Array, coverage: float = _COVERAGE) -> float:
    """The quantile with finite-sample coverage: the ceil((n + 1) coverage)-th smallest, or the largest."""
    if not len(ratios):
        return 6.0
    rank = min(len(ratios), int(np.ceil((len(ratios) + 1) * coverage)))
    return round(float(np.sort(ratios)[rank - 1]), 6)


def threshold(p: Array, correct: NDArray[np.bool_], precision: float, least: float = _SURE) -> float:
    """The lowest p_correct, not under `least`, above which the wanted share is right; 1.01 (never) if there is none."""
    order = np.argsort(-p)
    share = np.cumsum(correct[order]) / np.arange(1, len(p) + 1)
    good = np.flatnonzero((share >= precision) & (np.arange(1, len(p) + 1) >= _MIN_OK))
    return round(float(max(p[order][good[-1]], least)), 6) if len(good) else NEVER


def _edges(p: Array) -> list[float]:
    """Up to three edges that part the estimates into bins of at least `_BIN_SIZE`."""
    count = int(np.clip(len(p) // _BIN_SIZE, 1, 4))
    return [round(float(edge), 6) for edge in np.unique(np.quantile(p, np.arange(1, count) / count))]


def _rounded(values: Array) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)
