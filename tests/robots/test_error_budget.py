"""The error budget against Monte Carlo."""

from __future__ import annotations

import numpy as np
import pytest

from posebot.core.transforms import Array, difference, exp, perturb
from posebot.robots.error_budget import error_budget, kinematics_covariance

GRIPPER, HAND_EYE, POSE = exp([0.4, -0.1, 0.5, 2.0, 0.5, -1.0]), exp([0.03, 0.06, 0.02, 0.2, -0.1, 1.5]), exp(
    [0.05, -0.02, 0.45, 1.0, -0.7, 0.3])
TWIST = np.array([0.2, -0.1, 0.05, 0.3, -0.2, 0.6])


def _covariance(seed: int, metres: float, radians: float) -> Array:
    root = np.random.default_rng(seed).normal(size=(6, 6)) * np.repeat([metres, radians], 3)[:, None] / 2.5
    return root @ root.T


@pytest.mark.parametrize("source", ["vision", "hand_eye", "kinematics", "latency", "drift", "total"])
def test_agrees_with_monte_carlo(source: str) -> None:
    parts = {"vision": _covariance(1, 2e-3, 0.01), "hand_eye": _covariance(2, 1e-3, 0.004),
             "kinematics": kinematics_covariance(5e-4, 0.002)}
    parts = {name: value if source in (name, "total") else np.zeros((6, 6)) for name, value in parts.items()}
    sigma = 0.01 if source in ("latency", "total") else 0.0
    speed = 0.05 if source in ("drift", "total") else 0.0
    random, count = np.random.default_rng(0), 40_000
    moved = {name: random.multivariate_normal(np.zeros(6), value, count) for name, value in parts.items()}
    late = random.normal(0, sigma, count)[:, None] * TWIST
    poses = (perturb(GRIPPER, moved["kinematics"] + late) @ perturb(HAND_EYE, moved["hand_eye"])
             @ perturb(POSE, moved["vision"]))
    away = difference(poses, GRIPPER @ HAND_EYE @ POSE)
    away[:, :3] += random.normal(0, speed * 0.1, (count, 3))
    budget = error_budget(GRIPPER, HAND_EYE, POSE, **parts, gripper_twist=TWIST, latency_sigma=sigma,
                          object_speed=speed, age=0.1)
    scale = np.sqrt(np.outer(*[np.diag(budget.total) + 1e-12] * 2))
    np.testing.assert_allclose(np.cov(away.T) / scale, budget.total / scale, atol=0.04)


def test_report_in_millimetres_and_degrees() -> None:
    budget = error_budget(GRIPPER, HAND_EYE, POSE, vision=np.diag([1e-6] * 3 + [1e-4] * 3))
    assert budget.to_dict()["vision"] == budget.to_dict()["total"] == {"translation_mm": 1.7321, "rotation_deg": 0.9924}
    assert budget.to_dict()["hand_eye"]["translation_mm"] == 0


def test_static_camera() -> None:
    hand_eye = _covariance(3, 1e-3, 0.002)
    budget = error_budget(np.eye(4), HAND_EYE, POSE, hand_eye=hand_eye)
    lever = HAND_EYE[:3, :3] @ POSE[:3, 3]
    assert budget.total[0, 0] != pytest.approx(hand_eye[0, 0])
    assert np.trace(budget.total[3:, 3:]) == pytest.approx(np.trace(hand_eye[3:, 3:]))
    assert np.linalg.norm(lever) > 0.4
