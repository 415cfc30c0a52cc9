"""Does a certainty mean what it says? Calibration, coverage and selective risk of what is claimed about poses.

A pose counts as right where its MSSD is below 10 % of the object's diameter: that is what `p_correct` is about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array
from posebot.evaluation.records import Judged, Record
from posebot.models.calibration import LEVELS

CORRECT = 0.1
"""Share of the diameter below which an MSSD counts as right."""
BINS = 10
_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Claims:
    """What was claimed and what came true, one row per estimate with a pose and a `p_correct` (N,).

    Attributes:
        obj_id, p. ok: bool, that was its status. correct: bool. visib_fract: of the nearest truth (by MSSD), nan where
            the picture has no such object. translation (m), rotation (rad): errors, infinite without a truth.
        mahalanobis (squared), nll (nats): nan without a covariance. listed: how many other poses were told beside it.
        held: bool, it or one of those is right. placed: bool, it is at most half a diameter off.
        radii: (N, len(LEVELS), 2) of the regions (m, rad), nan where not stated.
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
    listed: NDArray[np.int64]
    held: NDArray[np.bool_]
    placed: NDArray[np.bool_]
    radii: Array

    def __len__(self) -> int:
        return len(self.p)

    def rows(self, chosen: NDArray[np.bool_]) -> Claims:
        """The part where `chosen` (N,) holds."""
        return Claims(*(getattr(self, field.name)[chosen] for field in fields(self)))


def claims(records: Sequence[Record], models: Mapping[int, ObjectModel], absent_is_wrong: bool = True) -> Claims:
    """Collect the claims. An estimate of an object that the picture does not hold is wrong, or left out."""
    rows = [_claim(estimate, record, models[estimate.obj_id].diameter)
            for record in records for estimate in record.estimates
            if estimate.p_correct is not None and estimate.cam_from_obj is not None
            and (estimate.errors or absent_is_wrong)]
    columns = np.array([row[0] for row in rows], dtype=float).reshape(-1, len(fields(Claims)) - 1).T
    obj_id, p, ok, correct, visib_fract, translation, rotation, mahalanobis, nll, listed, held, placed = columns
    radii = np.array([row[1] for row in rows], dtype=float).reshape(-1, len(LEVELS), 2)
    return Claims(obj_id.astype(np.int64), p, ok > 0, correct > 0, visib_fract, translation, rotation, mahalanobis, nll,
                  listed.astype(np.int64), held > 0, placed > 0, radii)


def _claim(estimate: Judged, record: Record, diameter: float) -> tuple[list[float], list[list[float]]]:
    radii, listed = estimate.regions or [[np.nan, np.nan]] * len(LEVELS), len(estimate.alternatives)
    claim = [estimate.obj_id, estimate.p_correct or 0, estimate.status == "ok"]
    if not estimate.errors:
        return [*claim, 0, np.nan, np.inf, np.inf, np.nan, np.nan, listed, 0, 0], radii
    best = int(estimate.errors["mssd"].argmin())
    error = {name: float(values[best]) for name, values in estimate.errors.items() if values.ndim == 1}
    nearest = min(error["mssd"], *estimate.errors["alternatives"].ravel()) if listed else error["mssd"]
    row = [*claim, error["mssd"] < CORRECT * diameter, record.truths[estimate.truths[best]].visib_fract,
           error["translation"], error["rotation"], error.get("mahalanobis", np.nan), error.get("nll", np.nan), listed,
           nearest < CORRECT * diameter, error["translation"] <= diameter / 2]
    return row, radii


def calibration_error(p: Array, correct: NDArray[np.bool_], bins: int = BINS) -> float:
    """ECE: mean |stated - observed| over `bins` equal steps of p, weighted by their counts (Guo et al., ICML 2017)."""
    table = reliability(p, correct, bins)
    return float(sum(row["count"] * abs(row["stated"] - row["observed"]) for row in table) / len(p))


def reliability(p: Array, correct: NDArray[np.bool_], bins: int = BINS) -> list[dict[str, Any]]:
    """For each bin of p that holds anything: mean p, observed share of right poses, its Wilson interval, count."""
    place = np.clip((p * bins).astype(int), 0, bins - 1)
    table = []
    for index in np.unique(place):
        here = place == index
        hits, count = int(correct[here].sum()), int(here.sum())
        table.append({"stated": float(p[here].mean()), "observed": hits / count, "count": count,
                      "interval": wilson(hits, count)})
    return table


def wilson(hits: int, count: int, z: float = _Z95) -> list[float]:
    """Wilson's 95 % interval of a share (Wilson, JASA 1927). (0, 1) where nothing was counted."""
    if not count:
        return [0.0, 1.0]
    share, spread = hits / count, z * z / count
    middle = share + spread / 2
    half = z * np.sqrt(share * (1 - share) / count + spread / (4 * count))
    return [max(0.0, float((middle - half) / (1 + spread))), min(1.0, float((middle + half) / (1 + spread)))]


def risk_curve(p: Array, correct: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Share kept (N,) and share of wrong poses among them (N,), the surest first.

    Poses with the same p are taken in together: each of them gets the risk of all (no order inside a tie is favoured).
    """
    order = np.argsort(-p, kind="stable")
    wrong = np.cumsum(~correct[order])
    count = np.arange(1, len(p) + 1)
    last = np.searchsorted(-p[order], -p[order], side="right") - 1
    return count / max(len(p), 1), wrong[last] / (last + 1)


def risk_at(p: Array, correct: NDArray[np.bool_], kept: float) -> float:
    """Share of wrong poses when the surest `kept` (0..1) are kept."""
    _, risk = risk_curve(p, correct)
    return float(risk[max(0, int(np.ceil(kept * len(p))) - 1)])


def summary(rows: Claims) -> dict[str, Any] | None:
    """All figures about some claims, or None if there are none. Radii in millimetres and degrees."""
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


def _alternatives(rows: Claims) -> dict[str, Any] | None:
    """Of the estimates that list other poses, and lie where such an object is: is the right pose among them all?"""
    told = rows.rows((rows.listed > 0) & rows.placed)
    if not len(told):
        return None
    return {"count": len(told), "listed": float(told.listed.mean()), "correct": float(told.correct.mean()),
            "correct_or_listed": float(told.held.mean())}


def _regions(rows: Claims) -> dict[str, Any] | None:
    """Coverage of `region90` over the estimates that have one and a truth; at last also with those without a truth."""
    told = rows.rows(np.isfinite(rows.radii[:, 0, 0]))
    present = np.isfinite(told.translation)
    if not present.any():
        return None
    shift, turn = told.translation[:, None] <= told.radii[..., 0], told.rotation[:, None] <= told.radii[..., 1]
    joint, ninety = shift & turn, LEVELS.index(0.9)
    both, radii = joint[:, ninety], told.radii[:, ninety]
    return {
        "count": int(present.sum()), "both": _share(both[present]), "both_with_absent": _share(both),
        "translation": _share(shift[present, ninety]), "rotation": _share(turn[present, ninety]),
        "levels": {f"{level:.0%}": _share(joint[present, index]) for index, level in enumerate(LEVELS)},
        "median_translation_mm": float(1000 * np.median(radii[:, 0])),
        "median_rotation_deg": float(np.degrees(np.median(radii[:, 1]))),
    }


def _ellipsoids(rows: Claims) -> dict[str, Any] | None:
    """Coverage of the covariance's ellipsoids (chi-square, 6 degrees of freedom), and NLL, where the pose is right.

    A wrong pose (a flip, another object) is what p_correct is for; no Gaussian around it can hold the truth.
    """
    from scipy.stats import chi2

    told = rows.rows(np.isfinite(rows.mahalanobis) & rows.correct)
    if not len(told):
        return None
    coverage = {f"{level:.0%}": _share(told.mahalanobis <= chi2.ppf(level, 6)) for level in LEVELS}
    return {"count": len(told), "coverage": coverage, "NLL": float(told.nll.mean())}


def _share(hits: NDArray[np.bool_]) -> dict[str, Any]:
    return {"coverage": float(hits.mean()), "interval": wilson(int(hits.sum()), len(hits))}
