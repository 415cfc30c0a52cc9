from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posebot.models.calibration import Calibration, ModeCalibration
from posebot.stages.certainty import (
    FEATURES,
    assess,
    conformal_quantile,
    features,
    fit,
    probability,
    radii,
    restate,
    threshold,
)
from posebot.stages.evidence import gather
from posebot.stages.pose import solve

DIAMETER = 0.2


@pytest.fixture(scope="module")
def solution(scenes):
    pose = scenes.pose(1)
    frame = scenes.frame(pose, noise=0.001)
    localization = scenes.localization(frame, pose, noise=0.05)
    return solve(gather(frame, localization, scenes.model), scenes.surface, localization)


def sample(count: int, seed: int = 0):
    """Held-out estimates: the first feature decides whether they are right, errors have the covariance's size x 3."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, len(FEATURES)))
    correct = rng.random(count) < 1 / (1 + np.exp(-(3 * values[:, 0] + 1)))
    sigma = rng.uniform(0.001, 0.004, count)
    covariances = np.stack([np.diag([s**2] * 3 + [(s * 10) ** 2] * 3) for s in sigma])
    factor = np.where(correct, 3, 30)
    shift = np.linalg.norm(rng.normal(size=(count, 3)), axis=1) * sigma * factor
    turn = np.linalg.norm(rng.normal(size=(count, 3)), axis=1) * sigma * 10 * factor
    return values, correct, shift, turn, covariances, np.full(count, DIAMETER)


def test_fit_finds_what_matters():
    mode = fit(*sample(1000))
    assert max(mode.weights, key=mode.weights.get) == FEATURES[0]
    assert all(weight > 0 for weight in mode.weights.values())
    assert mode.samples == 1000


def test_probabilities_are_calibrated_on_new_data():
    mode = fit(*sample(2000))
    values, correct, *_ = sample(2000, seed=1)
    p = probability(values, mode)
    for low in (0.0, 0.25, 0.5, 0.75):
        inside = (p >= low) & (p < low + 0.25)
        assert abs(correct[inside].mean() - p[inside].mean()) < 0.08


def test_regions_cover_nine_in_ten_of_new_errors_in_every_bin():
    mode = fit(*sample(2000))
    values, _, shift, turn, covariances, _ = sample(2000, seed=1)
    p = probability(values, mode)
    regions = [radii(q, c * mode.sample_factor, DIAMETER, mode) for q, c in zip(p, covariances)]
    inside = np.array([[s * 1000 <= r.translation_mm, np.degrees(t) <= r.rotation_deg]
                       for s, t, r in zip(shift, turn, regions)])
    for low, high in zip((0, *mode.edges), (*mode.edges, 1)):
        chosen = (p >= low) & (p < high)
        assert (inside[chosen].mean(axis=0) > 0.86).all()


def test_sure_poses_get_smaller_regions():
    mode = fit(*sample(2000))
    sure, unsure = (radii(p, np.eye(6) * 1e-5, DIAMETER, mode) for p in (0.99, 0.05))
    assert sure.translation_mm < unsure.translation_mm


def test_sample_factor_brings_the_covariance_to_the_errors():
    assert fit(*sample(2000)).sample_factor == pytest.approx(9, rel=0.15)


def test_fit_of_few_or_of_all_wrong_says_never():
    values, _, *rest = sample(20)
    mode = fit(values, np.zeros(20), *rest)
    assert mode.ok_threshold > 1
    assert mode.edges == ()


def test_threshold_keeps_the_wanted_precision():
    p, correct = np.linspace(0.99, 0.01, 100), np.arange(100) < 60
    place = threshold(p, correct, 0.9)
    assert correct[p >= place].mean() >= 0.9
    assert (p >= place).sum() > 40


def test_conformal_quantile_is_the_ninth_tenth():
    assert conformal_quantile(np.arange(1.0, 100.0)) == 90
    assert conformal_quantile(np.array([3.0])) == 3
    assert conformal_quantile(np.zeros(0)) > 0


def test_features_are_finite_and_named(solution, scenes):
    values = features(solution, scenes.model.diameter)
    assert values.shape == (len(FEATURES),)
    assert np.isfinite(values).all()
    assert values[FEATURES.index("views")] == 0


def test_status_follows_the_threshold(solution, scenes):
    sure = ModeCalibration(bias=5.0, ok_threshold=0.9, samples=100)
    unsure = replace(sure, bias=-5.0)
    for mode, status in ((sure, "ok"), (unsure, "low_certainty")):
        estimate = assess(solution, "bracket", 1, scenes.model.diameter, Calibration(mode, mode))
        assert estimate.status == status
        assert (estimate.reason == "") == (status == "ok")
        np.testing.assert_allclose(estimate.covariance, solution.covariance * mode.sample_factor)


@pytest.mark.parametrize(("changes", "words"), [
    ({"visibility": 0.38}, "62 % hidden"), ({"margin": 0.0, "visibility": 1.0}, "two poses explain the picture"),
    ({"geometry": 0.1, "margin": 0.1, "visibility": 1.0}, "depth does not fit"),
])
def test_reasons_can_be_understood(solution, scenes, changes, words):
    mode = ModeCalibration(bias=-5.0, samples=100)
    estimate = assess(replace(solution, **changes), "bracket", 1, scenes.model.diameter, Calibration(mode, mode))
    assert words in estimate.reason


def test_no_pose_keeps_its_reason(solution):
    nothing = replace(solution, pose=None, covariance=None, reason="too few pixels")
    estimate = assess(nothing, "bracket", 1, DIAMETER, Calibration())
    assert (estimate.status, estimate.reason, estimate.cam_from_obj) == ("no_pose", "too few pixels", None)


def test_fused_views_may_become_certain(solution, scenes):
    mode = ModeCalibration(bias=-0.1, ok_threshold=0.6, samples=100)
    estimate = assess(solution, "bracket", 1, scenes.model.diameter, Calibration(mode, mode))
    assert estimate.status == "low_certainty"
    assert restate(estimate.replace(views=4, p_correct=0.9), DIAMETER, mode).status == "ok"
    assert restate(estimate.replace(views=4, p_correct=0.1), DIAMETER, mode).status == "low_certainty"
