from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posebot.core.camera import Camera
from posebot.core.frame import Frame
from posebot.core.objects import ContinuousSymmetry
from posebot.core.results import PoseEstimate
from posebot.core.transforms import inverse, make, perturb, rotation_from_vector
from posebot.stages.fuse import _MAX_TRACKS, Fuser, suppress

SIGMA = np.array([0.004, 0.004, 0.008, 0.05, 0.05, 0.05])
CAMERA = Camera(np.array([[60.0, 0, 15.5], [0, 60, 11.5], [0, 0, 1]]), 32, 24)


def frame(base_from_cam=None) -> Frame:
    return Frame(np.zeros((24, 32, 3), np.uint8), CAMERA, base_from_cam=base_from_cam)


def view(rng) -> np.ndarray:
    return make(rotation_from_vector(rng.normal(scale=0.5, size=3)), rng.normal(scale=0.3, size=3))


def estimate(pose, obj_id=1, p=0.7, score=0.8) -> PoseEstimate:
    return PoseEstimate("bracket", obj_id, score, np.array([0, 0, 9, 9.0]), "ok", cam_from_obj=pose,
                        covariance=np.diag(SIGMA**2), p_correct=p)


@pytest.fixture
def model(scenes):
    return scenes.model


@pytest.fixture
def fuser(model):
    return Fuser([model, replace(model, obj_id=2, label="other")])


def test_many_noisy_views_are_better_than_one(fuser):
    rng = np.random.default_rng(0)
    truth = make(rotation_from_vector([0.3, 1, 0.2]), [0.5, 0.1, 0.05])
    for _ in range(30):
        base_from_cam = view(rng)
        seen = perturb(inverse(base_from_cam) @ truth, rng.normal(scale=SIGMA))
        (result,) = fuser(frame(base_from_cam), [estimate(seen)])
    assert np.linalg.norm(result.base_from_obj[:3, 3] - truth[:3, 3]) < 0.004
    assert result.views == 30
    assert np.trace(result.covariance) < 0.3 * np.trace(np.diag(SIGMA**2))
    np.testing.assert_allclose(base_from_cam @ result.cam_from_obj, result.base_from_obj, atol=1e-9)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000))
def test_covariance_stays_symmetric_and_positive(scenes, seed):
    fuser, rng = Fuser([scenes.model]), np.random.default_rng(seed)
    truth = make(rotation_from_vector(rng.normal(size=3)), rng.normal(size=3))
    for _ in range(5):
        base_from_cam = view(rng)
        seen = perturb(inverse(base_from_cam) @ truth, rng.normal(scale=SIGMA))
        covariance = fuser(frame(base_from_cam), [estimate(seen)])[0].covariance
    np.testing.assert_allclose(covariance, covariance.T, atol=1e-12)
    assert np.linalg.eigvalsh(covariance).min() > 0


def test_one_wrong_view_does_not_move_the_track(fuser):
    truth = make(translation=[0.4, 0, 0])
    flipped = truth @ make(np.diag([1.0, -1, -1]))
    for _ in range(5):
        fuser(frame(np.eye(4)), [estimate(truth)])
    (result,) = fuser(frame(np.eye(4)), [estimate(flipped)])
    np.testing.assert_allclose(result.base_from_obj, truth, atol=1e-6)
    assert result.track_id == 1


def test_what_is_seen_most_often_wins(fuser):
    truth = make(translation=[0.4, 0, 0])
    flipped = truth @ make(np.diag([1.0, -1, -1]))
    fuser(frame(np.eye(4)), [estimate(flipped)])
    for _ in range(4):
        (result,) = fuser(frame(np.eye(4)), [estimate(truth)])
    np.testing.assert_allclose(result.base_from_obj, truth, atol=1e-6)


def test_a_moved_object_is_followed(fuser):
    before, after = make(translation=[0.4, 0, 0]), make(translation=[0.4, 0.05, 0])
    for _ in range(5):
        fuser(frame(np.eye(4)), [estimate(before)])
    for _ in range(8):
        (result,) = fuser(frame(np.eye(4)), [estimate(after)])
    np.testing.assert_allclose(result.base_from_obj[:3, 3], after[:3, 3], atol=1e-3)
    assert result.track_id == 1


def test_two_of_a_kind_keep_their_tracks(fuser):
    left, right = make(translation=[0, 0, 0.5]), make(translation=[0.3, 0, 0.5])
    for pair in ([left, right], [right, left], [left, right]):
        results = fuser(frame(np.eye(4)), [estimate(pose) for pose in pair])
        ids = {round(float(result.base_from_obj[0, 3]), 3): result.track_id for result in results}
        assert ids == {0.0: 1, 0.3: 2}


def test_symmetric_objects_do_not_flip(model):
    turning = replace(model, symmetries_continuous=(ContinuousSymmetry(np.array([0.0, 0, 1])),))
    fuser, rng = Fuser([turning]), np.random.default_rng(1)
    truth, found = make(translation=[0, 0, 0.5]), []
    for _ in range(6):
        turned = truth @ make(rotation_from_vector([0, 0, rng.uniform(-np.pi, np.pi)]))
        found.append(fuser(frame(np.eye(4)), [estimate(turned)])[0])
    assert [result.views for result in found] == [1, 2, 3, 4, 5, 6]
    for result in found[1:]:
        np.testing.assert_allclose(result.base_from_obj[:3, :3], found[0].base_from_obj[:3, :3], atol=0.1)


def test_duplicates_in_one_place_are_suppressed(model):
    models = {1: model, 2: replace(model, obj_id=2)}
    here, near, far = (make(translation=[x, 0, 0.5]) for x in (0, 0.02, 0.4))
    estimates = [estimate(here, p=0.9), estimate(near, p=0.2), estimate(near, obj_id=2, p=0.3), estimate(far, p=0.1),
                 PoseEstimate("bracket", 1, 0.5, np.zeros(4), reason="hidden")]
    kept = suppress(estimates, models)
    assert [entry.p_correct for entry in kept if entry.cam_from_obj is not None] == [0.9, 0.1]
    assert [entry.reason for entry in kept if entry.cam_from_obj is None] == ["hidden"]


def test_without_a_known_camera_there_are_no_tracks(fuser):
    (result,) = fuser(frame(), [estimate(make(translation=[0, 0, 0.5]))])
    assert (result.track_id, result.base_from_obj, result.views) == (None, None, 1)


def test_unseen_tracks_are_forgotten(model):
    fuser = Fuser([model], patience=3)
    pose = make(translation=[0, 0, 0.5])
    fuser(frame(np.eye(4)), [estimate(pose)])
    for _ in range(4):
        fuser(frame(np.eye(4)), [])
    assert fuser(frame(np.eye(4)), [estimate(pose)])[0].track_id == 2


def test_memory_is_bounded(fuser):
    for i in range(3 * _MAX_TRACKS):
        fuser(frame(np.eye(4)), [estimate(make(translation=[i, 0, 0.5]))])
    assert len(fuser._tracks) <= _MAX_TRACKS


@pytest.mark.parametrize("stray_mm", [8.0, 15.0, 40.0])
def test_views_that_agree_stay_certain_however_many_come_after_a_stray_one(fuser, stray_mm):
    """What one stray view saw grows uncertain with time until every view agrees with it too: it is no rival."""
    rng = np.random.default_rng(1)
    truth = make(rotation_from_vector([0.3, 1, 0.2]), [0.5, 0.1, 0.05])
    exact = np.diag(np.array([0.0008, 0.0008, 0.0012, 0.006, 0.006, 0.006]) ** 2)
    certain = []
    for number in range(260):
        base_from_cam = view(rng)
        seen = perturb(inverse(base_from_cam) @ truth, rng.normal(size=6) * np.sqrt(np.diag(exact)))
        if number == 3:
            seen[:3, 3] += [stray_mm / 1000, 0, 0]
        (result,) = fuser(frame(base_from_cam), [estimate(seen, p=0.95).replace(covariance=exact)])
        certain.append(result.p_correct)
    assert min(certain[10:]) > 0.9
    assert np.linalg.norm(result.base_from_obj[:3, 3] - truth[:3, 3]) < 0.002
