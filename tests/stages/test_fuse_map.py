"""The map over time, on a synthetic table: noise, flips, misses, false alarms, things that go, move and hide."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posebot.core.camera import Camera, rays
from posebot.core.frame import Frame
from posebot.core.objects import ContinuousSymmetry
from posebot.core.results import PoseEstimate, Region90
from posebot.core.transforms import difference, inverse, make, perturb, rotation_from_vector
from posebot.models.calibration import ModeCalibration
from posebot.stages.certainty import CAMERA_POSE_UNCERTAIN
from posebot.stages.fuse import UNSEEN, CameraError, Fuser
from posebot.stages.fusion.error import jacobian, velocity
from posebot.stages.fusion.state import aligned

CAMERA = Camera(np.array([[150.0, 0, 79.5], [0, 150.0, 59.5], [0, 0, 1]]), 160, 120)
RGB = np.zeros((120, 160, 3), np.uint8)
SIGMA = np.array([0.002, 0.002, 0.004, 0.03, 0.03, 0.03])
SURE = ModeCalibration(samples=100)


def look_at(eye: np.ndarray, target: np.ndarray) -> np.ndarray:
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    return make(np.stack([right, np.cross(forward, right), forward], axis=1), eye)


def wrist(rng: np.random.Generator) -> np.ndarray:
    turn, lean = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.9)
    away = np.array([np.cos(turn) * np.sin(lean), np.sin(turn) * np.sin(lean), np.cos(lean)])
    return look_at(0.7 * away, rng.uniform(-0.02, 0.02, 3))


def frame(base_from_cam: np.ndarray, depth: np.ndarray | None = None, at: float = 0.0) -> Frame:
    return Frame(RGB, CAMERA, depth, base_from_cam, "", at)


def table_depth(base_from_cam: np.ndarray, height: float = 0.0) -> np.ndarray:
    """Depth of the plane z = height, nothing on it."""
    v, u = np.mgrid[:120, :160]
    directions = rays(CAMERA.K, np.stack([u, v], axis=-1)) @ base_from_cam[:3, :3].T
    depth = (height - base_from_cam[2, 3]) / directions[..., 2]
    return np.where((depth > 0) & (depth < 3), depth, 0).astype(np.float32)


def estimate(model, base_from_cam, pose, p=0.8, rng=None) -> PoseEstimate:
    seen = inverse(base_from_cam) @ pose
    if rng is not None:
        seen = perturb(seen, rng.normal(scale=SIGMA))
    return PoseEstimate(model.label, model.obj_id, 0.8, np.array([0, 0, 9, 9.0]), "ok", cam_from_obj=seen,
                        covariance=np.diag(SIGMA**2), p_correct=p)


@pytest.fixture(scope="module")
def models(scenes):
    return [replace(scenes.model, obj_id=number, label=f"part{number}") for number in (1, 2, 3)]


def placed(rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """Poses well apart from each other."""
    corners = rng.permutation([[-0.14, -0.12], [0.14, -0.12], [-0.14, 0.12], [0.14, 0.12]])[:count]
    return [make(rotation_from_vector(rng.normal(size=3)), [x, y, 0.04]) for x, y in corners]


def test_the_map_is_right_in_spite_of_noise_flips_misses_and_false_alarms(models):
    right = wrong = ghosts = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        fuser, truth = Fuser(models), placed(rng, 3)
        for _ in range(8):
            camera, estimates = wrist(rng), []
            for model, pose in zip(models, truth):
                flipped = rng.random() < 0.2
                told = pose @ make(np.diag([1.0, -1, -1])) if flipped else pose
                if rng.random() > 0.15:
                    estimates.append(estimate(model, camera, told, 0.5 if flipped else 0.8, rng))
            if rng.random() < 0.5:
                anywhere = make(rotation_from_vector(rng.normal(size=3)), [*rng.uniform(-0.3, 0.3, 2), 0.04])
                estimates.append(estimate(models[0], camera, anywhere, 0.15, rng))
            fuser(frame(camera), estimates)
        for entry in fuser.map():
            step = difference(entry.base_from_obj, truth[entry.obj_id - 1])
            near = np.linalg.norm(step[:3]) < 0.01 and np.linalg.norm(step[3:]) < 0.15
            right += near
            wrong += not near and entry.p_correct > 0.7
            ghosts += np.linalg.norm(step[:3]) > 0.1 and entry.p_correct > 0.5
    assert right >= 34  # of 36
    assert wrong <= 1
    assert ghosts == 0


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_what_was_taken_away_leaves_the_map_within_five_views(models, seed):
    rng = np.random.default_rng(seed)
    fuser, truth = Fuser(models), placed(rng, 2)
    for _ in range(6):
        camera = wrist(rng)
        fuser(frame(camera), [estimate(m, camera, pose, rng=rng) for m, pose in zip(models, truth)])
    for _ in range(5):
        camera = wrist(rng)
        fuser(frame(camera), [estimate(models[0], camera, truth[0], rng=rng)])
        doubted = [entry for entry in fuser.map(SURE) if entry.obj_id == 2]
        assert all(entry.status == "low_certainty" and entry.reason == UNSEEN for entry in doubted)
    assert [entry.obj_id for entry in fuser.map()] == [1]


def test_what_depth_sees_through_goes_at_once(models):
    rng = np.random.default_rng(0)
    fuser, pose = Fuser(models), make(translation=[0, 0, 0.06])
    for _ in range(4):
        camera = wrist(rng)
        fuser(frame(camera), [estimate(models[0], camera, pose)])
    camera = wrist(rng)
    fuser(frame(camera, table_depth(camera)), [])
    assert fuser.map() == []


def test_what_hides_behind_something_nearer_stays(models):
    rng = np.random.default_rng(0)
    fuser, pose = Fuser(models), make(translation=[0, 0, 0.04])
    for _ in range(4):
        camera = wrist(rng)
        fuser(frame(camera), [estimate(models[0], camera, pose)])
    for _ in range(10):
        camera = wrist(rng)
        fuser(frame(camera, table_depth(camera, height=0.2)), [])
    (kept,) = fuser.map(SURE)
    assert kept.reason != UNSEEN
    fuser(frame(camera), [estimate(models[0], camera, pose)])
    assert fuser.map()[0].track_id == kept.track_id


def test_without_depth_other_objects_hide(models):
    fuser = Fuser(models)
    camera = look_at(np.array([0, -0.6, 0.05]), np.array([0, 0, 0.05]))
    behind, before = make(translation=[0, 0, 0.05]), make(translation=[0, -0.15, 0.05])
    for _ in range(3):
        fuser(frame(camera), [estimate(models[0], camera, behind)])
    for _ in range(8):
        fuser(frame(camera), [estimate(models[1], camera, before)])
    assert {entry.obj_id for entry in fuser.map()} == {1, 2}


def test_what_is_out_of_the_picture_stays(models):
    fuser, pose = Fuser(models), make(translation=[0, 0, 0.04])
    here, elsewhere = (look_at(np.array([x, -0.5, 0.5]), np.array([x, 0, 0.0])) for x in (0.0, 2.0))
    fuser(frame(here), [estimate(models[0], here, pose)])
    for _ in range(20):
        fuser(frame(elsewhere), [])
    assert [entry.obj_id for entry in fuser.map()] == [1]
    assert fuser(frame(here), [estimate(models[0], here, pose)])[0].track_id == 1


def test_what_was_missed_for_long_keeps_its_number(models):
    fuser, pose = Fuser(models), make(translation=[0, 0, 0.04])
    camera = look_at(np.array([0, -0.5, 0.5]), np.array([0, 0, 0.0]))
    for estimates in ([estimate(models[0], camera, pose)] * 2, *[[]] * 8):
        fuser(frame(camera), estimates[:1])
    assert fuser.map() == []
    assert fuser(frame(camera), [estimate(models[0], camera, pose)])[0].track_id == 1


def test_what_was_moved_is_where_it_is_within_five_views(models):
    rng = np.random.default_rng(4)
    fuser, before, after = Fuser(models), make(translation=[-0.1, 0, 0.04]), make(translation=[0.12, 0.05, 0.04])
    for pose in (before, after):
        for _ in range(5):
            camera = wrist(rng)
            fuser(frame(camera), [estimate(models[0], camera, pose, rng=rng)])
    (entry,) = fuser.map()
    np.testing.assert_allclose(entry.base_from_obj[:3, 3], after[:3, 3], atol=0.005)


def test_hand_eye_errors_do_not_average_away_but_kinematic_ones_do(models):
    shared, each = np.diag([0.002**2] * 3 + [0.004**2] * 3), np.diag([0.004**2] * 3 + [0.004**2] * 3)
    budgets, rng, pose = {}, np.random.default_rng(1), make(translation=[0, 0, 0.04])
    for name, error in (("hand_eye", CameraError(hand_eye=shared)), ("kinematics", CameraError(kinematics=each))):
        fuser = Fuser(models, error=error)
        for turn in np.linspace(0, 0.6, 25):
            camera = look_at(np.array([0.6 * np.sin(turn), -0.6 * np.cos(turn), 0.4]), np.zeros(3))
            (result,) = fuser(frame(camera), [estimate(models[0], camera, pose, rng=rng)])
        budgets[name] = result.budget
        single = Fuser(models, error=error)(frame(camera), [estimate(models[0], camera, pose)])[0].budget
        budgets[f"{name} alone"] = single
    assert budgets["hand_eye"]["hand_eye"][0] > 0.8 * budgets["hand_eye alone"]["hand_eye"][0]
    assert budgets["kinematics"]["kinematics"][0] < 0.5 * budgets["kinematics alone"]["kinematics"][0]
    assert budgets["hand_eye"]["total"][0] > budgets["hand_eye"]["hand_eye"][0]
    assert PoseEstimate.from_dict(result.to_dict()).budget.keys() == result.budget.keys()


def test_the_covariance_says_how_large_errors_are_with_a_wrong_hand_eye(models):
    """Normalised squared errors of position have mean 3 where the covariance is right (here: is not too small)."""
    shared, squared = np.diag([0.003**2] * 3 + [0.01**2] * 3), []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        fuser, pose = Fuser(models, error=CameraError(hand_eye=shared)), make(translation=[0.05, 0, 0.04])
        wrong = rng.normal(size=6) * np.sqrt(np.diag(shared))
        for turn in np.linspace(0, 1.0, 6):
            true = look_at(np.array([0.6 * np.sin(turn), -0.6 * np.cos(turn), 0.4]), np.zeros(3))
            along = np.concatenate([true[:3, :3] @ wrong[:3], true[:3, :3] @ wrong[3:]])
            seen = estimate(models[0], true, pose, rng=rng)
            (result,) = fuser(frame(perturb(true, along)), [seen])
        off = result.base_from_obj[:3, 3] - pose[:3, 3]
        squared.append(off @ np.linalg.solve(fuser._tracks[0].best.covariance[:3, :3], off))
    assert 1.5 < np.mean(squared) < 4.5


def test_latency_counts_with_speed(models):
    fuser, pose = Fuser(models, error=CameraError(latency_s=0.01)), make(translation=[0, 0, 0.04])
    for step in range(4):
        camera = look_at(np.array([0.1 * step, -0.5, 0.5]), np.array([0.1 * step, 0, 0]))
        (result,) = fuser(frame(camera, at=100.0 + step), [estimate(models[0], camera, pose)])
        if step == 1:
            moving = result.budget["latency"][0]
    assert moving == pytest.approx(0.5, rel=0.6)  # half of 0.1 m/s times 10 ms: the first view stood still
    assert result.budget["latency"][0] > moving


def test_a_single_view_admits_the_robots_error(models):
    camera, pose = wrist(np.random.default_rng(0)), make(translation=[0, 0, 0.04])
    alone = estimate(models[0], camera, pose).replace(region90=Region90(3.0, 2.0))
    fuser = Fuser(models, error=CameraError(kinematics=np.diag([0.01**2] * 3 + [0.0] * 3)))
    (result,) = fuser(frame(camera), [alone])
    assert result.region90.translation_mm == pytest.approx(np.hypot(3, 1.5 * 10 * np.sqrt(3)), rel=1e-6)
    assert result.region90.rotation_deg == pytest.approx(2.0)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_alignment_about_an_axis_is_exact(scenes, seed):
    rng = np.random.default_rng(seed)
    axis = rng.normal(size=3)
    turning = replace(scenes.model, symmetries_continuous=(
        ContinuousSymmetry(axis / np.linalg.norm(axis), rng.normal(scale=0.02, size=3)),))
    symmetry = turning.symmetries_continuous[0]
    pose = make(rotation_from_vector(rng.normal(size=3)), rng.normal(size=3))
    turn = rotation_from_vector(rng.uniform(-np.pi, np.pi) * symmetry.axis)
    same = pose @ make(turn, symmetry.offset - turn @ symmetry.offset)
    np.testing.assert_allclose(aligned(same, pose, turning), pose, atol=1e-9)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_the_cameras_jacobian_is_the_derivative(seed):
    rng = np.random.default_rng(seed)
    base_from_cam, cam_from_obj = (make(rotation_from_vector(rng.normal(size=3)), rng.normal(size=3)) for _ in range(2))
    twist = 1e-6 * rng.normal(size=6)
    turn = base_from_cam[:3, :3]
    moved = perturb(base_from_cam, np.concatenate([turn @ twist[:3], turn @ twist[3:]]))
    expected = difference(moved @ cam_from_obj, base_from_cam @ cam_from_obj)
    lever = turn @ cam_from_obj[:3, 3]
    np.testing.assert_allclose(jacobian(base_from_cam, lever) @ twist, expected, atol=1e-10)


def test_robot_errors_are_the_same_in_the_cameras_axes():
    rng = np.random.default_rng(0)
    gripper_from_cam = make(rotation_from_vector(rng.normal(size=3)), rng.normal(scale=0.1, size=3))
    base_from_gripper = make(rotation_from_vector(rng.normal(size=3)), rng.normal(size=3))
    along = rng.normal(size=6)
    error = CameraError.of_robot(gripper_from_cam, np.outer(along, along), np.outer(along, along), 0.01)
    base_from_cam, turn = base_from_gripper @ gripper_from_cam, base_from_gripper[:3, :3]
    for covariance, moved in (
            (error.hand_eye, base_from_gripper @ perturb(gripper_from_cam, 1e-6 * along)),
            (error.kinematics, perturb(base_from_gripper, 1e-6 * np.concatenate([turn @ along[:3], turn @ along[3:]]))
             @ gripper_from_cam)):
        step = difference(moved, base_from_cam) / 1e-6
        back = base_from_cam[:3, :3].T
        camera = np.concatenate([back @ step[:3], back @ step[3:]])
        np.testing.assert_allclose(covariance, np.outer(camera, camera), atol=1e-4)


def test_velocity_is_along_the_cameras_axes():
    before = make(rotation_from_vector([0.2, 0.5, -0.1]), [1, 2, 3])
    twist = np.array([0.01, 0.02, -0.01, 0.002, -0.001, 0.003])
    after = before @ make(rotation_from_vector(twist[3:]), twist[:3])
    np.testing.assert_allclose(velocity(before, after, 0.1), 10 * twist, atol=1e-3)
    assert not velocity(before, after, 0.0).any()


def _sizes(models, counts: tuple[int, int]) -> list[int]:
    """Bytes of all that the fuser remembers (pickled, without the models) after so many frames."""
    rng, sizes = np.random.default_rng(0), []
    fuser, truth = Fuser(models), placed(rng, 3)
    views = [wrist(rng) for _ in range(40)]
    for number in range(1, counts[1] + 1):
        camera = views[number % len(views)]
        found = [estimate(m, camera, pose, rng=rng) for m, pose in zip(models, truth) if rng.random() < 0.8]
        stray = make(translation=[*rng.uniform(-0.3, 0.3, 2), 0.04])
        fuser(frame(camera), [*found, estimate(models[0], camera, stray, 0.1)])
        if number in counts:
            sizes.append(len(pickle.dumps({k: v for k, v in vars(fuser).items() if k not in ("_models", "_shapes")})))
    return sizes


def test_memory_stays_flat(models):
    early, late = _sizes(models, (160, 320))
    assert late < 1.3 * early


@pytest.mark.long
def test_memory_stays_flat_over_ten_thousand_frames(models):
    early, late = _sizes(models, (400, 10_000))
    assert late < 1.3 * early


def test_the_robots_error_counts_in_p_correct_and_status(models):
    pose, camera = make(translation=[0, 0, 0.04]), wrist(np.random.default_rng(0))
    exact, rough = (Fuser(models, error=CameraError(kinematics=np.diag([sigma**2] * 3 + [0.0] * 3)))
                    for sigma in (1e-5, 0.01))
    (sure,), (unsure,) = (fuser(frame(camera), [estimate(models[0], camera, pose)], ModeCalibration(samples=100))
                          for fuser in (exact, rough))
    assert sure.p_correct == pytest.approx(0.8) and sure.status == "ok"
    within = np.linalg.norm(np.random.default_rng(1).normal(scale=0.01, size=(100_000, 3)), axis=1)
    share = (within < 0.1 * models[0].diameter).mean()
    assert unsure.p_correct == pytest.approx(0.8 * share, abs=0.01)
    assert share < 0.6 and (unsure.status, unsure.reason) == ("low_certainty", CAMERA_POSE_UNCERTAIN)


def test_a_region_needs_no_floor_once_two_sides_were_seen(models):
    pose, regions = make(translation=[0, 0, 0.04]), []
    for turns in ((0.0, 0.02), (0.0, 0.8)):  # from one side, from two
        fuser = Fuser(models)
        for turn in turns:
            camera = look_at(np.array([0.6 * np.sin(turn), -0.6 * np.cos(turn), 0.4]), np.zeros(3))
            (found,) = fuser(frame(camera), [estimate(models[0], camera, pose)], SURE)
        shift = 1000 * np.sqrt(np.trace(found.covariance[:3, :3]))
        regions.append(found.region90.translation_mm / SURE.translation_quantiles[0] - shift)
    assert regions[0] == pytest.approx(5 * models[0].diameter, rel=1e-6)
    assert regions[1] == pytest.approx(0.0, abs=1e-9)
