"""Symmetric objects: one canonical pose of the many that look the same, so that nothing flips between frames."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array

_STEPS = 72  # turns of a continuous symmetry: 5 degrees


def nearest_equivalent(pose: Array, reference: Array, model: ObjectModel) -> Array:
    """Of all poses that look like `pose` (4x4), the one whose rotation is nearest to the reference's."""
    if not model.symmetric:
        return pose
    same = pose @ symmetries(model)
    return np.asarray(same[np.argmax(np.einsum("sij,ij->s", same[:, :3, :3], reference[:3, :3]))])


def canonical(cam_from_obj: Array, model: ObjectModel) -> Array:
    """The equivalent pose whose axes are turned least from the camera's: a choice that depends on what is seen only."""
    return nearest_equivalent(cam_from_obj, np.eye(4), model)


def symmetries(model: ObjectModel) -> Array:
    """All symmetric transforms (S, 4, 4) of the object, the identity first; computed once for each object."""
    return _symmetries(_Key(model))


class _Key:
    """A model as a dictionary key: by identity, for meshes have no cheap hash."""

    def __init__(self, model: ObjectModel) -> None:
        self.model = model

    def __hash__(self) -> int:
        return id(self.model)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.model is self.model


@lru_cache(maxsize=256)
def _symmetries(key: _Key) -> Array:
    return key.model.symmetry_transforms(_STEPS)
