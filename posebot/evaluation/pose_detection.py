"""6-D detection, BOP24 and BOP25: the objects in an image are not given, so false positives cost precision.

Average precision with 101 recall points, per object and threshold, then averaged over thresholds and objects.
Instances less than 10 % visible are not targets, and estimates that match one are ignored. At most 100 estimates per
image are counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array
from posebot.evaluation.localization import gather
from posebot.evaluation.matching import by_score, match
from posebot.evaluation.metrics.mspd import MSPD_THRESHOLDS, NORM_WIDTH
from posebot.evaluation.metrics.mssd import MSSD_THRESHOLDS
from posebot.evaluation.records import ImageRecord

MM_THRESHOLDS = np.arange(2.0, 21.0, 2.0)
"""BOP25's thresholds of MSSD in millimetres."""
MIN_VISIBLE, MAX_ESTIMATES = 0.1, 100
_RECALLS = np.linspace(0.0, 1.0, 101)


def average_precision(scores: Array, correct: NDArray[np.bool_], truths: int) -> float:
    """101-point interpolated average precision of estimates with `scores` (N,); `truths` is the number of targets.

    The precision at recall 0, .01 ... 1 is the highest at that recall or above.
    """
    order = by_score(scores)
    hits = np.cumsum(correct[order])
    precision = hits / np.arange(1, len(order) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    first = np.searchsorted(hits / max(truths, 1), _RECALLS, side="left")
    return float(np.append(envelope, 0.0)[first].mean())


def average_precisions(records: Sequence[ImageRecord], models: Mapping[int, ObjectModel],
                       count_absent: bool = False) -> tuple[dict[str, float | None], dict[int, float]]:
    """AP, AP_MSSD, AP_MSPD (BOP24) and AP_MSSD_mm (BOP25), 0..1, and AP per object.

    Args:
        count_absent: count estimates of objects that are not in the image as false positives. The reference toolkit
            leaves them out (it evaluates only objects of an image's ground truth), and so does the default.
    """
    per_object: dict[int, dict[str, float]] = {}
    for obj_id, model in sorted(models.items()):
        cases = [case for record in records if (case := _object_matches(record, obj_id)).visible.size or count_absent]
        if not sum(case.visible.sum() for case in cases):
            continue
        per_object[obj_id] = {
            "AP_MSSD": _precision(cases, "mssd", MSSD_THRESHOLDS * model.diameter),
            "AP_MSPD": _precision(cases, "mspd", MSPD_THRESHOLDS),
            "AP_MSSD_mm": _precision(cases, "mssd", MM_THRESHOLDS / 1000),
        }
    if not per_object:
        return dict.fromkeys(("AP", "AP_MSSD", "AP_MSPD", "AP_MSSD_mm")), {}
    mean: dict[str, float | None] = {name: float(np.mean([entry[name] for entry in per_object.values()]))
                                     for name in ("AP_MSSD", "AP_MSPD", "AP_MSSD_mm")}
    both = {obj_id: (entry["AP_MSSD"] + entry["AP_MSPD"]) / 2 for obj_id, entry in per_object.items()}
    return {"AP": float(np.mean(list(both.values()))), **mean}, both


@dataclass(frozen=True)
class _ObjectMatches:
    """One object in one image: scores (E,), errors (E, G) by name, and which instances (G,) are targets."""

    scores: Array
    errors: dict[str, Array]
    visible: NDArray[np.bool_]


def _object_matches(record: ImageRecord, obj_id: int) -> _ObjectMatches:
    posed = [estimate for estimate in record.estimates if estimate.cam_from_obj is not None]
    kept = [posed[i] for i in by_score(np.array([estimate.score for estimate in posed]))[:MAX_ESTIMATES]]
    estimates = [estimate for estimate in kept if estimate.obj_id == obj_id]
    truths = [i for i, truth in enumerate(record.truths) if truth.obj_id == obj_id]
    visible = np.array([record.truths[i].visib_fract >= MIN_VISIBLE for i in truths], dtype=bool)
    errors = {"mssd": gather(estimates, "mssd", truths),
              "mspd": gather(estimates, "mspd", truths) * (NORM_WIDTH / record.width)}
    return _ObjectMatches(np.array([estimate.score for estimate in estimates]), errors, visible)


def _precision(cases: Sequence[_ObjectMatches], name: str, thresholds: Array) -> float:
    """Average precision over all cases, averaged over the thresholds."""
    matched = [match(case.errors[name], case.scores, thresholds) for case in cases]
    padded = [np.append(case.visible, False) for case in cases]  # index -1, no match, is no hit
    correct = np.concatenate([visible[found] for visible, found in zip(padded, matched)], axis=1)
    counted = correct | (np.concatenate(matched, axis=1) < 0)
    scored = np.concatenate([case.scores for case in cases])
    truths = int(sum(case.visible.sum() for case in cases))
    return float(np.mean([average_precision(scored[use], hit[use], truths) for hit, use in zip(correct, counted)]))
