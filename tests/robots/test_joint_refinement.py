"""The refinement's derivatives and its covariance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posebot.core.transforms import perturb
from posebot.robots import refinement_problem as module
from posebot.robots.joint_refinement import initial_solution, refine, reprojection_rms
from posebot.robots.refinement_problem import FreeParameters, NoiseModel, Solution
from posebot.robots.solvers import HandEyeEstimate
from posebot.robots.views import Mode
from tests.robots.synthetic_robot import CAMERA, make_robot


def _moved(state: Solution, twist: np.ndarray, arm: np.ndarray) -> Solution:
    assert state.camera is not None
    change = np.array([[twist[13], 0, twist[15]], [0, twist[14], twist[16]], [0, 0, 0]])
    camera = replace(state.camera, K=state.camera.K + change, distortion=state.camera.distortion + twist[17:])
    return replace(state, mount_from_cam=perturb(state.mount_from_cam, twist[:6]), camera=camera,
                   fixture_from_target=perturb(state.fixture_from_target, twist[6:12]), scale=state.scale + twist[12],
                   arm_errors=state.arm_errors + arm)


@pytest.mark.parametrize("mode", ["eye-in-hand", "eye-to-hand"])
def test_right_hand_sides_are_the_gradient_of_the_cost(mode: Mode) -> None:
    robot = make_robot(mode, 4, 11)
    random = np.random.default_rng(0)
    guess = HandEyeEstimate("made", perturb(robot.mount_from_cam, random.normal(0, 0.01, 6)), robot.fixture_from_target)
    state = replace(initial_solution(guess, robot.views, CAMERA), noise=NoiseModel(30.0, 0.05, 0.05), scale=1.02)
    problem = module.stack_views(robot.views, mode, FreeParameters(True, True))
    normal = module.normal_equations(problem, state)

    def cost(twist: np.ndarray, arm: np.ndarray) -> float:
        moved = _moved(state, twist, arm)
        return module.robust_cost(module.compute_residuals(problem, moved).values, moved)

    for i in range(17 + CAMERA.distortion.size):
        step = np.zeros(17 + CAMERA.distortion.size)
        step[i] = 1e-5
        slope = (cost(step, np.zeros((4, 6))) - cost(-step, np.zeros((4, 6)))) / 2e-5
        assert normal.shared_rhs[i] == pytest.approx(-slope / 2, rel=1e-3, abs=1e-4)
    for i in range(6):
        arm = np.zeros((4, 6))
        arm[2, i] = 1e-5
        zero = np.zeros(17 + CAMERA.distortion.size)
        slope = (cost(zero, arm) - cost(zero, -arm)) / 2e-5
        assert normal.own_rhs[2, i] == pytest.approx(-slope / 2, rel=1e-3, abs=1e-4)


def test_perfect_data_is_fitted_perfectly_from_far_away() -> None:
    robot = make_robot(count=6, seed=12, pixels=0)
    mount_from_cam = perturb(robot.mount_from_cam, [0.03, -0.02, 0.02, 0.1, 0.1, -0.1])
    far = HandEyeEstimate("perturbed", mount_from_cam, robot.fixture_from_target)
    start = replace(initial_solution(far, robot.views, CAMERA), noise=NoiseModel(0.5, 1e-7, 1e-7))
    found = refine(robot.views, robot.mode, start)
    np.testing.assert_allclose(found.mount_from_cam, robot.mount_from_cam, atol=1e-6)
    assert reprojection_rms(found, robot.views, robot.mode).max() < 1e-3
