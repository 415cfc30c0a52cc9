"""2-D detection: recall at IoU 0.5 by hand, mAP by pycocotools on cases whose value is known."""

from __future__ import annotations

import pytest

from posebot.evaluation import box_detection
from posebot.evaluation.records import EvaluatedEstimate, GroundTruthInstance, ImageRecord

BOX = [10.0, 10.0, 30.0, 30.0]
HALF = [10.0, 10.0, 30.0, 20.0]  # IoU with BOX: exactly 0.5
FAR = [50.0, 50.0, 70.0, 70.0]


def record(truths: list[GroundTruthInstance], estimates: list[EvaluatedEstimate]) -> ImageRecord:
    return ImageRecord("000001/000000", 100, tuple(truths), tuple(estimates), {})


def truth(box: list[float] | None, obj_id: int = 1, visib: float = 1.0) -> GroundTruthInstance:
    return GroundTruthInstance(obj_id, visib, 1.0, True, box)


def seen(box: list[float], obj_id: int = 1, score: float = 0.9) -> EvaluatedEstimate:
    return EvaluatedEstimate(obj_id, score, box=box)


@pytest.mark.parametrize(("box", "obj_id", "hit"), [(BOX, 1, 1), (HALF, 1, 1), (FAR, 1, 0), (BOX, 2, 0)])
def test_found_means_the_right_class_and_half_an_overlap(box: list[float], obj_id: int, hit: int) -> None:
    _, _, found = box_detection.box_recall([record([truth(BOX)], [seen(box, obj_id)])])
    assert found.tolist() == [hit]


def test_each_estimate_finds_one_truth_and_hidden_truths_have_no_box() -> None:
    truths = [truth(BOX), truth(BOX, visib=0.4), truth(None)]
    obj_id, visib, found = box_detection.box_recall([record(truths, [seen(BOX)])])
    assert obj_id.tolist() == [1, 1]
    assert visib.tolist() == [1.0, 0.4]
    assert sorted(found.tolist()) == [0, 1]


def test_mean_average_precision_of_known_cases() -> None:
    two = [record([truth(BOX), truth(FAR)], [seen(BOX), seen(FAR, score=0.8)])]
    assert box_detection.mean_average_precision(two) == {"mAP": pytest.approx(1.0), "mAP_50": pytest.approx(1.0)}
    one = [record([truth(BOX), truth(FAR)], [seen(BOX)])]
    assert box_detection.mean_average_precision(one)["mAP_50"] == pytest.approx(51 / 101)  # recall 0.00 to 0.50
    half = [record([truth(BOX)], [seen(HALF)])]
    assert box_detection.mean_average_precision(half) == {"mAP": pytest.approx(0.1), "mAP_50": pytest.approx(1.0)}


def test_truths_hardly_visible_are_ignored_and_absent_objects_count_if_asked() -> None:
    hidden = record([truth(BOX), truth(FAR, visib=0.05)], [seen(BOX), seen(FAR, score=0.95)])
    assert box_detection.mean_average_precision([hidden])["mAP"] == pytest.approx(1.0)
    absent = [record([truth(BOX)], [seen(BOX, score=0.5)]), record([truth(FAR, 2)], [seen(FAR, 1), seen(FAR, 2)])]
    assert box_detection.mean_average_precision(absent)["mAP"] == pytest.approx(0.75)
    assert box_detection.mean_average_precision(absent, count_absent=False)["mAP"] == pytest.approx(1.0)


def test_nothing_seen_or_nothing_to_see() -> None:
    assert box_detection.mean_average_precision([record([truth(BOX)], [])]) == {"mAP": 0.0, "mAP_50": 0.0}
    assert box_detection.mean_average_precision([record([], [seen(BOX)])]) == {"mAP": None, "mAP_50": None}
    assert not box_detection.has_boxes([record([truth(BOX)], [])])
