"""report.html: one file that needs nothing else, charts as SVG and pictures inside it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import Any

from posebot.core.errors import PosebotError
from posebot.evaluation import charts, published
from posebot.evaluation.html import percent, plain, table
from posebot.evaluation.localization import MSPD_THRESHOLDS, MSSD_THRESHOLDS, Table
from posebot.evaluation.page_certainty import trust
from posebot.evaluation.worst import Case

_STYLE = """
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, sans-serif; color: #2b3440; background: #fff; max-width: 1080px; margin: 2rem auto;
  padding: 0 1rem }
details { margin: -.4rem 0 1rem } h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.15rem; margin: 2.4rem 0 .6rem }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.2rem 0 }
.tile { border: 1px solid #dfe3e8; border-radius: 8px; padding: .5rem 1rem; min-width: 5.5rem }
.tile b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums } .tile span, .dim { color: #66707c }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem }
th, td { padding: .25rem .8rem .25rem 0; text-align: right; border-bottom: 1px solid #eceff2 }
th:first-child, td:first-child, .words td:nth-child(2), .words th:nth-child(2) { text-align: left }
th { color: #66707c; font-weight: 600 } tr.own { background: #eef5fb; font-weight: 600 }
.scroll { overflow-x: auto } svg { max-width: 100%; height: auto }
.cases { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 1rem }
figure { margin: 0 } figure img { width: 100%; border-radius: 6px; display: block } figcaption { font-size: .85rem }
.note { border-left: 3px solid #d1722a; padding: .2rem .8rem; background: #fdf6f0; margin: .4rem 0 }
"""
_GLOSSARY = (
    "<details class=dim><summary>What these figures are</summary><p>AR: mean of the recalls VSD (visible surface), "
    "MSSD (surface) and MSPD (pixels), each over ten thresholds, BOP19. ADD: found with a mean distance under 10 % of "
    "the diameter (ADD-S if symmetric). AP: precision of 6-D detection, BOP24. Medians are over all targets. Found in "
    "2-D: a box of the right class with an overlap of half. ECE: how far stated probabilities are from what came true."
    "</p></details>")


def page(report: dict[str, Any], targets: Table, cases: Sequence[Case]) -> str:
    """The whole page. report: what report.json holds."""
    subject = report["subject"]
    name = subject.get("bundle") or subject["estimates"]
    where = f"{subject['dataset'].replace(chr(92), '/').rstrip('/').rpartition('/')[2]} / {subject['split']}"
    body = [
        f"<h1>{escape(name)} on {escape(where)}</h1>", _subtitle(report), _tiles(report), _GLOSSARY,
        *(f"<p class=note>{escape(note)}</p>" for note in report["notes"]),
        "<h2>Beside published systems</h2>", _beside(report, name, where),
        "<h2>How precise</h2>", _curves(targets),
        "<h2>Per object</h2>", _objects(report),
        "<h2>Per visibility</h2>", _visibility(report),
        "<h2>What makes it hard</h2>", _hard(targets),
        "<h2>Can the certainty be trusted?</h2>", trust(report),
        "<h2>The worst cases</h2>", _cases(cases),
    ]
    head = (f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
            f"<title>{escape(name)} on {escape(where)}</title><style>{_STYLE}</style>")
    return f"{head}<body>{''.join(body)}</body></html>\n"


def _subtitle(report: dict[str, Any]) -> str:
    seconds = report["seconds_per_frame"]
    pace = "" if seconds is None else f", {seconds:.3f} s a picture"
    return (f"<p class=dim>{_seen(report['subject'])}{report['frames']} pictures, {report['targets']} targets, "
            f"{report['estimates']} estimates{pace}. Recalls and precisions in %.</p>")


def _seen(subject: dict[str, Any]) -> str:
    """What a bundle was shown; nothing for a csv."""
    if "depth" not in subject:
        return ""
    shifted = ", shifted: darker, noisier, another camera" if subject.get("shifted") else ""
    return f"{'With depth where there is any' if subject['depth'] else 'Colour alone'}{shifted}. "


def _tiles(report: dict[str, Any]) -> str:
    shown = [(name, percent(report[name])) for name in ("AR", "VSD", "MSSD", "MSPD", "ADD", "AP")]
    median = report["median"]
    shown += [("median mm", plain(median["translation_mm"])), ("degrees", plain(median["rotation_deg"]))]
    if report["detection"]:
        shown.append(("found in 2-D", percent(report["detection"]["recall_50"])))
    if report["certainty"]:
        shown.append(("ECE", f"{report['certainty']['ECE']:.3f}"))
    tiles = (f"<div class=tile><b>{value}</b><span>{name}</span></div>" for name, value in shown)
    return f"<div class=tiles>{''.join(tiles)}</div>"


def _beside(report: dict[str, Any], name: str, where: str) -> str:
    column = published.column_of(where)
    exact = report["VSD"] is not None
    figure = percent(report["AR"]) + ("" if exact or report["AR"] is None else " *")
    own = [figure if column == name_of else "–" for name_of in ("lmo", "tless", "ycbv")]
    rows = [(True, [name, "this report", *own, "–", plain(report["seconds_per_frame"], 2)])]
    rows += [(False, [s.system, s.sees, *map(plain, (s.lmo, s.tless, s.ycbv, s.mean)), s.seconds])
             for s in published.SYSTEMS]
    text = table(("AR", "sees", "LM-O", "T-LESS", "YCB-V", "mean of 7", "s / picture"), rows, "words")
    hint = ("Published figures are AR with VSD over whole test sets, timed mostly on a GPU. They show what can be "
            "reached, and compare only with a report on the same pictures with depth.")
    star = "" if exact or column is None else " * Without VSD."
    return f"{text}<p class=dim>{hint}{star}</p>"


def _curves(targets: Table) -> str:
    if not len(targets):
        return "<p class=dim>No targets.</p>"
    return charts.draw([
        charts.recall_curve("MSSD", "threshold, diameters", targets.error[:, 0], 0.5, MSSD_THRESHOLDS),
        charts.recall_curve("MSPD", "threshold, pixels at 640 wide", targets.error[:, 1], 50, MSPD_THRESHOLDS),
        charts.recall_curve("ADD(-S)", "threshold, mm", 1000 * targets.add_error, 100, targets.add_error[:0]),
    ])


def _objects(report: dict[str, Any]) -> str:
    rows = list(report["per_object"].values())
    if not rows:
        return "<p class=dim>No objects.</p>"
    series = {key: [row[key] for row in rows] for key in ("MSSD", "MSPD", "ADD")}
    picture = charts.draw([charts.bars("", [row["label"] for row in rows], series)], 7.5, 0.7 + 0.36 * len(rows))
    names = ("AR", "VSD", "MSSD", "MSPD", "ADD", "ADD_AUC", "AP")
    return picture + table(("object", "targets", *names, "mm", "degrees"), [
        (False, [row["label"], str(row["targets"]), *(percent(row[name]) for name in names),
                 plain(row["median"]["translation_mm"]), plain(row["median"]["rotation_deg"])]) for row in rows])


def _visibility(report: dict[str, Any]) -> str:
    names = ("AR", "VSD", "MSSD", "MSPD", "ADD")
    boxes = (report["detection"] or {}).get("per_visibility", [None] * len(report["per_visibility"]))
    return table(("visible", "targets", *names, "found in 2-D", "mm", "degrees"), [
        (False, [row["visibility"], str(row["targets"]), *(percent(row[name]) for name in names),
                 percent(box["recall"] if box else None), plain(row["median"]["translation_mm"]),
                 plain(row["median"]["rotation_deg"])]) for row, box in zip(report["per_visibility"], boxes)])


def _hard(targets: Table) -> str:
    if not len(targets):
        return ""
    return charts.draw([
        charts.scatter("Error against visibility", "visible share", targets.visib_fract, targets.error[:, 0]),
        charts.scatter("Error against distance", "distance, m", targets.distance_m, targets.error[:, 0]),
    ], 4.6, 3.0)


def _cases(cases: Sequence[Case]) -> str:
    if not cases:
        return "<p class=dim>None: every target was found with less than 10 % of its diameter of error.</p>"
    figures = [
        f"<figure><img alt='' src='data:image/jpeg;base64,{_jpeg(case)}'><figcaption><b>{escape(case.label)}</b> "
        f"<span class=dim>{escape(case.frame_id)}</span><br>{escape(case.what)}</figcaption></figure>"
        for case in cases]
    hint = "Truth green, estimate red; sure and wrong first, then what was not found."
    return f"<p class=dim>{hint}</p><div class=cases>{''.join(figures)}</div>"


def _jpeg(case: Case) -> str:
    import cv2

    done, data = cv2.imencode(".jpg", case.picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not done:
        raise PosebotError(f"{case.frame_id}: the picture could not be encoded")
    return base64.b64encode(data.tobytes()).decode()
