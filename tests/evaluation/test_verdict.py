"""The verdict in words, and which images are left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_bop_dataset import make_dataset

from posebot.datasets.bop import TARGETS, BopDataset, ImageKey
from posebot.evaluation.left_out import LeftOut, left_out
from posebot.evaluation.terms import TERMS
from posebot.evaluation.verdict import sentence

COUNTS = {"targets": 62, "found": 60, "right": 57, "in_sight": 52, "found_ok": 31, "ok": 33, "ok_right": 32,
          "translation_mm": 1.24, "rotation_deg": 0.41}
REGION = {"count": 33, "both": {"coverage": 30 / 33}, "median_translation_mm": 2.1, "median_rotation_deg": 1.3}


@pytest.mark.parametrize(("counts", "region", "said"), [
    ({}, REGION, "panel: 97 % of 62 targets found, 92 % right to 1.2 mm 0.4° (median); ok in 60 % of 52 in sight, "
                 "right 32 of 33; region90 of ok poses 2.1 mm 1.3°, true in 30 of 33 (91 %)"),
    ({"ok": 0, "ok_right": 0, "found_ok": 0}, None,
     "panel: 97 % of 62 targets found, 92 % right to 1.2 mm 0.4° (median); none of 52 in sight ok"),
    ({"ok": None, "ok_right": None, "found_ok": None}, None,
     "panel: 97 % of 62 targets found, 92 % right to 1.2 mm 0.4° (median)"),
    ({"right": 0, "translation_mm": None, "rotation_deg": None, "ok": 0}, None,
     "panel: 97 % of 62 targets found, 0 % right; none of 52 in sight ok"),
    ({"found": 0, "ok": 0}, None, "panel: none of 62 targets found; none of 52 in sight ok"),
    ({"targets": 0, "in_sight": 0, "ok": 2, "ok_right": 0}, None, "panel: no targets; ok, right 0 of 2"),
])
def test_in_words(counts: dict[str, Any], region: dict[str, Any] | None, said: str) -> None:
    assert sentence("panel", {**COUNTS, **counts}, region) == said


@pytest.mark.parametrize(("missing", "said"), [
    (LeftOut(60), None),
    (LeftOut(60, empty=2, hidden=4),
     "54 of 60 images are judged: 4 with no object that is at least 10 % visible, 2 with none of the objects"),
    (LeftOut(60, unlisted=10), "50 of 60 images are judged: 10 not in test_targets_bop19.json")])
def test_left_out_in_words(missing: LeftOut, said: str | None) -> None:
    assert missing.describe() == said


def test_why_images_are_left_out(tmp_path: Path) -> None:
    dataset = BopDataset(make_dataset(tmp_path), "test")
    judged = {target.key for target in dataset.targets()}
    assert left_out(dataset, judged) == LeftOut(4, empty=1)
    assert left_out(dataset, judged - {ImageKey(1, 1)}) == LeftOut(4, empty=1, hidden=1)
    cans = {target.key for target in dataset.targets() if target.obj_id == 2}
    assert left_out(dataset, cans, [2]) == LeftOut(4, empty=2)
    (tmp_path / TARGETS).write_text('[{"scene_id": 1, "im_id": 0, "obj_id": 1, "inst_count": 1}]')
    assert left_out(dataset, {ImageKey(1, 0)}) == LeftOut(4, unlisted=3)


def test_terms_are_short() -> None:
    assert all(len(meaning) < 130 and not meaning.endswith(".") for meaning in TERMS.values())
