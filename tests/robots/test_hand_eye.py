"""Hand-eye calibration of synthetic robots: recovered, honest about its error, and warned where it cannot be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posebot.core.errors import InputError
from posebot.core.transforms import difference, inverse, perturb
from posebot.robots.hand_eye import HandEyeOptions, HandEyeResult, calibrate_hand_eye
from posebot.robots.refinement_problem import FreeParameters
from posebot.robots.views import Mode, view_from_pixels, view_from_pose
from tests.robots.synthetic_robot import CAMERA, Robot, make_robot

MODES: list[Mode] = ["eye-in-hand", "eye-to-hand"]


def errors(result: HandEyeResult, robot: Robot) -> tuple[float, float]:
    """Millimetres and degrees."""
    away = difference(result.mount_from_cam, robot.mount_from_cam)
    return float(np.linalg.norm(away[:3]) * 1000), float(np.degrees(np.linalg.norm(away[3:])))


@given(seed=st.integers(0, 10_000), mode=st.sampled_from(MODES))
@settings(max_examples=5)
def test_exact_arm_is_recovered(seed: int, mode: Mode) -> None:
    robot = make_robot(mode, 10, seed, pixels=0.1)
    result = calibrate_hand_eye(robot.views, mode, CAMERA)
    mm, deg = errors(result, robot)
    assert mm < 0.5
    assert deg < 0.06
    assert not any("degenerate" in text or "fit" in text for text in result.warnings)
    assert all(pair.used and pair.residual < 0.3 for pair in result.pairs)


@pytest.mark.parametrize("mode", MODES)
def test_noisy_arm_covariance_holds_and_refining_beats_the_solvers(mode: Mode) -> None:
    away, normalised, solvers = [], [], []
    for seed in range(5):
        robot = make_robot(mode, 10, seed, 0.15, 0.5, 0.05)
        result = calibrate_hand_eye(robot.views, mode, CAMERA)
        shift = difference(result.mount_from_cam, robot.mount_from_cam)
        away.append(np.linalg.norm(shift[:3]) * 1000)
        normalised.append(shift @ np.linalg.inv(result.covariance) @ shift)
        solvers.append([np.linalg.norm((entry.mount_from_cam - robot.mount_from_cam)[:3, 3]) * 1000
                        for entry in result.solvers])
    assert np.sqrt(np.mean(np.square(away))) < 2.0
    assert 1.5 < np.mean(normalised) < 12  # six numbers: the expected value is 6
    assert np.sqrt(np.mean(np.square(away))) < 1.1 * np.median(np.sqrt(np.mean(np.square(solvers), axis=0)))


def test_noise_of_the_arm_is_estimated_or_taken_as_given() -> None:
    robot = make_robot(count=20, seed=3, arm_mm=1.0, arm_deg=0.1)
    noise = calibrate_hand_eye(robot.views, robot.mode, CAMERA).noise
    assert 0.6e-3 < noise.arm_translation < 1.5e-3
    assert 0.05 < np.degrees(noise.arm_rotation) < 0.2
    given_noise = calibrate_hand_eye(robot.views, robot.mode, CAMERA, HandEyeOptions(arm=(2e-3, 1e-3))).noise
    assert (given_noise.arm_translation, given_noise.arm_rotation) == (2e-3, 1e-3)


@pytest.mark.parametrize("mode", MODES)
def test_wrong_pairs_are_named_and_left_out(mode: Mode) -> None:
    robot = make_robot(mode, 14, 5, arm_mm=0.3, arm_deg=0.03)
    views = list(robot.views)
    views[2] = replace(views[2], base_from_gripper=views[9].base_from_gripper)
    views[7] = replace(views[7], base_from_gripper=perturb(views[7].base_from_gripper, [0.02, 0, 0.01, 0, 0.03, 0]))
    result = calibrate_hand_eye(views, mode, CAMERA)
    assert [pair.name for pair in result.pairs if not pair.used] == ["2.png", "7.png"]
    assert any("outliers, left out: 2.png, 7.png" in text for text in result.warnings)
    assert errors(result, robot)[0] < 2
    kept = calibrate_hand_eye(views, mode, CAMERA, HandEyeOptions(reject_outliers=False))
    assert all(pair.used for pair in kept.pairs)


def test_parallel_axes_are_warned_of() -> None:
    robot = make_robot(count=10, seed=1, tilt=0.5)
    axis = np.array([0.0, 0, 1])
    views = []
    for i, view in enumerate(robot.views):
        spun = perturb(robot.views[0].base_from_gripper, [0.01 * i, -0.02 * i, 0, *(axis * 0.12 * i)])
        cam_from_target = inverse(spun @ robot.mount_from_cam) @ robot.fixture_from_target
        views.append(view_from_pose(view.name, spun, cam_from_target))
    result = calibrate_hand_eye(views, "eye-in-hand", None)
    assert np.sqrt(np.diag(result.covariance)[:3]).max() > 0.01
    assert any("rotation axes are nearly parallel" in text for text in result.warnings)


def test_too_little_rotation_and_few_views_are_warned_of() -> None:
    robot = make_robot(count=5, seed=2, tilt=0.03)
    warnings = " ".join(calibrate_hand_eye(robot.views, robot.mode, CAMERA).warnings)
    assert "only 5 views" in warnings
    assert "the largest gripper rotation" in warnings


def test_wrong_mode_or_inverted_poses_are_warned_of() -> None:
    robot = make_robot(count=10, seed=4)
    assert any("eye-in-hand better" in text for text in
               calibrate_hand_eye(robot.views, "eye-to-hand", CAMERA).warnings)
    inverted = [replace(view, base_from_gripper=inverse(view.base_from_gripper)) for view in robot.views]
    assert any("gripper_from_base" in text for text in calibrate_hand_eye(inverted, robot.mode, CAMERA).warnings)


def test_mixed_up_quaternions_are_warned_of() -> None:
    robot = make_robot(count=10, seed=6)
    shuffled = [replace(view, base_from_gripper=other.base_from_gripper)
                for view, other in zip(robot.views, robot.views[1:] + robot.views[:1])]
    warnings = calibrate_hand_eye(shuffled, robot.mode, CAMERA).warnings
    assert any("rotations between views differ" in text for text in warnings)


def test_a_shrunken_print_is_noticed_and_its_size_found() -> None:
    robot = make_robot(count=14, seed=7, arm_mm=0.2, arm_deg=0.02)
    views = [view_from_pixels(view.name, view.base_from_gripper, view.points * 1.03, view.seen, CAMERA)
             for view in robot.views]
    stated = calibrate_hand_eye(views, robot.mode, CAMERA)
    assert any("0.97" in text and "--fit-scale" in text for text in stated.warnings)
    found = calibrate_hand_eye(views, robot.mode, CAMERA, HandEyeOptions(free=FreeParameters(scale=True)))
    assert abs(found.scale - 1 / 1.03) < max(4 * found.scale_sigma, 1e-3)
    assert errors(found, robot)[0] < 1.5


def test_wrong_intrinsics_are_improved() -> None:
    robot = make_robot(count=18, seed=8, arm_mm=0.1, arm_deg=0.01)
    K = CAMERA.K.copy()
    K[0, 0], K[1, 1] = 650.0, 648.0
    rough = replace(CAMERA, K=K, distortion=np.zeros(0))
    views = [view_from_pixels(view.name, view.base_from_gripper, view.points, view.seen, rough) for view in robot.views]
    found = calibrate_hand_eye(views, robot.mode, rough, HandEyeOptions(free=FreeParameters(camera=True)))
    assert found.camera is not None
    assert abs(found.camera.K[0, 0] - 620) < 3
    stated = calibrate_hand_eye(views, robot.mode, rough)
    assert errors(found, robot)[0] < 1.5 < errors(stated, robot)[0]
    assert any("--fit-camera" in text for text in stated.warnings)


def test_target_poses_without_images() -> None:
    robot = make_robot(count=12, seed=9, arm_mm=0.5, arm_deg=0.05)
    views = [view_from_pose(view.name, view.base_from_gripper, view.cam_from_target) for view in robot.views]
    assert errors(calibrate_hand_eye(views, robot.mode, None), robot)[0] < 3
    with pytest.raises(InputError, match="images of the target"):
        calibrate_hand_eye(views, robot.mode, None, HandEyeOptions(free=FreeParameters(scale=True)))


def test_two_views_are_refused() -> None:
    robot = make_robot(count=2)
    with pytest.raises(InputError, match="2 views"):
        calibrate_hand_eye(robot.views, robot.mode, CAMERA)
