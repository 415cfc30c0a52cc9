"""tools/stage_score.py: what counts as found, and the recalls."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from posebot.stages.detect import Detection

_BOX, _BESIDE, _FAR = (np.array([left, 0.0, left + 10, 10]) for left in (0.0, 2.0, 50.0))


def _found(*boxes: tuple[int, float, np.ndarray]) -> list[tuple[int, Detection]]:
    return [(obj_id, Detection(0, score, box)) for obj_id, score, box in boxes]


def test_an_instance_is_found_once_and_by_its_own_class(tool: ModuleType) -> None:
    boxes = tool.judged_boxes(_found((5, 0.9, _BOX), (5, 0.8, _BESIDE), (6, 0.7, _BOX)), [(5, _BOX)])
    assert boxes.right.tolist() == [True, False, False]
    assert (boxes.first, boxes.truths) == (1, 1)


def test_the_best_scored_box_may_be_wrong(tool: ModuleType) -> None:
    boxes = tool.judged_boxes(_found((5, 0.9, _FAR), (5, 0.8, _BESIDE)), [(5, _BOX)])
    assert boxes.right.tolist() == [False, True]
    assert boxes.first == 0


def test_recall_where_so_many_false_boxes_are_allowed(tool: ModuleType) -> None:
    right = np.array([True, False, False, True, False, False, False, True])
    report = tool.recalls([tool.Boxes(np.linspace(1, 0.1, 8), right, 1, 4)])
    assert report["any"] == pytest.approx(3 / 4)
    assert report["first"] == pytest.approx(1 / 4)
    assert report["at 2 false"] == pytest.approx(2 / 4)  # the third right one comes after five false ones
    assert report["at 5 false"] == report["at 10 false"] == pytest.approx(3 / 4)


def test_no_boxes_at_all(tool: ModuleType) -> None:
    report = tool.recalls([tool.judged_boxes([], [(5, _BOX)])])
    assert set(report.values()) == {0.0}


def test_pose_recalls_count_thresholds_passed(tool: ModuleType) -> None:
    errors = np.array([[4.0, 0.04], [26.0, np.inf], [np.inf, 0.26]])
    assert tool.pose_recalls(errors) == pytest.approx({"mspd": (10 + 5 + 0) / 30, "mssd": (10 + 0 + 5) / 30})
