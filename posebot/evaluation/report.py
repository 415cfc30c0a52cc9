"""The report of an evaluation: report.json for programs, report.html for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from posebot.core.files import write_atomic
from posebot.evaluation.failure_cases import failure_cases
from posebot.evaluation.localization import localization_table
from posebot.evaluation.records import ImageRecord
from posebot.evaluation.report_page import report_page
from posebot.evaluation.summary import summarize
from posebot.evaluation.worker import EvaluationSplit

JSON_FILE, HTML_FILE = "report.json", "report.html"


def write_report(out: Path, split: EvaluationSplit, records: Sequence[ImageRecord], subject: dict[str, Any],
                 partial_truth: bool = False) -> dict[str, Any]:
    """Compute all figures and write both files into `out`; returns the content of report.json.

    Args:
        subject: what was evaluated, plain JSON. partial_truth: see `summarize`.
    """
    dataset = split.open()
    report = {"subject": subject, **summarize(records, dataset.objects, partial_truth)}
    write_atomic(out / JSON_FILE, json.dumps(report, indent=2, allow_nan=False) + "\n")
    targets = localization_table(records, dataset.objects)
    write_atomic(out / HTML_FILE, report_page(report, targets, failure_cases(dataset, records, targets)))
    return report
