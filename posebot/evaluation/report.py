"""The report of an evaluation: report.json for programs, report.html for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from posebot.core.files import write_atomic
from posebot.datasets.bop import ImageKey
from posebot.evaluation.failure_cases import failure_cases
from posebot.evaluation.left_out import left_out
from posebot.evaluation.localization import localization_table
from posebot.evaluation.records import ImageRecord
from posebot.evaluation.report_page import report_page
from posebot.evaluation.seen_before import warning
from posebot.evaluation.summary import summarize
from posebot.evaluation.suspected_symmetry import suspected_symmetries
from posebot.evaluation.verdict import sentence
from posebot.evaluation.worker import EvaluationSplit, true_poses

JSON_FILE, HTML_FILE = "report.json", "report.html"


def write_report(out: Path, split: EvaluationSplit, records: Sequence[ImageRecord], subject: dict[str, Any],
                 partial_truth: bool = False) -> dict[str, Any]:
    """Compute all figures and write both files into `out`; returns the content of report.json.

    Args:
        subject: what was evaluated, plain JSON. partial_truth: see `summarize`.
    """
    dataset = split.open()
    report = {"subject": subject, **summarize(records, dataset.objects, partial_truth)}
    targets = localization_table(records, dataset.objects)
    truths = [np.array(true_poses(dataset, ImageKey.of(record.frame_id))) for record in records]
    suspected = suspected_symmetries(records, targets, truths, dataset.objects)
    for obj_id, row in report["per_object"].items():
        found = suspected.get(int(obj_id))
        row["suspected_symmetry"] = None if found is None else found.to_dict()
    missing = left_out(dataset, split.targets().keys(), split.objects)
    warnings = [warning(subject["seen"], split.root.resolve().name, split.name)] if subject.get("seen") else []
    report |= {"left_out": asdict(missing), "verdict": verdict_lines(report),
               "suspected": [found.describe(dataset.objects[obj_id].label) for obj_id, found in suspected.items()],
               "notes": [*warnings, *([said] if (said := missing.describe()) else []), *report["notes"]]}
    write_atomic(out / JSON_FILE, json.dumps(report, indent=2, allow_nan=False) + "\n")
    write_atomic(out / HTML_FILE, report_page(report, targets, failure_cases(dataset, records, targets)))
    return report


def verdict_lines(report: Mapping[str, Any]) -> list[str]:
    """A sentence for all objects, where there are several, and one for each."""
    rows = list(report["per_object"].values())
    certainty = report["certainty"]
    lines = [sentence(row["label"], row["counts"], _ok_region(row["per_status"])) for row in rows]
    overall = sentence("all", report["counts"], _ok_region(certainty["per_status"] if certainty else []))
    return [overall, *lines] if len(rows) > 1 else lines


def _ok_region(per_status: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    found = next((row["certainty"] for row in per_status if row["status"] == "ok"), None)
    region: Mapping[str, Any] | None = None if found is None else found["region90"]
    return region
