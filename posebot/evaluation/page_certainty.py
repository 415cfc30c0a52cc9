"""The part of report.html that asks whether stated certainty comes true."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from posebot.evaluation import charts
from posebot.evaluation.html import covered, percent, plain, table

_HEAD = ("", "poses", "right %", "stated %", "ECE", "Brier", "wrong, surer half %", "inside region90", "mm", "degrees")


def trust(report: Mapping[str, Any]) -> str:
    """The section, as HTML. report: what report.json holds."""
    sure = report["certainty"]
    if sure is None:
        return "<p class=dim>Nothing was claimed: a csv tells no certainty.</p>"
    text = charts.draw([charts.reliability(sure["reliability"]), charts.risk_coverage(sure["risk_curve"])], 4.2, 3.2)
    return text + "".join(f"<p>{escape(line)}</p>" for line in _lines(sure)) + _levels(sure) + _parts(report)


def _lines(sure: Mapping[str, Any]) -> list[str]:
    risk = ", ".join(f"{percent(value)} % {'of all' if kept == '100%' else f'of the surest {kept}'}"
                     for kept, value in sure["risk"].items())
    lines = [f"{sure['count']} poses, {percent(sure['correct'])} % right (MSSD under 10 % of the diameter); stated on "
             f"average {percent(sure['mean_p'])} %. ECE {sure['ECE']:.3f}, Brier {sure['Brier']:.3f}, "
             f"log loss {sure['log_loss']:.3f}. Wrong poses: {risk}."]
    if (region := sure["region90"]) is not None:
        lines.append(f"region90: position alone {covered(region['translation'])}, attitude alone "
                     f"{covered(region['rotation'])}; counting estimates of what is not there "
                     f"{covered(region['both_with_absent'])}.")
    if (others := sure["alternatives"]) is not None:
        lines.append(f"Beside {others['count']} poses at the right place (within half a diameter) others are listed, "
                     f"{others['listed']:.1f} on average: the pose is right in {percent(others['correct'])} % of these "
                     f"cases, it or one of those listed in {percent(others['correct_or_listed'])} %.")
    return lines


def _levels(sure: Mapping[str, Any]) -> str:
    """How often regions and ellipsoids made for several shares hold the truth."""
    region, cloud = sure["region90"], sure["covariance"]
    if region is None and cloud is None:
        return ""
    levels = (region["levels"] if region is not None else cloud["coverage"]).keys()
    rows = [(False, [f"made for {level}", covered(region["levels"][level]) if region is not None else "–",
                     covered(cloud["coverage"][level]) if cloud is not None else "–"]) for level in levels]
    heads = (f"region of {region['count'] if region else 0} poses holds",
             f"covariance of {cloud['count'] if cloud else 0} right poses holds")
    note = "" if cloud is None else f"<p class=dim>NLL of the right poses {plain(cloud['NLL'])} nats.</p>"
    return table(("", *heads), rows) + note


def _parts(report: Mapping[str, Any]) -> str:
    """Certainty for each status, object and visibility bin."""
    parts = [(row["status"].replace("_", " "), row["certainty"]) for row in report["certainty"]["per_status"]]
    parts += [(row["label"], row["certainty"]) for row in report["per_object"].values()]
    parts += [(f"visible {row['visibility']}", row["certainty"]) for row in report["certainty"]["per_visibility"]]
    return table(_HEAD, [(False, _cells(label, sure)) for label, sure in parts if sure is not None])


def _cells(label: str, sure: Mapping[str, Any]) -> list[str]:
    cells = [label, str(sure["count"]), percent(sure["correct"]), percent(sure["mean_p"]), plain(sure["ECE"], 3),
             plain(sure["Brier"], 3), percent(sure["risk"]["50%"])]
    if (region := sure["region90"]) is None:
        return [*cells, "–", "–", "–"]
    sizes = plain(region["median_translation_mm"]), plain(region["median_rotation_deg"])
    return [*cells, covered(region["both"]), *sizes]
