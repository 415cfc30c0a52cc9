"""Calibration, coverage and risk, against simulated truth and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.core.objects import Mesh, ObjectModel
from posebot.evaluation import certainty
from posebot.evaluation.certainty import CertaintyTable
from posebot.evaluation.records import EvaluatedEstimate, GroundTruthInstance, ImageRecord
from posebot.models.calibration import LEVELS

MESH = Mesh(np.eye(3), np.array([[0, 1, 2]], np.int32))
MODELS = {1: ObjectModel(1, "part", MESH, 0.2, np.zeros(3), np.ones(3))}


def simulated(count: int, seed: int, bend: float = 1.0, spread: float = 1.0) -> CertaintyTable:
    """CertaintyTable whose p_correct is true where `bend` is 1, and whose covariance is where `spread` is."""
    rng = np.random.default_rng(seed)
    p = rng.random(count)
    correct = rng.random(count) < p**bend
    twist = rng.normal(size=(count, 6)) * spread
    squared = (twist**2).sum(axis=1)
    radii = np.full((count, len(LEVELS), 2), np.nan)
    radii[..., 0] = [0.6744898, 1.2815516, 1.6448536, 1.959964]
    return CertaintyTable(np.ones(count, int), p, p > 0.8, correct, rng.random(count), np.abs(rng.normal(size=count)),
                  np.abs(rng.normal(size=count)), squared, squared / 2, np.zeros(count, int), correct, correct,
                  radii)


def test_what_is_true_has_no_calibration_error_and_what_is_bent_has() -> None:
    honest, boastful = simulated(40000, 0), simulated(40000, 1, bend=3.0)
    assert certainty.calibration_error(honest.p, honest.correct) < 0.015
    assert certainty.calibration_error(boastful.p, boastful.correct) == pytest.approx(0.25, abs=0.02)  # 1/2 - 1/4
    brier = certainty.summarize_certainty(honest)
    assert brier is not None
    assert brier["Brier"] == pytest.approx(1 / 6, abs=0.01)


def test_calibration_error_by_hand() -> None:
    p, correct = np.array([0.05, 0.05, 1.0, 1.0]), np.array([False, True, True, True])
    assert certainty.calibration_error(p, correct) == pytest.approx((2 * 0.45 + 2 * 0.0) / 4)
    table = certainty.reliability(p, correct)
    assert [row["count"] for row in table] == [2, 2]  # p = 1 belongs to the last bin


@pytest.mark.parametrize(("hits", "count", "low", "high"), [
    (9, 10, 0.5958, 0.9821), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662), (0, 0, 0.0, 1.0)])
def test_wilson_interval_as_in_print(hits: int, count: int, low: float, high: float) -> None:
    """81 of 263: Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I."""
    assert certainty.wilson(hits, count) == pytest.approx([low, high], abs=1e-4)


@given(count=st.integers(1, 200), share=st.floats(0, 1))
def test_wilson_interval_holds_the_share(count: int, share: float) -> None:
    hits = round(share * count)
    low, high = certainty.wilson(hits, count)
    assert 0 <= low <= hits / count + 1e-12
    assert hits / count - 1e-12 <= high <= 1


def test_risk_falls_with_what_is_kept_and_ties_share_their_risk() -> None:
    p, correct = np.array([0.9, 0.8, 0.2, 0.1]), np.array([True, True, False, False])
    kept, risk = certainty.risk_curve(p, correct)
    assert kept.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert risk.tolist() == pytest.approx([0, 0, 1 / 3, 0.5])
    assert certainty.risk_at(p, correct, 0.5) == 0
    for order in ([0, 1], [1, 0]):
        assert certainty.risk_at(np.array([0.5, 0.5]), np.array([True, False])[order], 0.5) == 0.5


def test_coverage_of_regions_and_ellipsoids() -> None:
    told = simulated(20000, 3)
    radii = told.radii[..., :1].repeat(2, axis=2)
    told = CertaintyTable(**{**vars(told), "radii": radii, "correct": np.ones(20000, bool)})
    figures = certainty.summarize_certainty(told)
    assert figures is not None
    region = figures["region90"]
    assert region["translation"]["coverage"] == pytest.approx(0.9, abs=0.01)
    assert region["both"]["coverage"] == pytest.approx(0.81, abs=0.01)
    assert [share["coverage"] for share in region["levels"].values()] == pytest.approx(
        [level**2 for level in LEVELS], abs=0.012)
    assert region["median_translation_mm"] == pytest.approx(1644.85, abs=0.01)
    for level, share in figures["covariance"]["coverage"].items():
        assert share["coverage"] == pytest.approx(float(level.rstrip("%")) / 100, abs=0.012)
        assert share["interval"][0] <= share["coverage"] <= share["interval"][1]
    columns = {**vars(simulated(5000, 4, spread=2.0)), "correct": np.ones(5000, bool)}
    tight = certainty.summarize_certainty(CertaintyTable(**columns))
    assert tight is not None
    assert tight["covariance"]["coverage"]["90%"]["coverage"] < 0.3


def test_claims_of_records() -> None:
    errors = {"mssd": np.array([0.5, 0.019]), "translation": np.array([0.5, 0.004]), "center": np.array([0.5, 0.004]),
              "rotation": np.array([1.0, 0.1])}
    near = EvaluatedEstimate(1, 0.9, np.eye(4), None, "ok", 0.8, [[0.005, 0.05]] * 4, [0, 1], errors)
    absent = EvaluatedEstimate(1, 0.9, np.eye(4), None, "ok", 0.3)
    silent = EvaluatedEstimate(1, 0.9, np.eye(4), truths=[0], errors={"mssd": np.array([0.0])})
    truths = (GroundTruthInstance(1, 0.3, 1.0, True, None), GroundTruthInstance(1, 0.7, 1.0, True, None))
    records = [ImageRecord("a", 640, truths, (near, silent), {1: 2}), ImageRecord("b", 640, (), (absent,), {})]
    found = certainty.certainty_table(records, MODELS)
    assert found.p.tolist() == [0.8, 0.3]
    assert found.correct.tolist() == [True, False]  # 19 mm of 200
    assert found.visib_fract[0] == 0.7
    assert found.translation.tolist() == [0.004, np.inf]
    assert len(certainty.certainty_table(records, MODELS, count_absent=False)) == 1
    figures = certainty.summarize_certainty(found)
    assert figures is not None
    assert figures["region90"]["count"] == 1  # where nothing is, a region can hold nothing
    assert figures["region90"]["translation"]["coverage"] == 1
    assert figures["region90"]["both"]["coverage"] == 0  # 0.1 rad is outside 0.05
    assert figures["covariance"] is None
    assert certainty.summarize_certainty(certainty.certainty_table([], MODELS)) is None


def test_how_often_the_right_pose_is_given_or_listed() -> None:
    def estimate(error: float, others: list[float]) -> EvaluatedEstimate:
        found = {"mssd": np.array([error]), "translation": np.array([error / 5]), "center": np.array([error / 5]),
                 "rotation": np.array([error])}
        if others:
            found["alternatives"] = np.array([others])
        return EvaluatedEstimate(1, 0.9, np.eye(4), None, "", 0.5, None, [0], found, [np.eye(4)] * len(others))

    estimates = (estimate(0.9, [0.001]), estimate(0.001, [0.3]), estimate(0.3, [0.2, 0.001]), estimate(0.3, [0.4]),
                 estimate(0.3, []), EvaluatedEstimate(1, 0.9, np.eye(4), p_correct=0.5, alternatives=[np.eye(4)]))
    record = ImageRecord("a", 640, (GroundTruthInstance(1, 1.0, 1.0, True, None),), estimates, {1: 1})
    figures = certainty.summarize_certainty(certainty.certainty_table([record], MODELS))
    assert figures is not None
    assert figures["alternatives"] == {"count": 3, "listed": pytest.approx(4 / 3), "correct": pytest.approx(1 / 3),
                                       "correct_or_listed": pytest.approx(2 / 3)}
