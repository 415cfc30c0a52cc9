"""Report of the pick benchmark: table, picks.json and picks.html (layout: `templates/picks.html.j2`)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from posebot.core.files import write_atomic
from posebot.evaluation.html import render
from posebot.picking.benchmark import PickAttempt
from posebot.picking.grasp_execution import LIFT

TEMPLATES = Path(__file__).parent / "templates"
COLUMNS = ("input", "views", "clearance mm", "picks", "success", "ok picks", "ok success", "failures")
_NAMES = {"rgbd": "RGB-D", "rgb": "RGB", "truth": "true pose"}


def summarise(attempts: Sequence[PickAttempt]) -> dict[str, Any]:
    """Summary of all attempts.

    Returns:
        `scenes`: their number. `rows`: success rates by modality, number of views and clearance. `per_object`: success
        rates with true poses and, by modality, after the most views, at the median clearance.
    """
    groups: dict[tuple[str, int, float], list[PickAttempt]] = {}
    for attempt in attempts:
        groups.setdefault((attempt.modality, attempt.views, attempt.clearance_mm), []).append(attempt)
    order = sorted(groups, key=lambda key: (key[0] != "truth", key[0] != "rgbd", *key[1:]))
    rows = [{"modality": modality, "views": views, "clearance_mm": clearance,
             **_statistics(groups[modality, views, clearance])} for modality, views, clearance in order]
    return {"scenes": len({attempt.scene for attempt in attempts}), "rows": rows, "per_object": _per_object(attempts)}


def _statistics(group: Sequence[PickAttempt]) -> dict[str, Any]:
    confident = [attempt for attempt in group if attempt.status == "ok"]
    return {"picks": len(group), "success": _success(group), "ok": len(confident), "ok_success": _success(confident),
            "failures": dict(Counter(attempt.outcome for attempt in group if attempt.outcome != "held"))}


def _per_object(attempts: Sequence[PickAttempt]) -> dict[str, dict[str, float | None]]:
    clearances = sorted({attempt.clearance_mm for attempt in attempts})
    max_views = max((attempt.views for attempt in attempts), default=0)
    selected = [attempt for attempt in attempts if attempt.views in (0, max_views) and (
        attempt.modality != "truth" or attempt.clearance_mm == clearances[len(clearances) // 2])]
    return {label: {modality: _success([a for a in selected if a.label == label and a.modality == modality])
                    for modality in _NAMES if any(a.modality == modality for a in selected)}
            for label in sorted({attempt.label for attempt in selected})}


def _success(group: Sequence[PickAttempt]) -> float | None:
    return sum(attempt.outcome == "held" for attempt in group) / len(group) if group else None


def table_rows(summary: dict[str, Any]) -> list[tuple[str, ...]]:
    """The rows of the summary as text, by `COLUMNS`."""
    return [(_NAMES[row["modality"]], str(row["views"] or "–"), f"{row['clearance_mm']:g}", str(row["picks"]),
             _percent(row["success"]), str(row["ok"]), _percent(row["ok_success"]),
             ", ".join(f"{count} {reason}" for reason, count in sorted(row["failures"].items())))
            for row in summary["rows"]]


def write_report(
    folder: Path, subject: dict[str, Any], attempts: Sequence[PickAttempt], image: str | None
) -> dict[str, Any]:
    """Write picks.json and picks.html to `folder`.

    Args:
        subject: bundle, version and settings. image: file name of the recorded pick, in the same folder.

    Returns:
        The content of picks.json without the attempts.
    """
    report = {"subject": subject, **summarise(attempts)}
    content = {**report, "attempts": [asdict(attempt) for attempt in attempts]}
    write_atomic(folder / "picks.json", json.dumps(content, indent=1, allow_nan=False) + "\n")
    write_atomic(folder / "picks.html", _page(report, image))
    return report


def _page(report: dict[str, Any], image: str | None) -> str:
    per_object = report["per_object"]
    modalities = list(next(iter(per_object.values()), {}))
    return render("picks.html.j2", {
        "name": report["subject"]["bundle"], "scenes": report["scenes"], "lift_cm": f"{100 * LIFT:.0f}", "image": image,
        "columns": COLUMNS, "rows": table_rows(report),
        "object_columns": ("object", *(_NAMES[modality] for modality in modalities)),
        "object_rows": [(label, *(_percent(values[modality]) for modality in modalities))
                        for label, values in per_object.items()],
    }, TEMPLATES)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"
