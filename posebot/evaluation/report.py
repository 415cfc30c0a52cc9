"""The report of an evaluation: report.json for programs, report.html for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from posebot.core.files import write_atomic
from posebot.evaluation.localization import table
from posebot.evaluation.page import page
from posebot.evaluation.records import Record
from posebot.evaluation.summary import summarise
from posebot.evaluation.worker import Split
from posebot.evaluation.worst import worst_cases

JSON_FILE, HTML_FILE = "report.json", "report.html"


def write_report(out: Path, split: Split, records: Sequence[Record], subject: dict[str, Any],
                 partial_truth: bool = False) -> dict[str, Any]:
    """Score the records and write the report into `out`; returns what report.json holds. subject: what was judged."""
    dataset = split.open()
    report = {"subject": subject, **summarise(records, dataset.objects, partial_truth)}
    write_atomic(out / JSON_FILE, json.dumps(report, indent=2, allow_nan=False) + "\n")
    rows = table(records, dataset.objects)
    write_atomic(out / HTML_FILE, page(report, rows, worst_cases(dataset, records, rows)))
    return report
