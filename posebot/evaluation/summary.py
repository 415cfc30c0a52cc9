"""All figures of `report.json`, from the records of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array
from posebot.evaluation import box_detection, certainty, localization, pose_detection, verdict
from posebot.evaluation.localization import LocalizationTable
from posebot.evaluation.metrics import METRICS
from posebot.evaluation.records import ImageRecord
from posebot.models.verdict import NEAR

SCHEMA = 1
VISIBILITY_EDGES = (0.0, 0.3, 0.5, 0.7, 0.9, 1.0)


def bins(values: Array) -> list[tuple[str, NDArray[np.bool_]]]:
    """The visibility bins and which of the values (N,) lie in them; the last bin includes its upper end."""
    edges = [*VISIBILITY_EDGES[:-1], np.inf]
    names = [f"{low:.0%} to {high:.0%}" for low, high in pairwise(VISIBILITY_EDGES)]
    return [(name, (values >= low) & (values < high)) for name, low, high in zip(names, edges, edges[1:])]


def summarize(records: Sequence[ImageRecord], models: Mapping[int, ObjectModel],
              partial_truth: bool = False) -> dict[str, Any]:
    """The report's figures. Shares 0..1, lengths in mm, angles in degrees; None where a figure is undefined.

    Args:
        partial_truth: not all objects in the images are annotated: estimates of an object that an image's ground truth
            does not name are left out instead of counted as wrong.
    """
    rows = localization.localization_table(records, models)
    diameters = np.array([models[obj_id].diameter for obj_id in rows.obj_id.tolist()])
    certainties = certainty.certainty_table(records, models, not partial_truth)
    precision, precision_of = pose_detection.average_precisions(records, models)
    overall = localization.recalls(rows)
    with_absent = None
    if not partial_truth:
        with_absent = pose_detection.average_precisions(records, models, count_absent=True)[0]["AP"]
    seconds = [record.seconds for record in records if record.seconds is not None]
    report: dict[str, Any] = {
        "schema": SCHEMA, "frames": len(records), "targets": len(rows),
        "estimates": sum(len(record.estimates) for record in records), **overall, **precision, "metrics": list(METRICS),
        "AP_with_absent": with_absent,
        "counts": verdict.count(rows, records, certainties if len(certainties) else None, diameters),
        "median": _median(rows, models), "seconds_per_frame": float(np.mean(seconds)) if seconds else None,
        "detection": _detection(records, partial_truth), "certainty": _certainty(certainties),
        "notes": _notes(records, overall, partial_truth),
    }
    report["per_object"] = {}
    for obj_id in np.unique(np.concatenate([rows.obj_id, certainties.obj_id])).tolist():
        own, here = rows.rows(rows.obj_id == obj_id), certainties.rows(certainties.obj_id == obj_id)
        report["per_object"][str(obj_id)] = {
            "label": models[obj_id].label, "targets": len(own), **localization.recalls(own),
            "AP": precision_of.get(obj_id), "median": _median(own, models),
            "counts": verdict.count(own, records, here if len(certainties) else None,
                                    np.full(len(own), models[obj_id].diameter)),
            "certainty": certainty.summarize_certainty(here), "per_status": _per_status(here)}
    report["per_visibility"] = [
        {"visibility": name, "targets": int(here.sum()), **localization.recalls(rows.rows(here)),
         "median": _median(rows.rows(here), models)} for name, here in bins(rows.visib_fract)]
    return report


def _median(rows: LocalizationTable, models: Mapping[int, ObjectModel]) -> dict[str, float | None]:
    """Median errors over the targets; None where at least half of the targets were not found.

    An estimate whose centre is half a diameter off or more is of something else: its error says nothing of the pose.
    """
    if not len(rows):
        return dict.fromkeys(("MSSD_of_diameter", "MSPD_px", "translation_mm", "rotation_deg"))
    diameters = np.array([models[obj_id].diameter for obj_id in rows.obj_id.tolist()])
    found = (rows.shift < NEAR * diameters)[:, None]
    middle = np.median(np.where(found, rows.error, np.inf), axis=0) * (1, 1, 1000, 180 / np.pi)
    names = ("MSSD_of_diameter", "MSPD_px", "translation_mm", "rotation_deg")
    return {name: float(value) if np.isfinite(value) else None for name, value in zip(names, middle)}


def _detection(records: Sequence[ImageRecord], partial_truth: bool) -> dict[str, Any] | None:
    if not box_detection.has_boxes(records):
        return None
    obj_id, visib_fract, hit = box_detection.box_recall(records)
    targets = visib_fract >= box_detection.MIN_VISIBLE

    def recall(chosen: NDArray[np.bool_]) -> dict[str, Any]:
        return {"count": int(chosen.sum()), "recall": float(hit[chosen].mean()) if chosen.any() else None}

    return {**box_detection.mean_average_precision(records, not partial_truth), "recall_50": recall(targets)["recall"],
            "per_object": {str(int(number)): recall(targets & (obj_id == number)) for number in np.unique(obj_id)},
            "per_visibility": [{"visibility": name, **recall(here)} for name, here in bins(visib_fract)]}


def _certainty(table: certainty.CertaintyTable) -> dict[str, Any] | None:
    overall = certainty.summarize_certainty(table)
    if overall is None:
        return None
    per_bin = [{"visibility": name, "certainty": certainty.summarize_certainty(table.rows(here))}
               for name, here in bins(table.visib_fract)]
    kept, risk = certainty.risk_curve(table.p, table.correct)
    thin = np.unique(np.linspace(0, len(kept) - 1, 101).round().astype(int))
    return {**overall, "per_status": _per_status(table), "per_visibility": per_bin,
            "reliability": certainty.reliability(table.p, table.correct),
            "risk_curve": [[float(kept[i]), float(risk[i])] for i in thin]}


def _per_status(table: certainty.CertaintyTable) -> list[dict[str, Any]]:
    return [{"status": status, "certainty": certainty.summarize_certainty(table.rows(table.ok == ok))}
            for status, ok in (("ok", True), ("low_certainty", False))]


def _notes(records: Sequence[ImageRecord], overall: Mapping[str, float | None], partial_truth: bool) -> list[str]:
    notes = []
    if overall["VSD"] is None and overall["MSSD"] is not None:
        blind = sum(not record.depth for record in records)
        which = "The images have" if blind == len(records) else f"{blind} of {len(records)} images have"
        notes.append(f"{which} no depth images, so there is no VSD: AR is the mean of MSSD and MSPD, not comparable "
                     "with published AR.")
    if partial_truth:
        notes.append("Partial truth: estimates of objects that an image's ground truth does not name were left out.")
    return notes
