"""Surface model of an object: sample points with normals and colours, and a table of the nearest sample.

Built once when a pipeline starts. A nearest-point query is one table lookup instead of a tree search, so that many
poses can be refined and scored at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posebot.core.coordinates import coordinate_symmetries
from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array
from posebot.stages.geometry.compiled import compiled
from posebot.stages.geometry.mesh_edges import MeshEdges
from posebot.stages.geometry.symmetry import symmetries
from posebot.stages.geometry.templates import Templates

Points = NDArray[np.float32]


class NearestTable(NamedTuple):
    """The nearest sample's index (X, Y, Z) for each cell of a grid of cubes, with its corner (3,) and their side."""

    origin: Points
    cell: float
    sample: NDArray[np.int32]


@dataclass(frozen=True)
class Surface:
    """Samples of one object's surface, metres, object frame.

    Attributes:
        points, normals: float32 (P, 3), in random order (any prefix of them is an even, coarser sample); normals point
            outwards where the mesh's faces do. colors: float32 (P, 3), 0..255, or None for a mesh without colour.
        closed: whether faces that face away are always hidden by others, so that they need not be drawn.
        mesh_edges: edges of the mesh. templates: renderings of it from all sides. near_symmetries: (A, 4, 4), object
            frame, the identity first: rotations that nearly map the shape to itself, whatever its texture; true
            symmetries excluded.
    """

    model: ObjectModel
    points: Points
    normals: Points
    colors: Points | None
    closed: bool
    table: NearestTable = field(repr=False)
    mesh_edges: MeshEdges = field(repr=False)
    templates: Templates | None = field(default=None, repr=False)
    near_symmetries: Array = field(default_factory=lambda: np.eye(4)[None], repr=False)

    @cached_property
    def coordinate_maps(self) -> Array:
        """Maps (S, 3, 4) from points in metres to the coordinates that a network may predict for them, one for each
        discrete symmetry."""
        scale = np.diag(1.0 / self.model.extents)
        normalised = np.vstack([np.column_stack([scale, -scale @ self.model.box_min]), [0, 0, 0, 1]])
        return np.asarray(coordinate_symmetries(self.model) @ normalised)

    @cached_property
    def up_axes(self) -> Array:
        """Directions (U, 3), object frame, that may point up when the object is upright: z and its symmetric images."""
        return np.unique(np.round(symmetries(self.model)[:, :3, 2], 3) + 0.0, axis=0)

    def nearest(self, points_obj: Points) -> NDArray[np.int32]:
        """Index of a sample near each of the points (..., 3), float32, object frame. Exact to about one table cell."""
        origin, cell, sample = self.table
        cells = ((points_obj - origin) * np.float32(1 / cell)).astype(np.int32)
        np.clip(cells, 0, np.array(sample.shape, np.int32) - 1, out=cells)
        return sample[cells[..., 0], cells[..., 1], cells[..., 2]]


@compiled
def nearest(table: NearestTable, point: Array) -> int:
    """`Surface.nearest` of one point (3,)."""
    sample = table.sample
    x = min(max(int((point[0] - table.origin[0]) / table.cell), 0), sample.shape[0] - 1)
    y = min(max(int((point[1] - table.origin[1]) / table.cell), 0), sample.shape[1] - 1)
    z = min(max(int((point[2] - table.origin[2]) / table.cell), 0), sample.shape[2] - 1)
    return sample[x, y, z]
