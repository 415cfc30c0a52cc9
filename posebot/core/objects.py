"""ObjectModel: a part that posebot knows, its mesh and its symmetries. Metres."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from posebot.core.equality import ArrayEquality
from posebot.core.transforms import Array, make, rotation_from_vector


@dataclass(frozen=True, eq=False, repr=False)
class Mesh(ArrayEquality):
    """A triangle mesh in the object's frame, metres.

    Attributes:
        vertices: float64 (V, 3). faces: int32 (F, 3), counter-clockwise seen from outside.
        colors: uint8 (V, 3) per vertex, or None.
        uv: float64 (V, 2) texture coordinates (v up, as in OBJ), with `texture` uint8 (H, W, 3); both or none.
    """

    vertices: Array
    faces: NDArray[np.int32]
    colors: NDArray[np.uint8] | None = None
    uv: Array | None = None
    texture: NDArray[np.uint8] | None = None

    def __repr__(self) -> str:
        appearance = ", textured" if self.texture is not None else ", vertex colours" if self.colors is not None else ""
        return f"Mesh({len(self.vertices)} vertices, {len(self.faces)} triangles{appearance})"


@dataclass(frozen=True, eq=False)
class ContinuousSymmetry(ArrayEquality):
    """Any rotation about `axis` (unit vector) through `offset` (metres) leaves the object the same."""

    axis: Array
    offset: Array = field(default_factory=lambda: np.zeros(3))


@dataclass(frozen=True, eq=False, repr=False)
class Landmarks(ArrayEquality):
    """Texture landmarks: distinctive points of an object's surface, each with a descriptor of its surroundings.

    Attributes:
        points: float32 (K, 3) metres, object frame. directions: float32 (K, 3) unit vectors towards the viewer that
            each was described from. descriptors: uint8 (K, 128), see `objects.texture_landmarks.detect_and_compute`.
    """

    points: NDArray[np.float32]
    directions: NDArray[np.float32]
    descriptors: NDArray[np.uint8]

    def __repr__(self) -> str:
        return f"Landmarks({len(self.points)})"


@dataclass(frozen=True)
class MeshSource:
    """How the mesh file of an object was read.

    Attributes:
        file: its name. unit: mm, cm, m or in; "scaled" where a measured diameter set the scale.
        unit_from: who said so: "format" (glTF, STEP, 3MF), "given" (--unit), "assumed" (from the size), "diameter".
        symmetries: "detected", "declared" or "none" (declared to have none).
    """

    file: str
    unit: str
    unit_from: str
    symmetries: str = "detected"


@dataclass(frozen=True, eq=False, repr=False)
class ObjectModel(ArrayEquality):
    """One object.

    Attributes:
        obj_id: BOP object number, >= 1. label: short name. mesh: for rendering, comparing and coordinates.
        diameter: largest distance between two points of the surface, metres.
        box_min, extents: the mesh's axis-aligned bounding box in the object frame: lower corner and size (3,), metres.
        symmetries_discrete: list of 4x4 transforms (metres) besides the identity. symmetries_continuous: axes.
        landmarks: of its texture; None where it has no distinctive ones.
        source: the mesh file that it was built from; None where that is not recorded.
    """

    obj_id: int
    label: str
    mesh: Mesh
    diameter: float
    box_min: Array
    extents: Array
    symmetries_discrete: tuple[Array, ...] = ()
    symmetries_continuous: tuple[ContinuousSymmetry, ...] = ()
    landmarks: Landmarks | None = None
    source: MeshSource | None = None

    def __repr__(self) -> str:
        symmetric = ", symmetric" if self.symmetric else ""
        landmarks = "" if self.landmarks is None else f", {self.landmarks!r}"
        return f"ObjectModel({self.obj_id} {self.label!r}, diameter={self.diameter:.3f} m, {self.mesh!r}{symmetric}" \
               f"{landmarks})"

    @property
    def symmetric(self) -> bool:
        return bool(self.symmetries_discrete or self.symmetries_continuous)

    @property
    def center(self) -> Array:
        """Centre of the bounding box (3,), metres, object frame."""
        return self.box_min + self.extents / 2

    def normalise(self, points_obj: Array) -> Array:
        """Object coordinates (..., 3) in metres to [0, 1] in each axis of the bounding box."""
        return (points_obj - self.box_min) / self.extents

    def denormalise(self, coordinates: Array) -> Array:
        """Inverse of `normalise`: [0, 1] to metres."""
        return coordinates * self.extents + self.box_min

    def symmetry_transforms(self, steps: int = 64) -> Array:
        """All symmetric transforms (S, 4, 4), the identity first; each continuous axis in `steps` equal rotations.

        As in BOP (bop_toolkit `get_symmetry_transformations`): every discrete one followed by every rotation of the
        continuous axes; several axes are concatenated, not multiplied. BOP's own evaluation uses
        steps = ceil(pi / 0.01) = 315.
        """
        discrete = [np.eye(4), *self.symmetries_discrete]
        if not self.symmetries_continuous:
            return np.stack(discrete)
        turns = []
        for symmetry in self.symmetries_continuous:
            angles = np.arange(steps) * (2 * np.pi / steps)
            rotations = rotation_from_vector(angles[:, None] * symmetry.axis)
            turns += [make(rotation, symmetry.offset - rotation @ symmetry.offset) for rotation in rotations]
        return np.stack([turn @ d for d in discrete for turn in turns])
