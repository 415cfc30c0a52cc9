"""Calibration of certainty: expected calibration error, coverage of regions, selective risk.

A pose counts as correct where its MSSD is below 10 % of the object's diameter, the event that `p_correct` predicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array
from posebot.evaluation.records import EvaluatedEstimate, ImageRecord
from posebot.models.calibration import LEVELS
from posebot.models.verdict import CORRECT

BINS = 10
_Z95 = 1.959963984540054


@dataclass(frozen=True)
class CertaintyTable:
    """Predicted certainty and outcome, one row per estimate with a pose and a `p_correct` (N,).

    Attributes:
        obj_id: (N,). p: predicted probability. ok: bool, whether the status is ok. correct: bool.
        visib_fract: of the nearest instance (by MSSD), nan where the image has no such object.
        translation (m), rotation (rad): errors, infinite without an instance.
        mahalanobis (squared), nll (nats): nan without a covariance. alternatives: number of alternative poses.
        any_correct: bool, whether the pose or an alternative is correct. near: bool, within half a diameter.
        radii: (N, len(LEVELS), 2) of the confidence regions (m, rad), nan where unknown.
    """

    obj_id: NDArray[np.int64]
    p: Array
    ok: NDArray[np.bool_]
    correct: NDArray[np.bool_]
    visib_fract: Array
    translation: Array
    rotation: Array
    mahalanobis: Array
    nll: Array
    alternatives: NDArray[np.int64]
    any_correct: NDArray[np.bool_]
    near: NDArray[np.bool_]
    radii: Array

    def __len__(self) -> int:
        return len(self.p)

    def rows(self, chosen: NDArray[np.bool_]) -> CertaintyTable:
        """The rows where `chosen` (N,) holds."""
        return CertaintyTable(*(getattr(self, field.name)[chosen] for field in fields(self)))


def certainty_table(records: Sequence[ImageRecord], models: Mapping[int, ObjectModel],
                    count_absent: bool = True) -> CertaintyTable:
    """The table of all estimates. An estimate of an object that is not in the image is wrong, or is left out."""
    rows = [_row(estimate, record, models[estimate.obj_id].diameter)
            for record in records for estimate in record.estimates
            if estimate.p_correct is not None and estimate.cam_from_obj is not None
            and (estimate.errors or count_absent)]
    columns = np.array([row[0] for row in rows], dtype=float).reshape(-1, len(fields(CertaintyTable)) - 1).T
    (obj_id, p, ok, correct, visib_fract, translation, rotation, mahalanobis, nll, alternatives, any_correct,
     near) = columns
    radii = np.array([row[1] for row in rows], dtype=float).reshape(-1, len(LEVELS), 2)
    return CertaintyTable(obj_id.astype(np.int64), p, ok > 0, correct > 0, visib_fract, translation, rotation,
                          mahalanobis, nll, alternatives.astype(np.int64), any_correct > 0, near > 0, radii)


def _row(estimate: EvaluatedEstimate, record: ImageRecord, diameter: float) -> tuple[list[float], list[list[float]]]:
    """The columns of one estimate in the order of `CertaintyTable`, and its radii."""
    radii, alternatives = estimate.regions or [[np.nan, np.nan]] * len(LEVELS), len(estimate.alternatives)
    row = [estimate.obj_id, estimate.p_correct or 0, estimate.status == "ok"]
    if not estimate.errors:
        return [*row, 0, np.nan, np.inf, np.inf, np.nan, np.nan, alternatives, 0, 0], radii
    best = int(estimate.errors["mssd"].argmin())
    error = {name: float(values[best]) for name, values in estimate.errors.items() if values.ndim == 1}
    nearest = min(error["mssd"], *estimate.errors["alternatives"].ravel()) if alternatives else error["mssd"]
    row += [error["mssd"] < CORRECT * diameter, record.truths[estimate.truths[best]].visib_fract,
            error["translation"], error["rotation"], error.get("mahalanobis", np.nan), error.get("nll", np.nan),
            alternatives, nearest < CORRECT * diameter, error["center"] <= diameter / 2]
    return row, radii


def calibration_error(p: Array, correct: NDArray[np.bool_], bins: int = BINS) -> float:
    """ECE: mean |confidence - accuracy| over `bins` equal-width bins, weighted by counts (Guo et al., ICML 2017)."""
    table = reliability(p, correct, bins)
    return float(sum(row["count"] * abs(row["stated"] - row["observed"]) for row in table) / len(p))


def reliability(p: Array, correct: NDArray[np.bool_], bins: int = BINS) -> list[dict[str, Any]]:
    """For each non-empty bin of p: mean p, observed share of correct poses, its Wilson interval, count."""
    bin_of = np.clip((p * bins).astype(int), 0, bins - 1)
    table = []
    for index in np.unique(bin_of):
        here = bin_of == index
        hits, count = int(correct[here].sum()), int(here.sum())
        table.append({"stated": float(p[here].mean()), "observed": hits / count, "count": count,
                      "interval": wilson(hits, count)})
    return table


def wilson(hits: int, count: int, z: float = _Z95) -> list[float]:
    """Wilson score interval (95 %) of a proportion (Wilson, JASA 1927); (0, 1) where count is 0."""
    if not count:
        return [0.0, 1.0]
    share, spread = hits / count, z * z / count
    middle = share + spread / 2
    half = z * np.sqrt(share * (1 - share) / count + spread / (4 * count))
    return [max(0.0, float((middle - half) / (1 + spread))), min(1.0, float((middle + half) / (1 + spread)))]


def risk_curve(p: Array, correct: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Risk-coverage curve: coverage (N,) and share of wrong poses among those kept (N,), most certain first.

    Poses with equal p share their risk, so that the order within a tie does not matter.
    """
    order = np.argsort(-p, kind="stable")
    wrong = np.cumsum(~correct[order])
    count = np.arange(1, len(p) + 1)
    last = np.searchsorted(-p[order], -p[order], side="right") - 1
    return count / max(len(p), 1), wrong[last] / (last + 1)


def risk_at(p: Array, correct: NDArray[np.bool_], kept: float) -> float:
    """Share of wrong poses when the most certain `kept` (0..1) are kept."""
    _, risk = risk_curve(p, correct)
    return float(risk[max(0, int(np.ceil(kept * len(p))) - 1)])


def summarize_certainty(rows: CertaintyTable) -> dict[str, Any] | None:
    """All figures of some rows, or None if there are none. Radii in millimetres and degrees."""
    if not len(rows):
        return None
    clipped = np.clip(rows.p, 1e-6, 1 - 1e-6)
    log_loss = -np.where(rows.correct, np.log(clipped), np.log1p(-clipped))
    return {
        "count": len(rows), "correct": float(rows.correct.mean()), "mean_p": float(rows.p.mean()),
        "ECE": calibration_error(rows.p, rows.correct), "Brier": float(np.mean((rows.p - rows.correct) ** 2)),
        "log_loss": float(log_loss.mean()),
        "risk": {f"{kept:.0%}": risk_at(rows.p, rows.correct, kept) for kept in (0.5, 0.8, 1.0)},
        "region90": _regions(rows), "covariance": _ellipsoids(rows), "alternatives": _alternatives(rows),
    }


def _alternatives(rows: CertaintyTable) -> dict[str, Any] | None:
    """Of estimates with alternative poses within half a diameter of an instance: is any of their poses correct?"""
    ambiguous = rows.rows((rows.alternatives > 0) & rows.near)
    if not len(ambiguous):
        return None
    return {"count": len(ambiguous), "listed": float(ambiguous.alternatives.mean()),
            "correct": float(ambiguous.correct.mean()), "correct_or_listed": float(ambiguous.any_correct.mean())}


def _regions(rows: CertaintyTable) -> dict[str, Any] | None:
    """Coverage of the confidence regions, over estimates of objects in the image and (with_absent) over all."""
    known = rows.rows(np.isfinite(rows.radii[:, 0, 0]))
    present = np.isfinite(known.translation)
    if not present.any():
        return None
    translation = known.translation[:, None] <= known.radii[..., 0]
    rotation = known.rotation[:, None] <= known.radii[..., 1]
    joint, ninety = translation & rotation, LEVELS.index(0.9)
    both, radii = joint[:, ninety], known.radii[:, ninety]
    return {
        "count": int(present.sum()), "both": _share(both[present]), "both_with_absent": _share(both),
        "translation": _share(translation[present, ninety]), "rotation": _share(rotation[present, ninety]),
        "levels": {f"{level:.0%}": _share(joint[present, index]) for index, level in enumerate(LEVELS)},
        "median_translation_mm": float(1000 * np.median(radii[:, 0])),
        "median_rotation_deg": float(np.degrees(np.median(radii[:, 1]))),
    }


def _ellipsoids(rows: CertaintyTable) -> dict[str, Any] | None:
    """Coverage of the covariance ellipsoids (chi-square, 6 degrees of freedom), and NLL, of correct poses.

    Wrong poses (a flip, another object) are the subject of p_correct; no Gaussian around them covers the true pose.
    """
    from scipy.stats import chi2

    correct = rows.rows(np.isfinite(rows.mahalanobis) & rows.correct)
    if not len(correct):
        return None
    coverage = {f"{level:.0%}": _share(correct.mahalanobis <= chi2.ppf(level, 6)) for level in LEVELS}
    return {"count": len(correct), "coverage": coverage, "NLL": float(correct.nll.mean())}


def _share(hits: NDArray[np.bool_]) -> dict[str, Any]:
    return {"coverage": float(hits.mean()), "interval": wilson(int(hits.sum()), len(hits))}
