"""Distances that suit parts and camera: how large an object is in the image, and from where it is seen well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from posebot.core.camera import Camera
from posebot.core.objects import Mesh
from posebot.core.transforms import Array

FAR_PIXELS = 60
"""Diameter in the image of the smallest object at the farthest proposed distance: enough to tell its pose."""
MIN_PIXELS = 30
"""Diameter in the image below which an object is hardly found, and its pose hardly known."""
_LARGEST_SHARE = 0.5  # of the image's shorter side: diameter of the largest object at the nearest distance
_MAX_RATIO, _MIN_RATIO = 3.0, 1.5  # farthest / nearest distance
_NEAREST, _FARTHEST = 0.1, 6.0  # metres: what cameras focus on and depth cameras measure
KIT_SIZE = 0.1323
"""Geometric mean of the kit's diameters, metres: the size that scenes are designed for."""


@dataclass(frozen=True)
class ProposedDistance:
    """Nearest and farthest distance, metres, and the objects that are too small or too large for this range.

    Attributes:
        small: labels of objects under `FAR_PIXELS` at the farthest distance.
        large: labels of objects that exceed half of the image's shorter side at the nearest distance.
    """

    near: float
    far: float
    small: tuple[str, ...] = ()
    large: tuple[str, ...] = ()


def object_pixels(camera: Camera, diameter: float, distance: float) -> float:
    """Diameter in pixels of an object of `diameter` (metres) at `distance` (metres): fx diameter / distance."""
    return float(np.sqrt(camera.K[0, 0] * camera.K[1, 1]) * diameter / distance)


def propose_distance(diameters: Mapping[str, float], camera: Camera) -> ProposedDistance:
    """A range of distances for objects of these diameters (metres, by label).

    From the distance at which the largest fills half of the image's shorter side to that at which the smallest has
    `FAR_PIXELS`, at most a factor of 3. Where sizes differ so much that no distance suits all, the largest decides, and
    the small ones are named.
    """
    smallest, largest = min(diameters.values()), max(diameters.values())
    near = object_pixels(camera, largest, 1.0) / (_LARGEST_SHARE * min(camera.width, camera.height))
    far = object_pixels(camera, smallest, 1.0) / FAR_PIXELS
    near = _rounded(np.clip(max(near, far / _MAX_RATIO), _NEAREST, _FARTHEST / _MIN_RATIO))
    far = _rounded(np.clip(far, _MIN_RATIO * near, _FARTHEST))
    limit = _LARGEST_SHARE * min(camera.width, camera.height)
    return ProposedDistance(
        near, far,
        tuple(name for name, size in diameters.items() if object_pixels(camera, size, far) < 0.95 * FAR_PIXELS),
        tuple(name for name, size in diameters.items() if object_pixels(camera, size, near) > 1.05 * limit))


def expected_distance(given: tuple[float, float]) -> str:
    """What would be right instead of a range of distances that is not: the range that was likely meant."""
    near, far = min(given), max(given)
    limits = "nearest-farthest in metres, between 0.05 and 6.5"
    if near > 6.5:  # millimetres
        return f"{limits}: {near / 1000:g}-{far / 1000:g}?"
    return f"{limits}: {near:g}-{far:g}?" if near > 0.05 and far < 6.5 else limits


def scene_scale(diameters: Mapping[str, float]) -> float:
    """How much larger than the kit the objects are (geometric mean): scenes are made in the kit's size, then scaled."""
    return round(float(np.exp(np.mean(np.log(list(diameters.values()))))) / KIT_SIZE, 2)


def shrunk(mesh: Mesh, scale: float) -> Mesh:
    """The mesh of an object in a scene of the kit's size."""
    return mesh if scale == 1 else replace(mesh, vertices=mesh.vertices / scale)


def enlarged(pose: Array, scale: float) -> Array:
    """A pose (4x4, metres) of a scene of the kit's size, in the objects' own size."""
    found = pose.copy()
    found[:3, 3] *= scale
    return found


def _rounded(metres: float) -> float:
    """Two significant digits."""
    return float(f"{metres:.2g}")
