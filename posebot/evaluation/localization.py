"""6-D localisation, BOP19: the objects in a picture are known, their poses are asked for.

For each object that a picture's targets name, the `inst_count` best-scored estimates are matched to the `inst_count`
most visible truths, anew for each threshold. The result is a table with one row per target, so that recall over
anything (all, an object, a visibility bin) is the mean of some rows: pooled over all pictures, not a mean over objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array
from posebot.evaluation.matching import by_score, match
from posebot.evaluation.records import Judged, Record
from posebot.evaluation.vsd import TAUS

MSSD_THRESHOLDS = np.arange(0.05, 0.51, 0.05)
"""Shares of the diameter."""
MSPD_THRESHOLDS = np.arange(5.0, 51.0, 5.0)
"""Pixels in a picture 640 wide."""
VSD_THRESHOLDS = np.arange(0.05, 0.51, 0.05)
ADD_THRESHOLD, ADD_AUC_MAX = 0.1, 0.1
"""Share of the diameter; upper end of the ADD curve in metres (as for YCB-Video)."""
NORM_WIDTH = 640.0


@dataclass(frozen=True)
class Table:
    """One row per target (N,). Hits are per threshold; errors are the matched estimate's, infinite if there is none.

    Attributes:
        frame: index of the record. truth: index of the truth in it. obj_id, visib_fract, distance_m: of the truth.
        mssd, mspd: bool (N, 10). vsd: bool (N, 100), or (N, 0) where a picture has no depth.
        add: bool (N,), ADD or, for symmetric objects, ADD-S below 10 % of the diameter. add_error: (N,) metres.
        estimate: index in the record of the estimate that MSSD pairs with the target when no threshold is set, or -1.
        error: (N, 4) MSSD / diameter, MSPD (640 wide), translation (m), rotation (rad) of that estimate.
    """

    frame: NDArray[np.int64]
    truth: NDArray[np.int64]
    obj_id: NDArray[np.int64]
    visib_fract: Array
    distance_m: Array
    mssd: NDArray[np.bool_]
    mspd: NDArray[np.bool_]
    vsd: NDArray[np.bool_]
    add: NDArray[np.bool_]
    add_error: Array
    estimate: NDArray[np.int64]
    error: Array

    def __len__(self) -> int:
        return len(self.frame)

    def rows(self, chosen: NDArray[np.bool_]) -> Table:
        """The part of the table where `chosen` (N,) holds."""
        return Table(*(getattr(self, field.name)[chosen] for field in fields(self)))


def table(records: Sequence[Record], models: Mapping[int, ObjectModel]) -> Table:
    """Match all records. `models` gives diameters and says which objects are symmetric."""
    with_vsd = all(record.depth for record in records)
    parts = [_match_object(index, record, models[obj_id], count, with_vsd)
             for index, record in enumerate(records) for obj_id, count in sorted(record.inst_count.items())]
    if not parts:
        return _empty()
    return Table(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Table)))


def scores(rows: Table) -> dict[str, float | None]:
    """AR and its parts, ADD(-S) recall and AUC over the rows, 0..1. None: nothing to score, or no depth (VSD).

    Without depth `AR` is the mean of MSSD and MSPD alone: it cannot be compared with published AR then.
    """
    if not len(rows):
        return dict.fromkeys(("AR", "VSD", "MSSD", "MSPD", "ADD", "ADD_AUC"))
    parts = {"VSD": float(rows.vsd.mean()) if rows.vsd.shape[1] else None,
             "MSSD": float(rows.mssd.mean()), "MSPD": float(rows.mspd.mean())}
    known = [value for value in parts.values() if value is not None]
    auc = float(np.clip(1 - rows.add_error / ADD_AUC_MAX, 0, 1).mean())
    return {"AR": float(np.mean(known)), **parts, "ADD": float(rows.add.mean()), "ADD_AUC": auc}


def _empty() -> Table:
    flags, whole, real = np.zeros((0, 10), bool), np.zeros(0, np.int64), np.zeros(0)
    error = np.zeros((0, 4))
    return Table(whole, whole, whole, real, real, flags, flags, flags[:, :0], flags[:, 0], real, whole, error)


def _match_object(index: int, record: Record, model: ObjectModel, count: int, with_vsd: bool) -> Table:
    """The rows for the targets of one object in one picture."""
    truths = [i for i, truth in enumerate(record.truths) if truth.obj_id == model.obj_id and truth.target]
    posed = [i for i, estimate in enumerate(record.estimates) if estimate.obj_id == model.obj_id and estimate.errors]
    best = by_score(np.array([record.estimates[i].score for i in posed]))[:count]
    chosen = [record.estimates[posed[i]] for i in best]
    scored = np.array([estimate.score for estimate in chosen])

    def error(name: str) -> Array:
        return gather(chosen, name, truths)

    def hits(values: Array, thresholds: Array) -> NDArray[np.bool_]:
        found = match(values, scored, thresholds)
        return (found[:, :, None] == np.arange(len(truths))).any(axis=1).T

    mssd, mspd = error("mssd") / model.diameter, error("mspd") * (NORM_WIDTH / record.width)
    add = error("adi" if model.symmetric else "add")
    vsd = np.zeros((len(truths), 0), bool)
    if with_vsd:
        by_tau = np.repeat(np.moveaxis(error("vsd"), 2, 0), len(VSD_THRESHOLDS), axis=0)
        vsd = hits(by_tau, np.tile(VSD_THRESHOLDS, len(TAUS)))
    partner = _partners(match(mssd, scored, np.array([np.inf]))[0], len(truths))
    details = np.stack([mssd, mspd, error("translation"), error("rotation")], axis=-1)
    add_partner = _partners(match(add, scored, np.array([np.inf]))[0], len(truths))
    truth = [record.truths[i] for i in truths]
    return Table(
        frame=np.full(len(truths), index), truth=np.array(truths, dtype=np.int64),
        obj_id=np.full(len(truths), model.obj_id), visib_fract=np.array([t.visib_fract for t in truth]),
        distance_m=np.array([t.distance_m for t in truth]),
        mssd=hits(mssd, MSSD_THRESHOLDS), mspd=hits(mspd, MSPD_THRESHOLDS), vsd=vsd,
        add=hits(add, np.array([ADD_THRESHOLD * model.diameter]))[:, 0], add_error=_taken(add, add_partner),
        estimate=np.array([posed[best[p]] if p >= 0 else -1 for p in partner], dtype=np.int64),
        error=_taken(details, partner),
    )


def gather(estimates: Sequence[Judged], name: str, truths: Sequence[int]) -> Array:
    """Errors (E, G), VSD (E, G, 10), of the estimates against the given truths of the picture, in their order."""
    tail = (len(TAUS),) if name == "vsd" else ()
    return np.array([[estimate.errors[name][estimate.truths.index(t)] for t in truths] for estimate in estimates],
                    dtype=float).reshape(len(estimates), len(truths), *tail)


def _partners(matched: NDArray[np.int64], truths: int) -> NDArray[np.int64]:
    """For each truth the estimate that was matched to it, or -1."""
    partner = np.full(truths, -1)
    found = np.flatnonzero(matched >= 0)
    partner[matched[found]] = found
    return partner


def _taken(errors: Array, partner: NDArray[np.int64]) -> Array:
    """errors[partner[t], t] for each truth t, infinite where it has no partner."""
    taken = np.full(errors.shape[1:], np.inf)
    found = np.flatnonzero(partner >= 0)
    taken[found] = errors[partner[found], found]
    return taken
