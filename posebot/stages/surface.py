"""An object's surface made quick to ask: sample points with normals and colours, and the nearest of them by table.

Built once when a pipeline starts. A nearest-point query is one table look-up instead of a tree search, so that many
poses can be refined and scored at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, apply, make, rotation_from_vector, vector_from_rotation
from posebot.objects.baking import point_colors
from posebot.objects.geometry import face_vectors, sample_surface

Points = NDArray[np.float32]
MARGIN = 0.3  # of the diameter, around the bounding box: how far the table reaches
_TURNS = 24  # equal turns about each axis of the bounding box that are tried as lookalikes
_ALIKE = 0.012  # mean distance, in diameters, under which two poses of a shape cannot be told apart


@dataclass(frozen=True)
class Surface:
    """Samples of one object's surface, metres, object frame.

    Attributes:
        points, normals: float32 (P, 3), in random order (any head of them is an even, coarser sample); normals point
            outwards where the mesh's faces do. colors: float32 (P, 3), 0..255, or None for a mesh without colour.
        lookalikes: (L, 4, 4), the identity first: turns about the box's axes after which the *shape* is the same within
            1.2 % of the diameter, whatever the print says; true symmetries among them.
    """

    model: ObjectModel
    points: Points
    normals: Points
    colors: Points | None
    lookalikes: Array = field(repr=False)
    _origin: Points = field(repr=False)
    _cell: float = field(repr=False)
    _table: NDArray[np.int32] = field(repr=False)

    def nearest(self, points_obj: Points) -> NDArray[np.int32]:
        """Index of a sample near each of the points (..., 3), float32, object frame. Exact to about one table cell."""
        cells = ((points_obj - self._origin) * np.float32(1 / self._cell)).astype(np.int32)
        np.clip(cells, 0, np.array(self._table.shape, np.int32) - 1, out=cells)
        return self._table[cells[..., 0], cells[..., 1], cells[..., 2]]


def build_surface(model: ObjectModel, count: int = 6000, cells: int = 48) -> Surface:
    """Sample a mesh and fill the table: `count` points, `cells` along the longest side. About 0.1 s."""
    from scipy.spatial import cKDTree

    points, faces, weights = sample_surface(model.mesh, count)
    order = np.random.default_rng(0).permutation(count)
    points, faces, weights = points[order], faces[order], weights[order]
    vectors = face_vectors(model.mesh)[faces]
    normals = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-20)
    colors = point_colors(model.mesh, faces, weights)
    margin = MARGIN * model.diameter
    cell = (float(model.extents.max()) + 2 * margin) / cells
    origin = model.box_min - margin
    shape = np.ceil((model.extents + 2 * margin) / cell).astype(int)
    centers = origin + cell * (np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1) + 0.5)
    tree = cKDTree(points)
    table = tree.query(centers.reshape(-1, 3))[1].astype(np.int32).reshape(shape)
    return Surface(model, points.astype(np.float32), normals.astype(np.float32),
                   None if colors is None else colors.astype(np.float32), _lookalikes(model, points, tree),
                   origin.astype(np.float32), cell, table)


def _lookalikes(model: ObjectModel, points: Array, tree: object) -> Array:
    """Turns about the bounding box's axes, and products of two, that map the surface onto itself. (L, 4, 4)."""
    turns = [make(rotation_from_vector(np.eye(3)[axis] * 2 * np.pi * k / _TURNS))
             for axis in range(3) for k in range(1, _TURNS)]
    flips = [make(rotation_from_vector(np.eye(3)[axis] * np.pi)) for axis in range(3)]
    found = [np.eye(4)]
    for candidate in [*turns, *[turn @ flip for turn in turns for flip in flips]]:
        pose = about(candidate, model.center)
        if _known(pose, found):
            continue
        distance = tree.query(apply(pose, points[:300]))[0].mean()  # type: ignore[attr-defined]
        if distance < _ALIKE * model.diameter + _spacing(model, points):
            found.append(pose)
    return np.stack(found)


def about(turn: Array, center: Array) -> Array:
    """The rotation `turn` (4x4) about a point instead of the origin."""
    return make(turn[:3, :3], center - turn[:3, :3] @ center)


def _known(pose: Array, found: list[Array]) -> bool:
    rotations = np.stack(found)[:, :3, :3]
    return bool((np.linalg.norm(vector_from_rotation(rotations @ pose[:3, :3].T), axis=1) < 1e-3).any())


def _spacing(model: ObjectModel, points: Array) -> float:
    """Mean distance of a surface point to its nearest sample, for an even sample."""
    area = float(np.linalg.norm(face_vectors(model.mesh), axis=1).sum()) / 2
    return 0.5 * float(np.sqrt(area / len(points)))
