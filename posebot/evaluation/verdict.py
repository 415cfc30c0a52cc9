"""The verdict of an evaluation: what came out, an object at a time, as counts and in plain words.

The words and limits are those of the verdict that training prints about its held-out images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from posebot.core.transforms import Array
from posebot.evaluation.certainty import CertaintyTable
from posebot.evaluation.localization import LocalizationTable
from posebot.evaluation.records import ImageRecord
from posebot.models.verdict import CORRECT, IN_SIGHT, NEAR

EXPLANATION = ("found: the centre is less than half a diameter off; right: no point of the object is off by 10 % of "
               "its diameter or more; in sight: at least half visible; ok: the poses that posebot says can be used; "
               "region90: radii within which position and rotation lie in 90 % of the cases, medians")
"""What the words of `sentence` mean."""


def count(rows: LocalizationTable, records: Sequence[ImageRecord], certainties: CertaintyTable | None,
          diameters: Array) -> dict[str, Any]:
    """The counts of some targets.

    Args:
        certainties: of the estimates of the same objects; None where the source claims no certainty. diameters: of the
            target's objects (N,), metres.
    Returns:
        targets, found, right, in_sight: numbers of targets. found_ok: those in sight whose estimate is ok.
        ok, ok_right: estimates, also of objects that are not there. These three are None without certainty.
        translation_mm, rotation_deg: medians of the right poses, None without any.
    """
    found = rows.shift < NEAR * diameters
    right = rows.error[:, 0] < CORRECT
    in_sight = rows.visib_fract >= IN_SIGHT
    ok = np.array([index >= 0 and records[frame].estimates[index].status == "ok"
                   for frame, index in zip(rows.frame, rows.estimate)], dtype=bool)
    median = np.median(rows.error[right][:, 2:], axis=0) if right.any() else None
    return {
        "targets": len(rows), "found": int(found.sum()), "right": int(right.sum()), "in_sight": int(in_sight.sum()),
        "found_ok": None if certainties is None else int((ok & in_sight).sum()),
        "ok": None if certainties is None else int(certainties.ok.sum()),
        "ok_right": None if certainties is None else int((certainties.ok & certainties.correct).sum()),
        "translation_mm": None if median is None else float(1000 * median[0]),
        "rotation_deg": None if median is None else float(np.degrees(median[1])),
    }


def sentence(label: str, counts: Mapping[str, Any], region90: Mapping[str, Any] | None) -> str:
    """One object in words. counts: of `count`. region90: of its ok poses (`certainty.summarize_certainty`)."""
    if not counts["targets"]:
        return f"{label}: no targets{_ok(counts)}"
    if not counts["found"]:
        return f"{label}: none of {counts['targets']} targets found{_ok(counts)}"
    parts = [f"{_share(counts['found'], counts['targets'])} of {counts['targets']} targets found",
             f"{_share(counts['right'], counts['targets'])} right"]
    if counts["right"]:
        parts[-1] += f" to {counts['translation_mm']:.1f} mm {counts['rotation_deg']:.1f}° (median)"
    return f"{label}: {', '.join(parts)}{_ok(counts)}{_region(region90)}"


def _ok(counts: Mapping[str, Any]) -> str:
    if counts["ok"] is None:
        return ""
    if not counts["ok"]:
        return f"; none of {counts['in_sight']} in sight ok"
    seen = counts["in_sight"]
    share = f" in {_share(counts['found_ok'], seen)} of {seen} in sight" if seen else ""
    return f"; ok{share}, right {counts['ok_right']} of {counts['ok']}"


def _region(region90: Mapping[str, Any] | None) -> str:
    if region90 is None:
        return ""
    both, number = region90["both"]["coverage"], region90["count"]
    return (f"; region90 of ok poses {region90['median_translation_mm']:.1f} mm "
            f"{region90['median_rotation_deg']:.1f}°, true in {round(both * number)} of {number} ({both:.0%})"
            ).replace("%", " %")


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %"
