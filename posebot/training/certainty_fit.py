"""Fitting what certainty needs to know of a bundle's errors, on held-out estimates.

`p_correct` is a logistic model of a few features, each by a rising piecewise linear function, with a small offset of
each object. `region90` is split-conformal (Lei et al., "Distribution-free predictive inference for regression", JASA
2018): quantiles of error / sigma within bins of `p_correct`, so that hard cases get larger regions, then one factor for
each object (Mondrian, Vovk et al., "Algorithmic Learning in a Random World", 2005) so that none is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.models.calibration import LEVELS, ModeCalibration
from posebot.stages.certainty import calibrated, feature_names, probability, segments, sigmas

_RIDGE, _OBJECT_RIDGE = 0.02, 1.0  # per held-out estimate; the objects' offsets are held near 0
_KNOTS = (0.33, 0.67)  # quantiles of each feature
_COVERAGE = 0.9
_BIN_SIZE, _OBJECT_SIZE = 60, 40  # estimates that a conformal bin, or an object, must have for numbers of its own
_SURE = 0.8  # no pose is "ok" that is less probable than this, whatever the company it is in
_NEVER = 1.01  # an ok_threshold that no pose reaches


@dataclass(frozen=True)
class Sample:
    """Held-out estimates, one a row.

    Attributes:
        features (N, F): of `certainty.features`. obj_id (N,). diameter (N,) metres.
        correct (N,) bool: MSSD < 10 % of the diameter. present (N,) bool: such an object is in the image at all.
        twist (N, 6): error of position (metres) and attitude (radians) modulo symmetry.
        covariance (N, 6, 6): of the weighted Hessian alone.
    """

    features: Array
    obj_id: NDArray[np.int64]
    diameter: Array
    correct: NDArray[np.bool_]
    present: NDArray[np.bool_]
    twist: Array
    covariance: Array

    def __len__(self) -> int:
        return len(self.obj_id)

    def rows(self, chosen: NDArray[np.bool_]) -> Sample:
        """The part where `chosen` (N,) holds."""
        return Sample(*(getattr(self, entry.name)[chosen] for entry in fields(self)))


def fit(sample: Sample, ok_precision: float = 0.9) -> ModeCalibration:
    """Calibrate one kind of input. ok_precision: share of right poses wanted at the threshold for "ok"."""
    mode = fit_probability(sample)
    p = probabilities(sample, mode)
    mode = fit_covariance(sample.rows(sample.correct), mode)
    mode = replace(mode, ok_threshold=threshold(p, sample.correct, ok_precision))
    return fit_regions(sample.rows(sample.present), p[sample.present], mode)


def probabilities(sample: Sample, mode: ModeCalibration) -> Array:
    """p_correct (N,) of each estimate."""
    return np.array([probability(row, int(obj), mode) for row, obj in zip(sample.features, sample.obj_id, strict=True)])


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
        samples=len(sample))


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
    scaled = [sigmas(calibrated(covariance, diameter, mode), diameter)
              for covariance, diameter in zip(sample.covariance, sample.diameter, strict=True)]
    ratios = np.linalg.norm(sample.twist.reshape(-1, 2, 3), axis=2) / np.array(scaled)
    quantiles = np.array([[conformal_quantile(ratios[bins == b, part]) for b in range(len(edges) + 1)]
                          for part in range(2)])
    joint = (ratios / quantiles[:, bins].T).max(axis=1)
    objects, counts = np.unique(sample.obj_id, return_counts=True)
    own = {int(obj): _scales(joint[sample.obj_id == obj])
           for obj, count in zip(objects, counts, strict=True) if count >= _OBJECT_SIZE}
    return replace(mode, edges=tuple(edges), translation_quantiles=_rounded(quantiles[0]),
                   rotation_quantiles=_rounded(quantiles[1]), region_scale=_scales(joint), object_scale=own)


def _scales(joint: Array) -> tuple[float, ...]:
    return tuple(conformal_quantile(joint, level) for level in LEVELS)


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
    good = np.flatnonzero((share >= precision) & (np.arange(1, len(p) + 1) >= min(10, len(p))))
    return round(float(max(p[order][good[-1]], least)), 6) if len(good) else _NEVER


def _edges(p: Array) -> list[float]:
    """Up to three edges that part the estimates into bins of at least `_BIN_SIZE`."""
    count = int(np.clip(len(p) // _BIN_SIZE, 1, 4))
    return [round(float(edge), 6) for edge in np.unique(np.quantile(p, np.arange(1, count) / count))]


def _rounded(values: Array) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)
