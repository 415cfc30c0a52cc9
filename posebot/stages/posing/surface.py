"""An object's surface made quick to ask: sample points with normals and colours, and the nearest of them by table.

Built once when a pipeline starts. A nearest-point query is one table look-up instead of a tree search, so that many
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
from posebot.stages.posing.compiled import compiled
from posebot.stages.posing.creases import Creases
from posebot.stages.posing.symmetry import symmetries
from posebot.stages.posing.templates import Templates

Points = NDArray[np.float32]


class Table(NamedTuple):
    """The nearest sample's index (X, Y, Z) for each cell of a grid of cubes, with its corner (3,) and their side."""

    origin: Points
    cell: float
    sample: NDArray[np.int32]


@dataclass(frozen=True)
class Surface:
    """Samples of one object's surface, metres, object frame.

    Attributes:
        points, normals: float32 (P, 3), in random order (any head of them is an even, coarser sample); normals point
            outwards where the mesh's faces do. colors: float32 (P, 3), 0..255, or None for a mesh without colour.
        closed: whether faces that look away are always hidden by others, so that they need not be drawn.
        creases: the mesh's edges. templates: drawings of it from all sides. ambiguities: (A, 4, 4), object frame, the
            identity first: turns after which the shape nearly covers itself, whatever the print says; true symmetries
            left out.
    """

    model: ObjectModel
    points: Points
    normals: Points
    colors: Points | None
    closed: bool
    table: Table = field(repr=False)
    creases: Creases = field(repr=False)
    templates: Templates | None = field(default=None, repr=False)
    ambiguities: Array = field(default_factory=lambda: np.eye(4)[None], repr=False)

    @cached_property
    def coordinate_maps(self) -> Array:
        """Maps (S, 3, 4) from points in metres to the coordinates that a network may give them, one for each discrete
        symmetry."""
        scale = np.diag(1.0 / self.model.extents)
        normalised = np.vstack([np.column_stack([scale, -scale @ self.model.box_min]), [0, 0, 0, 1]])
        return np.asarray(coordinate_symmetries(self.model) @ normalised)

    @cached_property
    def uprights(self) -> Array:
        """Directions (U, 3), object frame, that may point up when it stands: z, and what symmetry makes of that."""
        return np.unique(np.round(symmetries(self.model)[:, :3, 2], 3) + 0.0, axis=0)

    def nearest(self, points_obj: Points) -> NDArray[np.int32]:
        """Index of a sample near each of the points (..., 3), float32, object frame. Exact to about one table cell."""
        origin, cell, sample = self.table
        cells = ((points_obj - origin) * np.float32(1 / cell)).astype(np.int32)
        np.clip(cells, 0, np.array(sample.shape, np.int32) - 1, out=cells)
        return sample[cells[..., 0], cells[..., 1], cells[..., 2]]


@compiled
def nearest(table: Table, point: Array) -> int:
    """`Surface.nearest` of one point (3,)."""
    sample = table.sample
    x = min(max(int((point[0] - table.origin[0]) / table.cell), 0), sample.shape[0] - 1)
    y = min(max(int((point[1] - table.origin[1]) / table.cell), 0), sample.shape[1] - 1)
    z = min(max(int((point[2] - table.origin[2]) / table.cell), 0), sample.shape[2] - 1)
    return sample[x, y, z]
