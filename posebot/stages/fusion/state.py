"""The filter of one hypothesis: a pose, its covariance by cause, and how far the evidence supports it.

A Kalman filter with consider parameters (Schmidt, "Application of state-space methods to navigation problems", 1966):
the estimate's error is written as an independent part plus `sensitivity` times errors c that all views share (hand-eye,
latency). c is never estimated; it enters every gain and stays in the covariance however many views come.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, make, rotation_from_vector
from posebot.stages.fusion.error import SHARED
from posebot.stages.geometry.symmetry import nearest_equivalent

GATE = 22.5  # chi-square with 6 degrees of freedom, 99.9 %
CAUSES = ("vision", "hand_eye", "kinematics", "latency", "total")
_HALF_TURN = 3.1  # radians
_MM_DEG = np.array([1000.0, 180 / np.pi])


@dataclass(frozen=True, eq=False)
class Measurement:
    """One estimate in the base frame.

    Attributes:
        pose: base_from_obj. vision, kinematics: 6x6 covariances along the base's axes, independent of other views.
        sensitivity: (6, 7), to the errors that all views share. p: probability that the pose is right.
    """

    pose: Array
    vision: Array
    kinematics: Array
    sensitivity: Array
    p: float


@dataclass(eq=False)  # two hypotheses are the same only if they are one
class Hypothesis:
    """One pose that a track may have. Fields as in `Measurement`; support: log odds that it is right."""

    pose: Array
    vision: Array
    kinematics: Array
    sensitivity: Array
    support: float
    views: int = 1
    shared: Array = field(default_factory=lambda: np.zeros((SHARED, SHARED)))

    @property
    def covariance(self) -> Array:
        """6x6 along the base's axes, all causes together."""
        return self.vision + self.kinematics + self.sensitivity @ self.shared @ self.sensitivity.T

    def reached(self, radius: float) -> float:
        """Probability that the robot's errors move the object's origin by less than `radius` metres (Maxwell)."""
        robot = self.kinematics + self.sensitivity @ self.shared @ self.sensitivity.T
        ratio = radius / math.sqrt(max(robot[0, 0] + robot[1, 1] + robot[2, 2], 1e-18) / 3)
        return math.erf(ratio / math.sqrt(2)) - math.sqrt(2 / math.pi) * ratio * math.exp(-ratio**2 / 2)

    def budget(self) -> dict[str, tuple[float, float]]:
        """One sigma (mm, degrees) of each cause and of all together; names as in `posebot.robots.error_budget`."""
        shared = (self.sensitivity @ self.shared) * self.sensitivity  # hand-eye and latency are independent
        parts = np.array([self.vision.diagonal(), shared[:, :6].sum(axis=1), self.kinematics.diagonal(), shared[:, 6],
                          np.zeros(6)])
        parts[4] = parts.sum(axis=0)
        sigmas = np.sqrt(parts.reshape(5, 2, 3).sum(axis=2)) * _MM_DEG
        return {name: (mm, deg) for name, (mm, deg) in zip(CAUSES, sigmas.tolist())}


def aligned(pose: Array, reference: Array, model: ObjectModel) -> Array:
    """The pose that looks like `pose` and is turned least from the reference, exact about continuous axes too."""
    pose = nearest_equivalent(pose, reference, model)
    for symmetry in model.symmetries_continuous:
        between = pose[:3, :3].T @ reference[:3, :3]
        odd = np.array([between[2, 1] - between[1, 2], between[0, 2] - between[2, 0], between[1, 0] - between[0, 1]])
        angle = np.arctan2(symmetry.axis @ odd, np.trace(between) - symmetry.axis @ between @ symmetry.axis)
        turn = rotation_from_vector(angle * symmetry.axis)
        pose = pose @ make(turn, symmetry.offset - turn @ symmetry.offset)
    return pose


def compare(measured: Measurement, hypothesis: Hypothesis, model: ObjectModel) -> tuple[float, Array, Array]:
    """Squared Mahalanobis distance, the innovation (6,) and its covariance (6, 6)."""
    step = _step(aligned(measured.pose, hypothesis.pose, model), hypothesis.pose)
    apart = measured.sensitivity - hypothesis.sensitivity
    spread = (measured.vision + measured.kinematics + hypothesis.vision + hypothesis.kinematics
              + apart @ hypothesis.shared @ apart.T)
    return float(step @ np.linalg.solve(spread, step)), step, spread


def update(hypothesis: Hypothesis, measured: Measurement, step: Array, spread: Array) -> None:
    """Take a measurement in (Joseph's form, so that covariances stay positive)."""
    common = hypothesis.sensitivity @ hypothesis.shared @ (hypothesis.sensitivity - measured.sensitivity).T
    gain = np.linalg.solve(spread, (hypothesis.vision + hypothesis.kinematics + common).T).T
    rest = np.eye(6) - gain
    hypothesis.pose = _moved(hypothesis.pose, gain @ step)
    hypothesis.vision = rest @ hypothesis.vision @ rest.T + gain @ measured.vision @ gain.T
    hypothesis.kinematics = rest @ hypothesis.kinematics @ rest.T + gain @ measured.kinematics @ gain.T
    hypothesis.sensitivity = rest @ hypothesis.sensitivity + gain @ measured.sensitivity
    hypothesis.views += 1


def _moved(pose: Array, twist: Array) -> Array:
    """`transforms.perturb` of one pose, with the rotation as a quaternion: faster."""
    x, y, z = twist[3:].tolist()
    angle = math.sqrt(x * x + y * y + z * z)
    share = math.sin(angle / 2) / angle if angle > 1e-9 else 0.5
    w, x, y, z = math.cos(angle / 2), share * x, share * y, share * z
    result = pose.copy()
    result[:3, :3] = np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                               [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                               [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]]) @ pose[:3, :3]
    result[:3, 3] += twist[:3]
    return result


def _step(pose: Array, reference: Array) -> Array:
    """`transforms.difference` without its care for half turns, where only the angle is kept: faster."""
    turn = pose[:3, :3] @ reference[:3, :3].T
    odd = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
    sine = math.sqrt(odd @ odd)
    angle = math.atan2(sine, (turn[0, 0] + turn[1, 1] + turn[2, 2] - 1) / 2)
    if angle > _HALF_TURN:
        odd, sine = np.array([1.0, 0.0, 0.0]), 1.0
    return np.concatenate([pose[:3, 3] - reference[:3, 3], odd * (angle / sine if sine > 1e-12 else 1.0)])
