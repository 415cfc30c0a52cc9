"""Object coordinates as networks learn them, 0..1 over the bounding box, and what symmetries make of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, inverse, make


def facing(model: ObjectModel, cam_from_obj: Array) -> Array:
    """`obj_from_turned` (4x4): turns a continuously symmetric object about its axis so that one fixed side faces the
    camera.

    All poses that look the same then have the same coordinates, and there is one truth to learn. Identity for others.
    """
    if not model.symmetries_continuous:
        return np.eye(4)
    symmetry = model.symmetries_continuous[0]
    axis = symmetry.axis / np.linalg.norm(symmetry.axis)
    eye = inverse(cam_from_obj)[:3, 3] - symmetry.offset
    toward = eye - (eye @ axis) * axis
    length = np.linalg.norm(toward)
    if length < 1e-6:  # seen along the axis: every side faces the camera alike
        return np.eye(4)
    seed = np.eye(3)[int(np.argmin(np.abs(axis)))]
    x = np.cross(axis, np.cross(seed, axis))
    x /= np.linalg.norm(x)
    basis = np.stack([x, np.cross(axis, x), axis], axis=1)
    turned = np.stack([toward / length, np.cross(axis, toward / length), axis], axis=1)
    rotation = turned @ basis.T
    return make(rotation, symmetry.offset - rotation @ symmetry.offset)


def coordinate_symmetries(model: ObjectModel) -> NDArray[np.float32]:
    """Maps of normalised coordinates (S, 3, 4) that leave the object the same: discrete symmetries, the identity first.

    Applied to coordinates of the `facing` pose they give all truths that a prediction may be compared with.
    """
    scale, offset = np.diag(1.0 / model.extents), model.box_min
    maps = []
    for transform in [np.eye(4), *model.symmetries_discrete]:
        back = inverse(transform)
        linear = scale @ back[:3, :3] @ np.diag(model.extents)
        shift = scale @ (back[:3, :3] @ offset + back[:3, 3] - offset)
        maps.append(np.concatenate([linear, shift[:, None]], axis=1))
    return np.stack(maps).astype(np.float32)
