"""Ground-plane prior: the plane that upright objects have in common corrects each one's distance.

From colour alone, distances err by some percent. How far below the camera the ground is, most objects agree on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.stages.observation.upright import LEAN_SIGMA, lean_cosines
from posebot.stages.settings import DEFAULTS
from posebot.stages.settings.refinement import UprightSettings

Points = NDArray[np.float32]


class GroundContact(NamedTuple):
    """One object of an image.

    level, lowest: height of its origin and of its lowest point along `up`, metres from the camera. lean: radians.
    diameter: metres. trust: how likely the object is there at all.
    """

    level: float
    lowest: float
    lean: float
    diameter: float
    trust: float

    @classmethod
    def of(cls, pose: Array, points: Points, up_axes: Array, diameter: float, trust: float, up: Array) -> GroundContact:
        """points: (P, 3) of the surface, metres, object frame."""
        level = float(pose[:3, 3] @ up)
        lean = float(np.arccos(np.clip(lean_cosines(pose[None], up_axes, up)[0], -1, 1)))
        return cls(level, level + float((points @ (up @ pose[:3, :3])).min()), lean, diameter, trust)


class GroundCorrection(NamedTuple):
    """stretch: added to the distance along the viewing ray, as a share of it. explained: share of the distance's
    variance that this removes. upright: how well attitude and height fit the ground, 0..1; 0 without a ground."""

    stretch: float = 0.0
    explained: float = 0.0
    upright: float = 0.0


def ground_corrections(contacts: Sequence[GroundContact], settings: UprightSettings = DEFAULTS.upright
                       ) -> list[GroundCorrection]:
    """The correction of each object by the common ground; zero for objects that do not stand on it.

    The ground is the weighted median of the lowest points of upright objects. Distances err by a share of themselves
    (`distance_sigma`), so that a camera that looks along the ground gains nothing.
    """
    level, lowest, lean, diameter, trust = np.array(contacts, float).reshape(-1, 5).T
    own = (settings.distance_sigma * level) ** 2
    spread = own + (settings.bottom_sigma * diameter) ** 2
    weight = np.where(lean < 2 * LEAN_SIGMA, trust / np.maximum(spread, 1e-12), 0.0)
    if (weight > 0).sum() < settings.min_contacts:
        return [GroundCorrection()] * len(contacts)
    offset = _weighted_median(lowest, weight) - lowest
    spread = spread + np.pi / 2 * (weight**2 @ spread) / weight.sum() ** 2  # plus that of a median
    grounded = (weight > 0) & (np.abs(offset) < settings.max_ground_sigmas * np.sqrt(spread)) & (level != 0)
    explained = np.where(grounded, own / spread, 0.0)
    upright = np.exp(-0.5 * ((lean / LEAN_SIGMA) ** 2 + offset**2 / spread))
    return [GroundCorrection(float(share * off / height) if share else 0.0, float(share), float(fit))
            for share, off, height, fit in zip(explained, offset, level, upright, strict=True)]


def _weighted_median(values: Array, weights: Array) -> float:
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(cumulative, cumulative[-1] / 2)]])
