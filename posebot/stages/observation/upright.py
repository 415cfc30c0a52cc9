"""The ground-plane prior: many objects of an image stand upright on common ground, with their meshes' z axes up.

It does not help where parts lie in a bin: `Manifest.upright_prior` is the share of a bundle's objects that are upright.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from posebot.core.transforms import Array

LEAN_SIGMA = float(np.radians(6))  # sigma of the apparent lean of an upright object
OTHER_DENSITY = LEAN_SIGMA**2 / 2  # density of all other attitudes, uniform over the sphere, relative to the peak


class Upright(NamedTuple):
    """up: (3,) unit vector, camera frame, away from the ground. share: of the objects that are upright, 0..1."""

    up: Array
    share: float


UNKNOWN = Upright(np.array([0.0, 0.0, 1.0]), 0.0)
"""No object is known to be upright."""


def up_directions(poses: Array, up_axes: Array) -> Array:
    """Directions (H, U, 3), camera frame, that are up if poses (H, 4, 4) are upright. up_axes: `Surface.up_axes`."""
    return np.einsum("hij,uj->hui", poses[:, :3, :3], up_axes)


def lean_likelihood(cosine: Array) -> Array:
    """Likelihood of leans with these cosines for upright objects, 1 at the peak."""
    return np.asarray(np.exp(-0.5 * (np.arccos(np.clip(cosine, -1, 1)) / LEAN_SIGMA) ** 2))


def lean_cosines(poses: Array, up_axes: Array, up: Array) -> Array:
    """Cosine (H,) of the angle of poses (H, 4, 4) to a direction (3,), the best over `Surface.up_axes` (U, 3)."""
    return np.asarray((up_directions(poses, up_axes) @ up).max(axis=1))


def log_probability(poses: Array, up_axes: Array, upright: Upright) -> Array:
    """Log probability (H,) of the leans of poses (H, 4, 4), relative to that of an upright one."""
    likelihood = lean_likelihood(lean_cosines(poses, up_axes, upright.up))
    other = (1 - upright.share) * OTHER_DENSITY
    return np.asarray(np.log((upright.share * likelihood + other) / (upright.share + other)))


def with_upright_prior(totals: Array, poses: Array, up_axes: Array, upright: Upright | None, weight: float) -> Array:
    """Total scores (H,) of poses (H, 4, 4), reduced for leaning poses where `upright` is known.

    weight: of the log probability of a lean.
    """
    return totals if upright is None else totals + weight * log_probability(poses, up_axes, upright)
