"""Errors of `base_from_cam`, and their propagation to a pose in the base frame.

Errors are distinguished by their correlation between views. A hand-eye error is the same in every view, and so is
the time between image and robot pose: no number of views averages them away. An arm's repeatability is drawn anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from posebot.core.transforms import Array, rotate_covariance, skew

SHARED = 7  # hand-eye twist (6), latency (1)


@dataclass(frozen=True)
class CameraError:
    """Errors of `Frame.base_from_cam`, one sigma; all zero: it is exact.

    Attributes:
        hand_eye: 6x6 covariance of the camera's pose along its own axes (metres, radians; translation of its centre,
            then rotation), the same error in all views. kinematics: the same for what is independent in each view.
        latency_s: standard deviation of the time between image and robot pose, the same in all views, seconds.
    """

    hand_eye: Array = field(default_factory=lambda: np.zeros((6, 6)))
    kinematics: Array = field(default_factory=lambda: np.zeros((6, 6)))
    latency_s: float = 0.0

    @classmethod
    def of_robot(cls, gripper_from_cam: Array, hand_eye: Array | None = None, kinematics: Array | None = None,
                 latency_s: float = 0.0) -> CameraError:
        """From what calibration and the arm's data sheet say.

        Args:
            gripper_from_cam: 4x4. hand_eye: 6x6 of it along the gripper's axes (`robots.HandEyeResult.covariance`).
            kinematics: 6x6 of base_from_gripper along the gripper's axes (an arm that is equally good in every
                direction: the same along any).
        """
        turn, lever = gripper_from_cam[:3, :3].T, np.eye(6)
        lever[:3, 3:] = -skew(gripper_from_cam[:3, 3])
        exact = np.zeros((6, 6))
        moved = exact if kinematics is None else lever @ kinematics @ lever.T
        return cls(rotate_covariance(turn, exact if hand_eye is None else hand_eye), rotate_covariance(turn, moved),
                   latency_s)

    @property
    def causes(self) -> tuple[str, ...]:
        """Errors that are not zero; names as in `state.CAUSES`."""
        given = {"hand_eye": self.hand_eye.any(), "kinematics": self.kinematics.any(), "latency": self.latency_s > 0}
        return tuple(name for name, there in given.items() if there)

    @property
    def shared(self) -> Array:
        """7x7 covariance of the errors shared by all views: hand-eye twist and latency."""
        covariance = np.zeros((SHARED, SHARED))
        covariance[:6, :6], covariance[6, 6] = self.hand_eye, self.latency_s**2
        return covariance


def jacobian(base_from_cam: Array, lever: Array) -> Array:
    """(..., 6, 6): twist of a pose in the base frame (base axes) for a twist of the camera along the camera's own axes.

    lever: (..., 3) from the camera's centre to the pose's origin, base axes; the camera's rotation acts on it.
    """
    turn = base_from_cam[:3, :3]
    result = np.zeros((*lever.shape[:-1], 6, 6))
    result[..., :3, :3] = result[..., 3:, 3:] = turn
    result[..., :3, 3:] = -skew(lever) @ turn
    return result


def velocity(before: Array, after: Array, seconds: float) -> Array:
    """(6,) twist per second of a camera along its own axes, from two base_from_cam; zero where the time is unknown."""
    if not 1e-4 < seconds < 2.0:
        return np.zeros(6)
    turn = after[:3, :3].T
    step = turn @ (after[:3, 3] - before[:3, 3])
    spin = turn @ before[:3, :3]
    return np.concatenate([step, -np.array([spin[2, 1] - spin[1, 2], spin[0, 2] - spin[2, 0],
                                            spin[1, 0] - spin[0, 1]]) / 2]) / seconds
