"""The error budget of an object's pose in the base frame: vision, hand-eye, kinematics, latency times speed.

With G = base_from_gripper, X = gripper_from_cam, C = cam_from_obj the pose is P = G X C. Each factor is perturbed
as in `transforms.perturb`, along the axes of its left frame, by a small twist with covariance S. To first order P is
perturbed along the axes of the base by

    vision      J_C = diag(R_G R_X, R_G R_X)
    hand-eye    J_X = [[R_G, -R_G [R_X c]x], [0, R_G]]        c = origin of C
    kinematics  J_G = [[1, -[R_G g]x], [0, 1]]                g = origin of X C, R_G g the lever to the object
    latency     J_G v t    for a gripper with twist v, and t seconds between image and robot pose

and the covariances add: J S J^T each, and (J_G v)(J_G v)^T sigma_t^2. An object that moves with up to u m/s in any
direction adds (u a)^2 if its pose is used a seconds after the image. A static camera is the case G = 1,
X = base_from_cam, with no kinematics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from posebot.core.transforms import Array, rotate_covariance, skew


@dataclass(frozen=True)
class ErrorBudget:
    """Covariances (6x6) of base_from_obj along the axes of the base by source, as in `core.results`."""

    vision: Array
    hand_eye: Array
    kinematics: Array
    latency: Array

    @property
    def total(self) -> Array:
        """Sum of the independent parts."""
        return self.vision + self.hand_eye + self.kinematics + self.latency

    def to_dict(self) -> dict[str, Any]:
        """Standard deviation by source: mm (root of the summed variances of x, y, z) and degrees."""
        parts = {"vision": self.vision, "hand_eye": self.hand_eye, "kinematics": self.kinematics,
                 "latency": self.latency, "total": self.total}
        return {name: {"translation_mm": round(float(np.sqrt(np.trace(part[:3, :3]))) * 1000, 4),
                       "rotation_deg": round(float(np.degrees(np.sqrt(np.trace(part[3:, 3:])))), 4)}
                for name, part in parts.items()}


def error_budget(base_from_gripper: Array, gripper_from_cam: Array, cam_from_obj: Array, *,
                 vision: Array | None = None, hand_eye: Array | None = None, kinematics: Array | None = None,
                 gripper_twist: Array | None = None, latency_sigma: float = 0.0, object_speed: float = 0.0,
                 age: float = 0.0) -> ErrorBudget:
    """The budget of `base_from_gripper @ gripper_from_cam @ cam_from_obj`.

    Args:
        base_from_gripper, gripper_from_cam, cam_from_obj: 4x4, metres. A static camera: identity, base_from_cam.
        vision, hand_eye, kinematics: 6x6 covariances of cam_from_obj along the camera's axes, of gripper_from_cam along
            the gripper's, of base_from_gripper along the base's. None: exact.
        gripper_twist: (6,) m/s and rad/s of the gripper along the base's axes. latency_sigma: seconds, standard
            deviation of the time between image and robot pose.
        object_speed: m/s, standard deviation for each axis. age: seconds from image to use of the pose.
    """
    gripper_from_obj = gripper_from_cam @ cam_from_obj
    rotation = base_from_gripper[:3, :3]
    by_kinematics = _adjoint(np.eye(3), rotation @ gripper_from_obj[:3, 3])
    by_hand_eye = _adjoint(rotation, gripper_from_cam[:3, :3] @ cam_from_obj[:3, 3])
    motion = np.zeros(6) if gripper_twist is None else by_kinematics @ gripper_twist
    drift = np.diag([*np.full(3, (object_speed * age) ** 2), 0.0, 0.0, 0.0])
    return ErrorBudget(
        rotate_covariance(rotation @ gripper_from_cam[:3, :3], _or_zero(vision)),
        by_hand_eye @ _or_zero(hand_eye) @ by_hand_eye.T, by_kinematics @ _or_zero(kinematics) @ by_kinematics.T,
        np.outer(motion, motion) * latency_sigma**2 + drift)


def kinematics_covariance(translation: float, rotation: float) -> Array:
    """6x6 covariance of a gripper pose with these standard deviations per axis, metres and radians."""
    return np.diag(np.repeat([translation**2, rotation**2], 3).astype(float))


def _adjoint(rotation: Array, lever: Array) -> Array:
    """(6, 6): maps a twist along the axes of b to the twist along the axes of a (`rotation` = a_from_b) of a point that
    is `lever` (axes of b) away from the centre of rotation."""
    jacobian = np.zeros((6, 6))
    jacobian[:3, :3] = jacobian[3:, 3:] = rotation
    jacobian[:3, 3:] = -rotation @ skew(lever)
    return jacobian


def _or_zero(covariance: Array | None) -> Array:
    return np.zeros((6, 6)) if covariance is None else np.asarray(covariance, dtype=float)
