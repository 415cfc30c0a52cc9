"""BOP19 localisation and BOP24 detection scores, on records made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.core.objects import ContinuousSymmetry, Mesh, ObjectModel
from posebot.evaluation import localization, pose_detection
from posebot.evaluation.records import EvaluatedEstimate, GroundTruthInstance, ImageRecord

MESH = Mesh(np.eye(3), np.array([[0, 1, 2]], np.int32))
MODELS = {
    1: ObjectModel(1, "plain", MESH, 0.2, np.zeros(3), np.ones(3)),
    2: ObjectModel(2, "round", MESH, 0.1, np.zeros(3), np.ones(3), (), (ContinuousSymmetry(np.array([0, 0, 1.0])),)),
}
POSE = np.eye(4)


def truth(obj_id: int = 1, visib: float = 1.0, target: bool = True) -> GroundTruthInstance:
    return GroundTruthInstance(obj_id, visib, 0.7, target, [0, 0, 9, 9])


def estimate(errors_m: list[float], score: float = 1.0, obj_id: int = 1, truths: list[int] | None = None,
             mspd: list[float] | None = None, vsd: float | None = None) -> EvaluatedEstimate:
    """An estimate whose MSSD, ADD and ADI are `errors_m` against the truths."""
    values, indices = np.array(errors_m), list(range(len(errors_m))) if truths is None else truths
    found = {"mssd": values, "add": values, "translation": values, "center": values, "rotation": values,
             "mspd": np.array(mspd) if mspd else values * 1000}
    if obj_id == 2:
        found["adi"] = values / 2
    if vsd is not None:
        found["vsd"] = np.full((len(values), 10), vsd)
    return EvaluatedEstimate(obj_id, score, POSE, truths=indices, errors=found if indices else {})


def record(truths: list[GroundTruthInstance], estimates: list[EvaluatedEstimate], width: int = 640,
           frame_id: str = "000001/000000") -> ImageRecord:
    counts: dict[int, int] = {}
    for entry in truths:
        if entry.target:
            counts[entry.obj_id] = counts.get(entry.obj_id, 0) + 1
    depth = any("vsd" in entry.errors for entry in estimates)
    return ImageRecord(frame_id, width, tuple(truths), tuple(estimates), counts, depth=depth)


def test_recall_per_threshold_is_strict() -> None:
    table = localization.localization_table([record([truth()], [estimate([0.05], mspd=[20.0])])], MODELS)
    assert table.hits["MSSD"][0].tolist() == [False] * 5 + [True] * 5  # exactly a quarter of the diameter
    assert table.hits["MSPD"][0].tolist() == [False] * 4 + [True] * 6
    assert not table.hits["ADD"][0, 0]
    assert localization.recalls(table)["MSSD"] == pytest.approx(0.5)


def test_mspd_is_scaled_to_a_picture_640_wide() -> None:
    table = localization.localization_table([record([truth()], [estimate([0.0], mspd=[18.0])], width=1280)], MODELS)
    assert table.error[0, 1] == pytest.approx(9.0)
    assert int(table.hits["MSPD"].sum()) == 9


def test_only_the_best_scored_estimates_are_looked_at() -> None:
    good_but_shy, bad_but_bold = estimate([0.0], 0.2), estimate([1.0], 0.9)
    table = localization.localization_table([record([truth()], [good_but_shy, bad_but_bold])], MODELS)
    assert not table.hits["MSSD"].any()
    assert table.estimate.tolist() == [1]


def test_recall_is_pooled_not_averaged_over_objects() -> None:
    records = [record([truth(1), truth(2)], [estimate([0.0]), estimate([9.0], obj_id=2, truths=[1])])]
    records += [record([truth(1)], [estimate([0.0])], frame_id=f"000001/00000{i}") for i in range(1, 3)]
    scores = localization.recalls(localization.localization_table(records, MODELS))
    assert scores["MSSD"] == pytest.approx(3 / 4)


def test_two_instances_and_a_truth_that_is_no_target() -> None:
    truths = [truth(visib=0.2, target=False), truth(), truth(visib=0.5)]
    estimates = [estimate([0.0, 0.5, 0.5], 0.9), estimate([0.5, 0.0, 0.5], 0.8), estimate([0.5, 0.5, 0.0], 0.7)]
    table = localization.localization_table([record(truths, estimates)], MODELS)
    assert table.truth.tolist() == [1, 2]
    assert table.hits["MSSD"].all(axis=1).tolist() == [True, False]  # the third estimate is beyond inst_count


def test_a_missed_target_counts_and_has_infinite_errors() -> None:
    table = localization.localization_table([record([truth(), truth(2)], [])], MODELS)
    scores = localization.recalls(table)
    assert (scores["MSSD"], scores["ADD"], scores["ADD_AUC"]) == (0.0, 0.0, 0.0)
    assert np.isinf(table.error).all()
    assert table.estimate.tolist() == [-1, -1]


def test_symmetric_objects_are_judged_by_add_s() -> None:
    records = [record([truth(2)], [estimate([0.016], obj_id=2)])]  # ADD 16 mm, ADD-S 8 mm, limit 10 mm
    table = localization.localization_table(records, MODELS)
    assert table.hits["ADD"][0, 0]
    assert localization.recalls(table)["ADD_AUC"] == pytest.approx(1 - 0.008 / 0.1)


def test_vsd_only_where_every_picture_has_depth() -> None:
    with_depth = record([truth()], [estimate([0.0], vsd=0.25)])
    without = record([truth()], [estimate([0.0])], frame_id="000001/000001")
    scores = localization.recalls(localization.localization_table([with_depth], MODELS))
    assert scores["VSD"] == pytest.approx(0.5)  # 0.25 is below 0.30, 0.35 ... 0.50
    assert scores["AR"] == pytest.approx((0.5 + 1 + 1) / 3)
    mixed = localization.recalls(localization.localization_table([with_depth, without], MODELS))
    assert mixed["VSD"] is None
    assert mixed["AR"] == 1.0
    nothing = ImageRecord("000001/000000", 640, (truth(),), (), {1: 1}, depth=True)
    assert localization.recalls(localization.localization_table([nothing], MODELS))["VSD"] == 0.0


def test_nothing_at_all() -> None:
    table = localization.localization_table([], MODELS)
    assert len(table) == 0
    assert set(localization.recalls(table).values()) == {None}
    names = ("AP", "AP_MSSD", "AP_MSPD", "AP_MSSD_mm")
    assert pose_detection.average_precisions([], MODELS) == (dict.fromkeys(names), {})


def plain_ap(scores: list[float], correct: list[bool], truths: int) -> float:
    """COCO's 101 points, one by one."""
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    points, hits = [], 0
    for rank, index in enumerate(order, 1):
        hits += correct[index]
        points.append((hits / truths, hits / rank))
    levels = [max([p for r, p in points if r >= level], default=0.0) for level in np.linspace(0, 1, 101)]
    return float(np.mean(levels))


@given(seed=st.integers(0, 10**6), count=st.integers(0, 12))
def test_average_precision_agrees_with_the_plain_version(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    scores, correct = rng.permutation(count) / 12, rng.random(count) < 0.6
    truths = max(1, int(correct.sum()) + int(rng.integers(0, 3)))
    found = pose_detection.average_precision(scores, correct, truths)
    assert found == pytest.approx(plain_ap(scores.tolist(), correct.tolist(), truths), abs=1e-12)


def test_a_false_estimate_costs_precision_only_if_it_is_surer() -> None:
    first = record([truth()], [estimate([0.0], 0.9), estimate([5.0], 0.1)])
    assert pose_detection.average_precisions([first], MODELS)[0]["AP"] == 1.0
    second = record([truth()], [estimate([0.0], 0.1), estimate([5.0], 0.9)])
    assert pose_detection.average_precisions([second], MODELS)[0]["AP"] == pytest.approx(0.5)


def test_an_estimate_that_fits_a_hidden_truth_is_ignored() -> None:
    estimates = [estimate([0.0, 9.0], 0.5), estimate([9.0, 0.0], 0.9)]
    records = [record([truth(), truth(visib=0.05, target=False)], estimates)]
    assert pose_detection.average_precisions(records, MODELS)[0]["AP"] == 1.0


def test_estimates_of_absent_objects_are_left_out_as_by_the_reference_or_counted() -> None:
    records = [record([truth()], [estimate([0.0], 0.5)]),
               record([truth(2)], [estimate([], 0.9), estimate([0.0], 0.5, obj_id=2)], frame_id="000001/000001")]
    assert pose_detection.average_precisions(records, MODELS)[0]["AP"] == 1.0
    assert pose_detection.average_precisions(records, MODELS, count_absent=True)[0]["AP"] == pytest.approx(0.75)


def test_millimetre_thresholds_of_bop25() -> None:
    scores, per_object = pose_detection.average_precisions([record([truth()], [estimate([0.009])])], MODELS)
    assert scores["AP_MSSD_mm"] == pytest.approx(0.6)  # 10, 12 ... 20 mm
    assert scores["AP_MSSD"] == pytest.approx(1.0)  # 9 mm is 4.5 % of the diameter
    assert per_object == {1: pytest.approx((1.0 + 0.9) / 2)}  # 9 pixels


def test_at_most_100_estimates_of_a_picture_are_looked_at() -> None:
    crowd = [estimate([5.0], 0.9) for _ in range(100)]
    records = [record([truth()], [*crowd, estimate([0.0], 0.1)])]
    assert pose_detection.average_precisions(records, MODELS)[0]["AP"] == 0.0
