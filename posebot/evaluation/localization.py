"""6-D localisation, BOP19: the objects in an image are given, their poses are estimated.

For each object that the targets of an image name, the `inst_count` best-scored estimates are matched to the
`inst_count` most visible ground-truth instances, anew for each threshold. The result is a table with one row per
target, so that recall over any subset (all, an object, a visibility bin) is the mean of some rows: pooled over all
images, not a mean over objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array
from posebot.evaluation.matching import by_score, match
from posebot.evaluation.metrics import Metric, load_metrics
from posebot.evaluation.metrics.mspd import NORM_WIDTH
from posebot.evaluation.records import EvaluatedEstimate, ImageRecord


@dataclass(frozen=True)
class LocalizationTable:
    """One row per target (N,). Errors are the matched estimate's, infinite where there is none.

    Attributes:
        frame: index of the record. truth: index of the instance in it. obj_id, visib_fract, distance_m: of the
            instance.
        estimate: index in the record of the estimate that MSSD pairs with the target when no threshold is set, or -1.
        shift: (N,) how far the centre of the object's surface is off in that estimate (m).
        error: (N, 4) MSSD / diameter, MSPD (640 wide), translation (m), rotation (rad) of that estimate.
        hits: by metric, bool (N, T * H) per tolerance and threshold; (N, 0) where depth is required and missing.
        matched_error: by metric without tolerances, (N,) stored error of the estimate that this error pairs with the
            target when no threshold is set.
    """

    frame: NDArray[np.int64]
    truth: NDArray[np.int64]
    obj_id: NDArray[np.int64]
    visib_fract: Array
    distance_m: Array
    estimate: NDArray[np.int64]
    shift: Array
    error: Array
    hits: dict[str, NDArray[np.bool_]]
    matched_error: dict[str, Array]

    def __len__(self) -> int:
        return len(self.frame)

    def rows(self, chosen: NDArray[np.bool_]) -> LocalizationTable:
        """The rows where `chosen` (N,) holds."""
        columns: dict[str, Any] = {name: _select(column, chosen) for name, column in vars(self).items()}
        return LocalizationTable(**columns)


def localization_table(records: Sequence[ImageRecord], models: Mapping[int, ObjectModel]) -> LocalizationTable:
    """Match all records. models: for diameters and symmetries."""
    with_depth = all(record.depth for record in records)
    parts = [_match_object(index, record, models[obj_id], count, with_depth)
             for index, record in enumerate(records) for obj_id, count in sorted(record.inst_count.items())]
    return _concatenated(parts) if parts else _empty()


def recalls(rows: LocalizationTable) -> dict[str, float | None]:
    """AR, the recall of each metric and their areas under the curve, over the rows, 0..1.

    None: no targets, or a metric that needs depth without depth. AR is the mean over the metrics that count to it and
    are known: without depth it is that of MSSD and MSPD alone and cannot be compared with published AR.
    """
    found: dict[str, float | None] = {}
    counted = []
    for metric in load_metrics():
        hits = rows.hits[metric.name]
        recall = float(hits.mean()) if hits.size else None
        found[metric.name] = recall
        if metric.counts_to_ar and recall is not None:
            counted.append(recall)
        if metric.auc_max is not None:
            curve = np.clip(1 - rows.matched_error[metric.name] / metric.auc_max, 0, 1)
            found[f"{metric.name}_AUC"] = float(curve.mean()) if len(rows) else None
    return {"AR": float(np.mean(counted)) if counted else None, **found}


def _concatenated(parts: Sequence[LocalizationTable]) -> LocalizationTable:
    columns: dict[str, Any] = {name: _concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])}
    return LocalizationTable(**columns)


def _select(column: Any, chosen: NDArray[np.bool_]) -> Any:
    if isinstance(column, dict):
        return {name: values[chosen] for name, values in column.items()}
    return column[chosen]


def _concatenate(columns: Sequence[Any]) -> Any:
    if isinstance(columns[0], dict):
        return {name: np.concatenate([column[name] for column in columns]) for name in columns[0]}
    return np.concatenate(columns)


def _empty() -> LocalizationTable:
    whole, real, metrics = np.zeros(0, np.int64), np.zeros(0), load_metrics()
    return LocalizationTable(whole, whole, whole, real, real, whole, real, np.zeros((0, 4)),
                             {metric.name: np.zeros((0, 0), bool) for metric in metrics},
                             {metric.name: real for metric in metrics if not metric.tolerances})


def _match_object(index: int, record: ImageRecord, model: ObjectModel, count: int,
                  with_depth: bool) -> LocalizationTable:
    """The rows for the targets of one object in one image."""
    truths = [i for i, truth in enumerate(record.truths) if truth.obj_id == model.obj_id and truth.target]
    posed = [i for i, estimate in enumerate(record.estimates) if estimate.obj_id == model.obj_id and estimate.errors]
    best = by_score(np.array([record.estimates[i].score for i in posed]))[:count]
    chosen = [record.estimates[posed[i]] for i in best]
    scores = np.array([estimate.score for estimate in chosen])
    hits: dict[str, NDArray[np.bool_]] = {}
    matched: dict[str, Array] = {}
    for metric in load_metrics():
        if metric.requires_depth and not with_depth:
            hits[metric.name] = np.zeros((len(truths), 0), bool)
            continue
        errors = gather(chosen, metric.error_name(model), truths, metric.tolerances)
        hits[metric.name] = _hits(metric, metric.normalized(errors, model, record.width), scores, model)
        if not metric.tolerances:
            matched[metric.name] = _of_partner(errors, _partners(errors, scores))
    details = np.stack([gather(chosen, "mssd", truths) / model.diameter,
                        gather(chosen, "mspd", truths) * (NORM_WIDTH / record.width),
                        gather(chosen, "translation", truths), gather(chosen, "rotation", truths)], axis=-1)
    partner = _partners(details[..., 0], scores)
    instances = [record.truths[i] for i in truths]
    return LocalizationTable(
        frame=np.full(len(truths), index), truth=np.array(truths, dtype=np.int64),
        obj_id=np.full(len(truths), model.obj_id), visib_fract=np.array([t.visib_fract for t in instances]),
        distance_m=np.array([t.distance_m for t in instances]),
        estimate=np.array([posed[best[p]] if p >= 0 else -1 for p in partner], dtype=np.int64),
        shift=_of_partner(gather(chosen, "center", truths), partner),
        error=_of_partner(details, partner), hits=hits, matched_error=matched)


def _hits(metric: Metric, errors: Array, scores: Array, model: ObjectModel) -> NDArray[np.bool_]:
    """Which targets (G,) are matched at each tolerance and threshold, (G, T * H)."""
    thresholds = metric.thresholds(model)
    if metric.tolerances:
        errors = np.repeat(np.moveaxis(errors, 2, 0), len(thresholds), axis=0)
        thresholds = np.tile(thresholds, metric.tolerances)
    matched = match(errors, scores, thresholds)
    return (matched[:, :, None] == np.arange(errors.shape[-1])).any(axis=1).T


def gather(estimates: Sequence[EvaluatedEstimate], name: str, truths: Sequence[int], tolerances: int = 0) -> Array:
    """Errors (E, G), or (E, G, T) with T `tolerances`, of estimates against the given instances of the image."""
    tail = (tolerances,) if tolerances else ()
    return np.array([[estimate.errors[name][estimate.truths.index(t)] for t in truths] for estimate in estimates],
                    dtype=float).reshape(len(estimates), len(truths), *tail)


def _partners(errors: Array, scores: Array) -> NDArray[np.int64]:
    """For each target (G,) the estimate that is matched to it by errors (E, G) without a threshold, or -1."""
    matched = match(errors, scores, np.array([np.inf]))[0]
    partner = np.full(errors.shape[1], -1)
    found = np.flatnonzero(matched >= 0)
    partner[matched[found]] = found
    return partner


def _of_partner(errors: Array, partner: NDArray[np.int64]) -> Array:
    """errors[partner[t], t] for each target t, infinite where it has no partner."""
    taken = np.full(errors.shape[1:], np.inf)
    found = np.flatnonzero(partner >= 0)
    taken[found] = errors[partner[found], found]
    return taken
