"""report.html: one self-contained file with charts as SVG and embedded images. Layout: `templates/report.html.j2`."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import PureWindowsPath
from typing import Any

from posebot.core.errors import PosebotError
from posebot.evaluation import charts
from posebot.evaluation.failure_cases import FailureCase
from posebot.evaluation.html import render
from posebot.evaluation.localization import LocalizationTable
from posebot.evaluation.metrics.mspd import MSPD_THRESHOLDS
from posebot.evaluation.metrics.mssd import MSSD_THRESHOLDS
from posebot.evaluation.published_results import PUBLISHED_RESULTS, dataset_column
from posebot.evaluation.terms import TERMS
from posebot.evaluation.verdict import EXPLANATION


def report_page(report: dict[str, Any], targets: LocalizationTable, cases: Sequence[FailureCase]) -> str:
    """The page. report: the content of report.json."""
    from markupsafe import Markup

    subject = report["subject"]
    dataset = PureWindowsPath(subject["dataset"]).name
    column = dataset_column(dataset) if subject["split"].startswith("test") else None
    figures = {name: Markup(svg) for name, svg in _charts(report, targets).items()}
    return render("report.html.j2", {
        "report": report, "name": _name(subject), "subject_line": subject_line(subject), "explanation": EXPLANATION,
        "terms": TERMS, "dataset_column": column, "published": PUBLISHED_RESULTS, "charts": figures,
        "metrics": report["metrics"], "area_metrics": _area_metrics(report),
        "certainty_groups": _certainty_groups(report) if report["certainty"] else [],
        "box_recalls": (report["detection"] or {}).get("per_visibility", [None] * len(report["per_visibility"])),
        "cases": [{"case": case, "jpeg": _jpeg(case)} for case in cases]})


def subject_line(subject: Mapping[str, Any]) -> str:
    """What was evaluated, such as "kit 0.4.1 on part / test, with depth"."""
    words = [f"{_name(subject)} on {PureWindowsPath(subject['dataset']).name} / {subject['split']}"]
    if "depth" in subject:
        words.append("with depth" if subject["depth"] else "colour alone")
    if subject.get("shifted"):
        words.append("with domain shift (darker, noisier, another camera)")
    return ", ".join(words)


def _name(subject: Mapping[str, Any]) -> str:
    return str(subject.get("bundle") or subject["estimates"])


def _area_metrics(report: Mapping[str, Any]) -> list[str]:
    """Names of metrics and of their areas under the curve, in the order of the report."""
    names = [[name, f"{name}_AUC"] for name in report["metrics"]]
    return [name for pair in names for name in pair if name in report]


def _charts(report: Mapping[str, Any], targets: LocalizationTable) -> dict[str, str]:
    found: dict[str, str] = {}
    if len(targets):
        add = targets.matched_error["ADD"]
        found["curves"] = charts.draw([
            charts.recall_curve("MSSD", "threshold, diameters", targets.error[:, 0], 0.5, MSSD_THRESHOLDS),
            charts.recall_curve("MSPD", "threshold, pixels at width 640", targets.error[:, 1], 50, MSPD_THRESHOLDS),
            charts.recall_curve("ADD(-S)", "threshold, mm", 1000 * add, 100, add[:0])])
        found["difficulty"] = charts.draw([
            charts.scatter("Error against visibility", "visible fraction", targets.visib_fract, targets.error[:, 0]),
            charts.scatter("Error against distance", "distance, m", targets.distance_m, targets.error[:, 0])], 4.6, 3.0)
    if rows := list(report["per_object"].values()):
        series = {key: [row[key] for row in rows] for key in ("MSSD", "MSPD", "ADD")}
        bars = charts.bars("", [row["label"] for row in rows], series)
        found["objects"] = charts.draw([bars], 7.5, 0.7 + 0.36 * len(rows))
    if (certainty := report["certainty"]) is not None:
        found["certainty"] = charts.draw([charts.reliability(certainty["reliability"]),
                                          charts.risk_coverage(certainty["risk_curve"])], 4.2, 3.2)
    return found


def _certainty_groups(report: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Certainty by status, object and visibility bin."""
    groups = [(row["status"].replace("_", " "), row["certainty"]) for row in report["certainty"]["per_status"]]
    groups += [(row["label"], row["certainty"]) for row in report["per_object"].values()]
    groups += [(f"visible {row['visibility']}", row["certainty"]) for row in report["certainty"]["per_visibility"]]
    return [(label, certainty) for label, certainty in groups if certainty is not None]


def _jpeg(case: FailureCase) -> str:
    """The image of a case as base64."""
    import cv2

    done, data = cv2.imencode(".jpg", case.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not done:
        raise PosebotError(f"{case.frame_id}: the image cannot be encoded")
    return base64.b64encode(data.tobytes()).decode()
