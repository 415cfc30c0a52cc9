"""From records to figures: everything that `report.json` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array
from posebot.evaluation import boxes, certainty, detection, localization
from posebot.evaluation.localization import Table
from posebot.evaluation.records import Record

SCHEMA = 1
VISIBILITY_EDGES = (0.0, 0.3, 0.5, 0.7, 0.9, 1.0)


def bins(values: Array) -> list[tuple[str, NDArray[np.bool_]]]:
    """The visibility bins and which of the values (N,) lie in them; the last one holds its upper end."""
    edges = [*VISIBILITY_EDGES[:-1], np.inf]
    names = [f"{low:.0%} to {high:.0%}" for low, high in pairwise(VISIBILITY_EDGES)]
    return [(name, (values >= low) & (values < high)) for name, low, high in zip(names, edges, edges[1:])]


def summarise(records: Sequence[Record], models: Mapping[int, ObjectModel],
              partial_truth: bool = False) -> dict[str, Any]:
    """The report's figures. Shares 0..1, lengths in mm, angles in degrees; None where something cannot be known.

    Args:
        partial_truth: the pictures show objects that are not annotated: estimates of an object that a picture's truth
            does not name are left out instead of being counted as wrong.
    """
    rows = localization.table(records, models)
    claims = certainty.claims(records, models, not partial_truth)
    precision, precision_of = detection.scores(records, models)
    overall = localization.scores(rows)
    seconds = [record.seconds for record in records if record.seconds is not None]
    report: dict[str, Any] = {
        "schema": SCHEMA, "frames": len(records), "targets": len(rows),
        "estimates": sum(len(record.estimates) for record in records), **overall, **precision,
        "AP_with_absent": None if partial_truth else detection.scores(records, models, absent_is_wrong=True)[0]["AP"],
        "median": _median(rows), "seconds_per_frame": float(np.mean(seconds)) if seconds else None,
        "detection": _detection(records, partial_truth), "certainty": _certainty(claims),
        "notes": _notes(records, overall, partial_truth),
    }
    report["per_object"] = {
        str(obj_id): {"label": models[obj_id].label, "targets": int((rows.obj_id == obj_id).sum()),
                      **localization.scores(rows.rows(rows.obj_id == obj_id)), "AP": precision_of.get(obj_id),
                      "median": _median(rows.rows(rows.obj_id == obj_id)),
                      "certainty": certainty.summary(claims.rows(claims.obj_id == obj_id))}
        for obj_id in np.unique(np.concatenate([rows.obj_id, claims.obj_id])).tolist()}
    report["per_visibility"] = [{"visibility": name, "targets": int(here.sum()), **localization.scores(rows.rows(here)),
                                 "median": _median(rows.rows(here))} for name, here in bins(rows.visib_fract)]
    return report


def _median(rows: Table) -> dict[str, float | None]:
    """Median errors over the targets; None where half of the targets or more were not found."""
    if not len(rows):
        return dict.fromkeys(("MSSD_of_diameter", "MSPD_px", "translation_mm", "rotation_deg"))
    middle = np.median(rows.error, axis=0) * (1, 1, 1000, 180 / np.pi)
    names = ("MSSD_of_diameter", "MSPD_px", "translation_mm", "rotation_deg")
    return {name: float(value) if np.isfinite(value) else None for name, value in zip(names, middle)}


def _detection(records: Sequence[Record], partial_truth: bool) -> dict[str, Any] | None:
    if not boxes.has_boxes(records):
        return None
    obj_id, visib_fract, hit = boxes.found(records)
    asked = visib_fract >= boxes.MIN_VISIBLE

    def recall(chosen: NDArray[np.bool_]) -> dict[str, Any]:
        return {"count": int(chosen.sum()), "recall": float(hit[chosen].mean()) if chosen.any() else None}

    return {**boxes.mean_average_precision(records, not partial_truth), "recall_50": recall(asked)["recall"],
            "per_object": {str(int(number)): recall(asked & (obj_id == number)) for number in np.unique(obj_id)},
            "per_visibility": [{"visibility": name, **recall(here)} for name, here in bins(visib_fract)]}


def _certainty(claims: certainty.Claims) -> dict[str, Any] | None:
    overall = certainty.summary(claims)
    if overall is None:
        return None
    per_bin = [{"visibility": name, "certainty": certainty.summary(claims.rows(here))}
               for name, here in bins(claims.visib_fract)]
    kept, risk = certainty.risk_curve(claims.p, claims.correct)
    thin = np.unique(np.linspace(0, len(kept) - 1, 101).round().astype(int))
    per_status = [{"status": status, "certainty": certainty.summary(claims.rows(claims.ok == ok))}
                  for status, ok in (("ok", True), ("low_certainty", False))]
    return {**overall, "per_status": per_status, "per_visibility": per_bin,
            "reliability": certainty.reliability(claims.p, claims.correct),
            "risk_curve": [[float(kept[i]), float(risk[i])] for i in thin]}


def _notes(records: Sequence[Record], overall: Mapping[str, float | None], partial_truth: bool) -> list[str]:
    notes = []
    if overall["VSD"] is None and overall["MSSD"] is not None:
        blind = sum(not record.depth for record in records)
        which = "The pictures have" if blind == len(records) else f"{blind} of {len(records)} pictures have"
        notes.append(f"{which} no depth images, so there is no VSD: AR is the mean of MSSD and MSPD, not comparable "
                     "with published AR.")
    if partial_truth:
        notes.append("Partial truth: estimates of objects that a picture's truth does not name were left out.")
    return notes
