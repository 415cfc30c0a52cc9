"""The report of an evaluation: report.json, and report.html for people."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from posebot.evaluation.records import Record
from posebot.evaluation.summary import summarise
from posebot.evaluation.worker import Split

JSON_FILE = "report.json"


def write_report(out: Path, split: Split, records: Sequence[Record], subject: dict[str, Any],
                 partial_truth: bool = False) -> dict[str, Any]:
    """Score the records and write the report into `out`; returns what report.json holds. subject: what was judged."""
    figures = {"subject": subject, **summarise(records, split.open().objects, partial_truth)}
    _write(out / JSON_FILE, json.dumps(figures, indent=2, allow_nan=False) + "\n")
    return figures


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
