"""Near symmetries of an object: rotations that nearly map its shape to itself, whatever its texture.

A pose that is wrong by one of them fits the evidence almost as well as the correct one, and a local refinement never
gets from one to the other: so each good pose is also tried mapped by all of them.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from posebot.core.transforms import Array, make, rotation_from_vector
from posebot.stages.geometry.surface import Surface
from posebot.stages.geometry.symmetry import symmetries
from posebot.stages.refinement import icp
from posebot.stages.settings import DEFAULTS, PoseSettings


def near_symmetries(surface: Surface, settings: PoseSettings = DEFAULTS) -> Array:
    """Transforms (A, 4, 4), object frame, the identity first and true symmetries excluded. About 0.1 s."""
    model, own = surface.model, settings.near_symmetries
    rotations = np.stack([make(rotation[:3, :3], model.center - rotation[:3, :3] @ model.center)
                          for rotation in _rotations(own.rotations)])
    # the axis need not go through the center of the box (a mug's does not): ICP of the shape to itself finds it
    points = surface.points[:own.points]
    ones = np.ones(len(points), np.float32)
    mapped = icp.refine(rotations, surface, points, ones, np.array(own.icp_widths) * model.diameter, False,
                        settings.refinement.depth)
    there = np.einsum("hji,hnj->hni", mapped[:, :3, :3], points[None] - mapped[:, None, :3, 3]).astype(np.float32)
    distance = np.linalg.norm(there - surface.points[surface.nearest(there)], axis=-1)
    cost = np.minimum(distance, own.max_point_distance * model.diameter).mean(axis=1)
    order = np.argsort(cost)
    accepted = mapped[order[cost[order] < own.max_distance * model.diameter]]
    return _distinct(accepted, symmetries(model), own.min_angle_deg)


def _rotations(count: int) -> list[Array]:
    axes = np.eye(3)
    turns = [make(rotation_from_vector(axis * 2 * np.pi * k / count)) for axis in axes for k in range(count)]
    flips = [make(rotation_from_vector(axis * np.pi)) for axis in axes]
    return turns + [turn @ flip for turn, flip in product(turns, flips)]


def _distinct(poses: Array, same: Array, min_angle_deg: float) -> Array:
    """The identity and those poses that are rotated against all earlier ones and their symmetric images."""
    kept = [np.eye(4)]
    for pose in poses:
        rotations = np.stack(kept)[:, None, :3, :3] @ same[None, :, :3, :3]
        cosine = (np.einsum("ksij,ij->ks", rotations, pose[:3, :3]) - 1) / 2
        if cosine.max() < np.cos(np.radians(min_angle_deg)):
            kept.append(pose)
    return np.stack(kept)
