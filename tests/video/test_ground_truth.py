from __future__ import annotations

import numpy as np
import pytest

from posebot.core.objects import ContinuousSymmetry
from posebot.core.results import PoseEstimate
from posebot.core.transforms import Array, make, rotation_from_vector
from posebot.objects.bop_models import make_object
from posebot.video.ground_truth import GroundTruthMatcher, summarize_matches
from tests.video.plumbing import brick

BRICK = make_object(1, "brick", brick())
ROUND = make_object(2, "round", brick(), symmetries_continuous=(ContinuousSymmetry(np.array([0, 0, 1.0])),))
MATCHER = GroundTruthMatcher([BRICK, ROUND])
HERE, THERE = make(translation=[0.3, 0, 0]), make(translation=[0.5, 0.2, 0])


def estimate(pose: Array | None, obj_id: int = 1, sure: float = 0.9) -> PoseEstimate:
    return PoseEstimate("x", obj_id, 1.0, np.zeros(4), base_from_obj=pose, cam_from_obj=pose, p_correct=sure)


def test_a_true_estimate_has_no_error() -> None:
    (match,) = MATCHER.match([estimate(HERE)], [(1, HERE)])
    assert match.correct
    assert match.mssd == pytest.approx(0)


def test_an_error_is_told_in_diameters_millimetres_and_degrees() -> None:
    moved = HERE @ make(rotation_from_vector([0, 0, np.deg2rad(10)]), [0.02, 0, 0])
    (match,) = MATCHER.match([estimate(moved)], [(1, HERE)])
    assert not match.correct
    assert match.translation_mm == pytest.approx(20)
    assert match.rotation_deg == pytest.approx(10)
    assert match.mssd > 0.02 / BRICK.diameter


def test_symmetric_poses_are_the_same() -> None:
    turned = HERE @ make(rotation_from_vector([0, 0, 1.0]))
    (as_brick,) = MATCHER.match([estimate(turned)], [(1, HERE)])
    (as_round,) = MATCHER.match([estimate(turned, 2)], [(2, HERE)])
    assert not as_brick.correct
    assert as_round.correct
    assert as_round.rotation_deg < 3


def test_each_truth_has_one_estimate_and_the_surest_chooses_first() -> None:
    near = make(translation=[0.301, 0, 0])
    first, second = MATCHER.match([estimate(near, sure=0.5), estimate(HERE, sure=0.9)], [(1, HERE), (1, THERE)])
    assert first.mssd == pytest.approx(0)
    assert not second.correct
    assert second.estimate is not None


def test_what_was_not_found_is_infinitely_wrong() -> None:
    (missed,) = MATCHER.match([estimate(None), estimate(HERE, 2)], [(1, HERE)])
    assert not missed.correct
    assert missed.estimate is None
    assert MATCHER.match([estimate(HERE)], []) == []


def test_shares_by_object_and_over_all() -> None:
    matches = MATCHER.match([estimate(HERE)], [(1, HERE), (1, THERE), (2, THERE)])
    table = summarize_matches(matches, {1: "brick", 2: "round"})
    assert list(table) == ["brick", "round", "all"]
    assert table["brick"]["correct"] == table["brick"]["found"] == 0.5
    assert table["round"]["correct"] == 0
    assert np.isnan(table["round"]["translation_mm"])
    assert table["all"]["count"] == 3
    assert summarize_matches([], {}) == {}
