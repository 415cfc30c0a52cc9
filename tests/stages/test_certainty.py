from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.core.results import Alternative, Region90
from posebot.models.calibration import LEVELS, NEVER, Calibration, ModeCalibration, OkRegions
from posebot.stages.certainty import (
    assess,
    calibrated,
    feature_names,
    features,
    probability,
    radii,
    restate,
    segments,
    sigmas,
    too_wide,
)

DIAMETER = 0.2
OTHERS = (Alternative(np.eye(4), 0.0), Alternative(np.eye(4), 0.01))


MODE = ModeCalibration({"silhouette": (1.0, 4.0, 0.5)}, {"silhouette": (0.3, 0.7)}, -1.0, {2: 1.5}, samples=100,
                       edges=(0.5,), translation_quantiles=(4.0, 2.0), rotation_quantiles=(9.0, 3.0),
                       object_scale={2: (0.4, 0.7, 1.5, 2.0)})


@given(value=st.floats(-3, 3), knots=st.lists(st.floats(-2, 2), max_size=3, unique=True))
def test_segments_add_up_to_the_value_and_none_falls(value, knots):
    knots = np.sort(knots)
    parts = segments(np.array(value), knots)
    assert parts.shape == (len(knots) + 1,)
    assert parts.sum() == pytest.approx(value)
    assert (segments(np.array(value + 0.1), knots) >= parts - 1e-12).all()


def test_probability_rises_with_the_feature_and_knows_the_object():
    rows = np.zeros((5, len(feature_names())))
    rows[:, feature_names().index("silhouette")] = np.linspace(0, 1, 5)
    p = [probability(row, 1, MODE) for row in rows]
    assert (np.diff(p) > 0).all()
    assert all(probability(row, 2, MODE) > value for row, value in zip(rows, p))
    assert probability(rows[2], 1, MODE) == pytest.approx(1 / (1 + np.exp(1.0 - 0.3 - 4 * 0.2)))


def test_covariance_is_scaled_and_has_a_floor():
    mode = replace(MODE, sample_factor=9.0, floor=(0.01, 0.02))
    found = calibrated(np.eye(6) * 1e-6, DIAMETER, mode)
    np.testing.assert_allclose(np.diag(found), [9e-6 + (0.01 * DIAMETER) ** 2] * 3 + [9e-6 + 4e-4] * 3)


def test_regions_depend_on_certainty_object_and_level():
    region = radii(0.9, np.eye(6) * 1e-5, DIAMETER, 1, MODE)
    assert radii(0.2, np.eye(6) * 1e-5, DIAMETER, 1, MODE).translation_mm == pytest.approx(2 * region.translation_mm)
    assert radii(0.9, np.eye(6) * 1e-5, DIAMETER, 2, MODE).rotation_deg == pytest.approx(1.5 * region.rotation_deg)
    sizes = [radii(0.9, np.eye(6) * 1e-5, DIAMETER, 1, MODE, level).translation_mm for level in LEVELS]
    assert sizes == sorted(sizes)
    assert sizes[LEVELS.index(0.9)] == region.translation_mm
    assert radii(0.1, np.eye(6), DIAMETER, 1, MODE).rotation_deg == 180.0


def test_views_that_err_alike_make_wider_regions_than_independent_ones():
    def region(correlation, sides):
        return radii(0.9, np.eye(6) * 1e-5, DIAMETER, 1, replace(MODE, view_correlation=correlation), sides=sides)

    assert region(0.0, 8) == region(0.0, 2)
    assert region(0.1, 1) == region(0.0, 1)
    assert region(0.1, 6).translation_mm == pytest.approx(np.sqrt(1.5) * region(0.0, 6).translation_mm)
    assert region(0.1, 6).rotation_deg == pytest.approx(np.sqrt(1.5) * region(0.0, 6).rotation_deg)


def test_features_are_finite_and_named(solution, scenes):
    values = features(solution, scenes.model.diameter)
    assert values.shape == (len(feature_names()),)
    assert np.isfinite(values).all()
    assert values[feature_names().index("views")] == 0


def test_status_follows_the_threshold(solution, scenes):
    sure = ModeCalibration(bias=5.0, ok_threshold=0.9, samples=100, sample_factor=1)
    unsure = replace(sure, bias=-5.0)
    for mode, status in ((sure, "ok"), (unsure, "low_certainty")):
        estimate = assess(solution, "bracket", 1, scenes.model.diameter, Calibration(mode, mode))
        assert estimate.status == status
        assert (estimate.reason == "") == (status == "ok")
        np.testing.assert_allclose(estimate.covariance, solution.covariance * mode.sample_factor)


@pytest.mark.parametrize(("translation_mm", "rotation_deg", "ok"),
                         [(19.9, 23.0, True), (20.1, 1.0, False), (1.0, 23.2, False)])
def test_no_pose_is_ok_that_may_be_a_fifth_of_the_diameter_off(translation_mm, rotation_deg, ok):
    assert (too_wide(Region90(translation_mm, rotation_deg), diameter=0.1) == "") is ok


def test_a_probable_pose_with_a_wide_region_says_how_far_it_may_be_off(solution, scenes):
    mode = ModeCalibration(bias=5.0, ok_threshold=0.9, samples=100)  # sigma 8 times as large as above
    estimate = assess(solution, "bracket", 1, scenes.model.diameter, Calibration(mode, mode))
    assert estimate.status == "low_certainty"
    assert estimate.p_correct > 0.9
    assert estimate.reason == (f"the pose may be {estimate.region90.translation_mm:.0f} mm and "
                               f"{estimate.region90.rotation_deg:.0f}° off")


def test_ok_poses_take_the_regions_that_were_calibrated_on_ok_poses():
    ok = OkRegions(2.0, 3.0, scale=(0.5, 0.8, 1.0, 1.2), object_scale={7: (1.0, 1.6, 2.0, 2.4)})
    mode = ModeCalibration(ok_threshold=0.9, translation_quantiles=(50.0,), rotation_quantiles=(50.0,), ok_regions=ok)
    covariance = np.diag([1e-6 / 3] * 3 + [1e-4 / 3] * 3)  # sigmas of 1 mm and 0.01 rad
    shift, turn = sigmas(covariance, 0.1)
    region = radii(0.95, covariance, 0.1, 1, mode)
    assert region.translation_mm == pytest.approx(1000 * 2 * shift)
    assert region.rotation_deg == pytest.approx(np.degrees(3 * turn))
    assert radii(0.95, covariance, 0.1, 7, mode).translation_mm == pytest.approx(1000 * 4 * shift)
    assert radii(0.95, covariance, 0.1, 1, mode, level=0.5).translation_mm == pytest.approx(1000 * shift)
    assert radii(0.89, covariance, 0.1, 1, mode).translation_mm == pytest.approx(1000 * 50 * shift)


@pytest.mark.parametrize(("changes", "words"), [
    ({"visibility": 0.38}, "62 % hidden"), ({"alternatives": OTHERS[:1], "visibility": 1.0}, "two poses explain the"),
    ({"alternatives": OTHERS, "visibility": 1.0}, "three poses explain the picture"),
    ({"scores": {"geometry": 0.1}, "alternatives": (), "visibility": 1.0}, "depth does not fit"),
])
def test_reasons_can_be_understood(solution, scenes, changes, words):
    mode = ModeCalibration(bias=-5.0, samples=100)
    changes = changes | {"scores": {**solution.scores, **changes.get("scores", {})}}
    estimate = assess(replace(solution, **changes), "bracket", 1, scenes.model.diameter, Calibration(mode, mode))
    assert words in estimate.reason


@pytest.mark.parametrize(("right", "samples", "with_depth", "reason"), [
    (16, 197, False, "this model never says ok from colour alone: 16 right poses of 197 are too few"),
    (9, 10, True, "this model never says ok with depth: 9 right poses of 10 are too few"),
    (150, 197, True, "this model never says ok with depth: 150 right poses of 197 cannot be told from the wrong "
                     "ones"),
    (None, 197, True, "this model never says ok with depth"),
])
def test_a_model_that_never_says_ok_does_not_blame_the_picture(solution, scenes, right, samples, with_depth, reason):
    mode = ModeCalibration(ok_threshold=NEVER, samples=samples, right=right)
    hidden = replace(solution, visibility=0.1, with_depth=with_depth)
    estimate = assess(hidden, "bracket", 1, scenes.model.diameter, Calibration(mode, mode))
    assert (estimate.status, estimate.reason) == ("low_certainty", reason)


def test_no_pose_keeps_its_reason(solution):
    nothing = replace(solution, pose=None, covariance=None, reason="too few pixels")
    estimate = assess(nothing, "bracket", 1, DIAMETER, Calibration())
    assert (estimate.status, estimate.reason, estimate.cam_from_obj) == ("no_pose", "too few pixels", None)


def test_fused_views_may_become_certain(solution, scenes):
    mode = ModeCalibration(bias=-0.1, ok_threshold=0.6, samples=100, sample_factor=1)
    estimate = assess(solution, "bracket", 1, scenes.model.diameter, Calibration(mode, mode))
    assert estimate.status == "low_certainty"
    assert restate(estimate.replace(views=4, p_correct=0.9), DIAMETER, mode).status == "ok"
    assert restate(estimate.replace(views=4, alternatives=OTHERS), DIAMETER, mode).alternatives == ()
    assert restate(estimate.replace(alternatives=OTHERS), DIAMETER, mode).alternatives == OTHERS
    assert restate(estimate.replace(views=4, p_correct=0.1), DIAMETER, mode).status == "low_certainty"
