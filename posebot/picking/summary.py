"""Attempts as a table, as JSON and as a page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from posebot.core.files import write_atomic
from posebot.picking.attempt import LIFT
from posebot.picking.trial import Attempt

_STYLE = ("body{font:15px/1.5 system-ui,sans-serif;color:#2b3440;max-width:1000px;margin:2rem auto;padding:0 1rem}"
          "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
          "th,td{padding:.25rem .9rem .25rem 0;text-align:right;border-bottom:1px solid #eceff2}"
          "th:first-child,td:first-child{text-align:left}img{width:100%;border-radius:6px}.dim{color:#66707c}")
COLUMNS = ("sees", "views", "room mm", "picks", "success", "ok picks", "ok success", "why not")
_NAMES = {"rgbd": "RGB-D", "rgb": "RGB", "truth": "true pose"}


def summarise(attempts: Sequence[Attempt]) -> dict[str, Any]:
    """rows: one for each kind of camera, number of views and clearance; per_object: of the true pose and, for each
    kind of camera, after the most views, at the middle clearance."""
    groups: dict[tuple[str, int, float], list[Attempt]] = {}
    for attempt in attempts:
        groups.setdefault((attempt.sense, attempt.views, attempt.clearance_mm), []).append(attempt)
    rows = [{"sense": sense, "views": views, "clearance_mm": room, **_shares(groups[sense, views, room])}
            for sense, views, room in sorted(groups, key=lambda key: (key[0] != "truth", key[0] != "rgbd", *key[1:]))]
    return {"scenes": len({attempt.scene for attempt in attempts}), "rows": rows, "per_object": _per_object(attempts)}


def _shares(group: Sequence[Attempt]) -> dict[str, Any]:
    sure = [attempt for attempt in group if attempt.status == "ok"]
    return {"picks": len(group), "success": _success(group), "ok": len(sure), "ok_success": _success(sure),
            "failures": dict(Counter(attempt.outcome for attempt in group if attempt.outcome != "held"))}


def _per_object(attempts: Sequence[Attempt]) -> dict[str, dict[str, float | None]]:
    rooms = sorted({attempt.clearance_mm for attempt in attempts})
    most = max((attempt.views for attempt in attempts), default=0)
    chosen = [attempt for attempt in attempts if attempt.views in (0, most) and (
        attempt.sense != "truth" or attempt.clearance_mm == rooms[len(rooms) // 2])]
    return {label: {sense: _success([a for a in chosen if a.label == label and a.sense == sense])
                    for sense in _NAMES if any(a.sense == sense for a in chosen)}
            for label in sorted({attempt.label for attempt in chosen})}


def _success(group: Sequence[Attempt]) -> float | None:
    return sum(attempt.outcome == "held" for attempt in group) / len(group) if group else None


def lines(summary: dict[str, Any]) -> list[tuple[str, ...]]:
    """The rows as words, see `COLUMNS`."""
    return [(_NAMES[row["sense"]], str(row["views"] or "–"), f"{row['clearance_mm']:g}", str(row["picks"]),
             _percent(row["success"]), str(row["ok"]), _percent(row["ok_success"]),
             ", ".join(f"{count} {why}" for why, count in sorted(row["failures"].items()))) for row in summary["rows"]]


def write(folder: Path, subject: dict[str, Any], attempts: Sequence[Attempt], picture: str | None) -> dict[str, Any]:
    """picks.json and picks.html into `folder`; returns what picks.json holds besides the attempts."""
    report = {"subject": subject, **summarise(attempts)}
    everything = {**report, "attempts": [asdict(attempt) for attempt in attempts]}
    write_atomic(folder / "picks.json", json.dumps(everything, indent=1, allow_nan=False) + "\n")
    write_atomic(folder / "picks.html", _page(report, picture))
    return report


def _page(report: dict[str, Any], picture: str | None) -> str:
    labels = list(next(iter(report["per_object"].values()), {}))
    objects = [(label, *(_percent(values[sense]) for sense in labels))
               for label, values in report["per_object"].items()]
    still = f"<p><img src='{escape(picture)}' alt='one pick'></p>" if picture else ""
    name = escape(report["subject"]["bundle"])
    return (f"<!doctype html><html lang=en><meta charset=utf-8><title>Picks: {name}</title>"
            f"<style>{_STYLE}</style><body><h1>Simulated picks: {name}</h1>"
            f"<p class=dim>{report['scenes']} scenes. Success: after a lift of {100 * LIFT:.0f} cm and one second the "
            f"object is still between both fingers. Room: on each side of the object as the fingers come.</p>"
            f"{_table(COLUMNS, lines(report))}{still}<h2>Per object, all views</h2>"
            f"{_table(('object', *(_NAMES[sense] for sense in labels)), objects)}</body></html>\n")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr>{cells}</table>"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"
