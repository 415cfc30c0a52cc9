from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from posebot.models.calibration import LEVELS
from posebot.stages.certainty import calibrated, feature_names, radii
from posebot.training.certainty_fit import (
    Sample,
    conformal_quantile,
    cross_fitted,
    fit,
    fit_probability,
    probabilities,
    threshold,
)

DIAMETER = 0.2
HARD = 3  # an object whose errors are twice as large as its covariance lets one think


def sample(count: int, seed: int = 0) -> Sample:
    """Estimates whose first feature decides whether they are right; errors have three times the covariance's size."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, len(feature_names())))
    objects = rng.integers(1, 4, count)
    correct = rng.random(count) < 1 / (1 + np.exp(-(3 * values[:, 0] + 1)))
    sigma = rng.uniform(0.001, 0.004, count)
    covariances = np.stack([np.diag([s**2] * 3 + [(s * 10) ** 2] * 3) for s in sigma])
    factor = np.where(correct, 3, 9) * np.where(objects == HARD, 2, 1)
    twist = rng.normal(size=(count, 6)) * (sigma * factor)[:, None] * [1, 1, 1, 10, 10, 10]
    return Sample(values, objects, np.full(count, DIAMETER), correct, np.ones(count, bool), twist, covariances,
                  np.arange(count) // 2)


def test_fit_finds_what_matters():
    mode = fit(sample(1000))
    assert max(mode.weights, key=lambda name: sum(mode.weights[name])) == feature_names()[0]
    assert all(slope >= 0 for slopes in mode.weights.values() for slope in slopes)
    assert mode.samples == 1000
    assert mode.right == sample(1000).correct.sum()
    assert not mode.never_ok


def test_probabilities_are_calibrated_on_new_data():
    mode, new = fit(sample(3000)), sample(3000, seed=1)
    p = probabilities(new, mode)
    for low in (0.0, 0.25, 0.5, 0.75):
        inside = (p >= low) & (p < low + 0.25)
        assert abs(new.correct[inside].mean() - p[inside].mean()) < 0.08


def covered(mode, new, level):
    p = probabilities(new, mode)
    inside = []
    for q, obj, covariance, twist in zip(p, new.obj_id.tolist(), new.covariance, new.twist):
        region = radii(q, calibrated(covariance, DIAMETER, mode), DIAMETER, obj, mode, level)
        inside.append(np.linalg.norm(twist[:3]) * 1000 <= region.translation_mm
                      and np.degrees(np.linalg.norm(twist[3:])) <= region.rotation_deg)
    return np.array(inside), p


@pytest.mark.parametrize("level", LEVELS)
def test_regions_hold_both_errors_as_often_as_they_say_for_every_object(level):
    mode, new = fit(sample(3000)), sample(3000, seed=1)
    inside, _ = covered(mode, new, level)
    assert inside.mean() == pytest.approx(level, abs=0.03)
    for obj in (1, 2, HARD):
        assert inside[new.obj_id == obj].mean() == pytest.approx(level, abs=0.05)


def test_regions_hold_in_every_bin_of_certainty():
    mode, new = fit(sample(3000)), sample(3000, seed=1)
    inside, p = covered(mode, new, 0.9)
    for low, high in zip((0, *mode.edges), (*mode.edges, 1)):
        assert inside[(p >= low) & (p < high)].mean() > 0.78


def short_training(count: int, seed: int = 0) -> Sample:
    """As of a model that was trained briefly: half of its poses are wrong, by 0.4 diameters and a quarter turn."""
    whole = sample(count, seed)
    rng = np.random.default_rng(seed)
    values = whole.features.copy()
    values[:, 0] = np.where(whole.correct, rng.normal(2, 1, count), rng.normal(-2, 1, count))
    wrong = rng.normal(size=(count, 6)) * ([0.4 * DIAMETER] * 3 + [np.pi / 2] * 3)
    return replace(whole, features=values, twist=np.where(whole.correct[:, None], whole.twist, wrong))


@pytest.mark.parametrize("count", [300, 3000])
def test_regions_of_ok_poses_hold_what_they_say_among_ok_poses_and_are_as_narrow_as_those_are_exact(count):
    mode, new = fit(short_training(count)), short_training(3000, seed=1)
    inside, p = covered(mode, new, 0.9)
    ok = p >= mode.ok_threshold
    assert ok.sum() > 300
    assert new.correct[ok].mean() > 0.95
    assert inside[ok].mean() == pytest.approx(0.9, abs=0.05)
    right = np.linalg.norm(new.twist[ok & new.correct][:, :3], axis=1)
    region = [radii(0.99, calibrated(covariance, DIAMETER, mode), DIAMETER, 1, mode).translation_mm
              for covariance in new.covariance[ok]]
    assert np.median(region) < 3 * 1000 * np.quantile(right, 0.9)
    assert sum(mode.ok_regions.samples.values()) > 30
    assert mode.ok_regions.missing == 0


def test_too_few_ok_poses_say_how_many_more_are_wanted_and_take_the_right_ones():
    whole = short_training(400)
    rows = np.flatnonzero(~whole.correct)[:30].tolist() + np.flatnonzero(whole.correct)[:13].tolist()
    chosen = np.isin(np.arange(400), rows)
    mode = fit(whole.rows(chosen), ok_precision=0.9)
    assert 10 <= sum(mode.ok_regions.samples.values()) < 20
    assert mode.ok_regions.missing == 20 - sum(mode.ok_regions.samples.values())
    largest = np.linalg.norm(whole.twist[chosen & whole.correct][:, :3], axis=1).max()
    region = radii(0.99, calibrated(whole.covariance[0], DIAMETER, mode), DIAMETER, 1, mode)
    assert region.translation_mm < 1000 * 4 * largest


def test_probabilities_for_the_threshold_come_from_a_model_that_has_not_seen_the_image():
    noise = sample(60)
    noise = replace(noise, correct=np.arange(60) % 2 == 0)  # nothing can be learned
    mode = fit_probability(noise)
    seen, unseen = probabilities(noise, mode), cross_fitted(noise, mode)
    log_loss = [-np.where(noise.correct, np.log(p), np.log1p(-p)).mean() for p in (seen, unseen)]
    assert log_loss[0] < np.log(2) - 0.05  # as if it knew
    assert log_loss[1] >= np.log(2)


def test_sure_poses_get_smaller_regions():
    mode = fit(sample(2000))
    sure, unsure = (radii(p, np.eye(6) * 1e-5, DIAMETER, 1, mode) for p in (0.99, 0.05))
    assert sure.translation_mm < unsure.translation_mm


def test_the_covariance_is_brought_to_the_errors():
    whole = sample(3000)
    mode = fit(whole.rows(whole.obj_id != HARD))
    assert mode.sample_factor == pytest.approx(9, rel=0.2)
    assert mode.floor[0] < 0.01


def test_the_ellipsoid_for_nine_in_ten_holds_as_many_though_tails_are_heavy():
    whole, new = sample(3000), sample(3000, seed=1)
    mode = fit(whole)  # a third of the errors is twice as large as the covariance says
    right = new.rows(new.correct)
    squared = [twist @ np.linalg.solve(calibrated(covariance, DIAMETER, mode), twist)
               for twist, covariance in zip(right.twist, right.covariance)]
    assert np.mean(np.array(squared) <= chi2.ppf(0.9, 6)) == pytest.approx(0.9, abs=0.02)


def test_absent_objects_lower_the_probability_and_leave_the_regions_alone():
    whole = sample(1000)
    even = np.arange(1000) % 2 == 0
    absent = replace(whole, correct=whole.correct & even, present=even)
    assert probabilities(whole, fit(absent)).mean() < 0.7 * probabilities(whole, fit(whole)).mean()
    assert fit(absent).translation_quantiles[-1] < 3 * fit(whole).translation_quantiles[-1]


def test_fit_of_few_or_of_all_wrong_says_never():
    few = sample(20)
    mode = fit(replace(few, correct=np.zeros(20, bool)))
    assert mode.ok_threshold > 1
    assert mode.edges == ()
    assert (mode.right, mode.samples, mode.never_ok) == (0, 20, True)


def test_threshold_keeps_the_wanted_precision():
    p, correct = np.linspace(0.99, 0.01, 100), np.arange(100) < 60
    place = threshold(p, correct, 0.9, least=0.3)
    assert correct[p >= place].mean() >= 0.9
    assert (p >= place).sum() > 40
    assert threshold(p, correct, 0.9) == 0.8


def test_conformal_quantile_is_the_ninth_tenth():
    assert conformal_quantile(np.arange(1.0, 100.0)) == 90
    assert conformal_quantile(np.array([3.0])) == 3
    assert conformal_quantile(np.zeros(0)) > 0
