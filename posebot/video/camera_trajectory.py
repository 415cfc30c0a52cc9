"""The path of a wrist camera over a table: smooth, never the same place twice soon, always looking at the table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posebot.core.transforms import Array, make, rotation_from_vector

_DOWN = np.diag([1.0, -1.0, -1.0])  # world_from_cam of a camera that looks straight down, image's right = world x


@dataclass(frozen=True)
class CameraTrajectory:
    """Where the camera is at any time.

    Each coordinate is a sum of two slow sines of its own rates and phases, so that speed and acceleration are bounded:
    at speed 1 the camera moves at up to about 0.15 m/s, as a careful robot does.

    Attributes:
        seed: rates and phases follow from it. center: (3,) metres, what it looks at in the mean. distance: metres,
            in the mean. speed: factor on time.
    """

    seed: int
    center: tuple[float, float, float] = (0.0, 0.0, 0.03)
    distance: float = 0.62
    speed: float = 1.0

    def world_from_cam(self, seconds: float) -> Array:
        """4x4 at a time since the start."""
        rng = np.random.default_rng([self.seed, 4])
        rates, phases = rng.uniform(0.16, 0.34, (7, 2)), rng.uniform(0, 2 * np.pi, (7, 2))
        angles = rates * [1.0, 1.7] * seconds * self.speed + phases
        azimuth, elevation, distance, x, y, roll, tilt = (np.sin(angles) * [0.7, 0.3]).sum(axis=1)
        center = np.add(self.center, [0.05 * x, 0.05 * y, 0])
        # Tilted about the image's right axis and then turned about the vertical: elevations of 40 to 75 degrees.
        lean = np.deg2rad(32.0 + 17.0 * elevation)
        turn = rotation_from_vector([0, 0, np.deg2rad(65.0) * azimuth])
        rotation = turn @ _DOWN @ rotation_from_vector([lean, 0, 0])
        eye = center - rotation[:, 2] * self.distance * (1 + 0.2 * distance)
        wobble = rotation_from_vector([0.05 * tilt, 0, 0.15 * roll])
        return make(rotation @ wobble, eye)
