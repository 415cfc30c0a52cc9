"""Trajectory of a wrist camera over a table: smooth, non-repeating, aimed at the table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posebot.core.transforms import Array, make, rotation_from_vector

_DOWN = np.diag([1.0, -1.0, -1.0])  # world_from_cam rotation, optical axis down, image x = world x


@dataclass(frozen=True)
class CameraTrajectory:
    """Camera pose as a function of time.

    Each coordinate is a sum of two sines with random rates and phases, so that speed and acceleration are bounded: at
    speed 1 the camera moves at up to about 0.15 m/s.

    Attributes:
        seed: of rates and phases. center: (3,) metres, mean target of the optical axis. distance: mean, metres.
            speed: factor on time.
    """

    seed: int
    center: tuple[float, float, float] = (0.0, 0.0, 0.03)
    distance: float = 0.62
    speed: float = 1.0

    def world_from_cam(self, seconds: float) -> Array:
        """Camera pose (4x4) after `seconds`."""
        rng = np.random.default_rng([self.seed, 4])
        rates, phases = rng.uniform(0.16, 0.34, (7, 2)), rng.uniform(0, 2 * np.pi, (7, 2))
        angles = rates * [1.0, 1.7] * seconds * self.speed + phases
        azimuth, elevation, distance, x, y, roll, tilt = (np.sin(angles) * [0.7, 0.3]).sum(axis=1)
        center = np.add(self.center, [0.05 * x, 0.05 * y, 0])
        # Tilt about the image x axis, then rotation about the vertical: elevations of 40 to 75 degrees.
        inclination = np.deg2rad(32.0 + 17.0 * elevation)
        azimuth_rotation = rotation_from_vector([0, 0, np.deg2rad(65.0) * azimuth])
        rotation = azimuth_rotation @ _DOWN @ rotation_from_vector([inclination, 0, 0])
        eye = center - rotation[:, 2] * self.distance * (1 + 0.2 * distance)
        jitter = rotation_from_vector([0.05 * tilt, 0, 0.15 * roll])
        return make(rotation @ jitter, eye)
