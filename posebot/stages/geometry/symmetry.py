"""Symmetric objects: one canonical pose of the many that look alike, so that poses do not flip between frames."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array

_STEPS = 72  # rotations that stand for a continuous symmetry: 5 degrees apart


def nearest_equivalent(pose: Array, reference: Array, model: ObjectModel) -> Array:
    """Of all poses that look like `pose` (4x4), the one whose rotation is nearest to the reference's."""
    if not model.symmetric:
        return pose
    equivalents = pose @ symmetries(model)
    return np.asarray(equivalents[np.argmax(np.einsum("sij,ij->s", equivalents[:, :3, :3], reference[:3, :3]))])


def canonical(cam_from_obj: Array, model: ObjectModel) -> Array:
    """The equivalent pose whose axes are closest to the camera's: a choice that depends on the view alone."""
    return nearest_equivalent(cam_from_obj, np.eye(4), model)


def symmetries(model: ObjectModel) -> Array:
    """All symmetric transforms (S, 4, 4) of the object, the identity first; computed once for each object."""
    return _symmetries(_Key(model))


class _Key:
    """A model as a dictionary key: by identity, since meshes have no cheap hash."""

    def __init__(self, model: ObjectModel) -> None:
        self.model = model

    def __hash__(self) -> int:
        return id(self.model)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.model is self.model


@lru_cache(maxsize=256)
def _symmetries(key: _Key) -> Array:
    return key.model.symmetry_transforms(_STEPS)
