"""The default folder of a report: one for each way of judging."""

from __future__ import annotations

from pathlib import Path

import pytest

from posebot.evaluation.report_folder import first_usable, folder_name
from posebot.evaluation.worker import EvaluationSplit

DATA = Path("/data/part")


@pytest.mark.parametrize(("split", "source", "settings", "name"), [
    (EvaluationSplit(DATA, "test"), "kit", None, "part-test-kit-rgbd"),
    (EvaluationSplit(DATA, "test", depth=False), "kit", None, "part-test-kit-rgb"),
    (EvaluationSplit(DATA, "test", shifted=True), "kit", None, "part-test-kit-rgbd-shifted"),
    (EvaluationSplit(DATA, "test", depth=False, shifted=True), "kit", None, "part-test-kit-rgb-shifted"),
    (EvaluationSplit(DATA, "val", objects=(1, 5)), "bundles/part.v2", None, "part-val-part.v2-rgbd-objects-1-5"),
    (EvaluationSplit(DATA, "test"), "part.zip", "cfg/fast.yaml", "part-test-part-rgbd-fast"),
    (EvaluationSplit(DATA, "test"), "other_part-test.csv", None, "part-test-other_part-test"),
])
def test_every_way_of_judging_has_its_own(split: EvaluationSplit, source: str, settings: str | None,
                                          name: str) -> None:
    assert folder_name(split, Path(source), None if settings is None else Path(settings)) == name


def test_another_evaluation_of_the_same_name_gets_a_number(tmp_path: Path) -> None:
    taken = {tmp_path / "a", tmp_path / "a-2"}
    assert first_usable(tmp_path / "b", lambda folder: folder not in taken) == tmp_path / "b"
    assert first_usable(tmp_path / "a", lambda folder: folder not in taken) == tmp_path / "a-3"
