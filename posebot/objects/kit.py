"""The kit: eight procedural objects, each with a different difficulty. `posebot objects kit` writes them.

| obj_id | label   | difficulty                                        | symmetry                                     |
|--------|---------|---------------------------------------------------|----------------------------------------------|
| 1      | tea_box | sides differ in texture only                      | none (the shape has, the texture breaks it)  |
| 2      | can     | round; rotation visible in the texture only       | none (the shape has, the texture breaks it)  |
| 3      | mug     | handle may be occluded; two colours               | none                                         |
| 4      | bracket | textureless, thin walls, holes                    | none (a mirror plane is not a rotation)      |
| 5      | flange  | four indistinguishable poses                      | discrete: 4-fold about z                     |
| 6      | spool   | surface of revolution, top equals bottom          | continuous about z, discrete: 180° about x   |
| 7      | spanner | 8 mm thin, nearly identical faces                 | none                                         |
| 8      | elbow   | polished brass: specular reflections, weak edges  | none                                         |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from posebot.core.objects import ContinuousSymmetry, Mesh, ObjectModel
from posebot.core.transforms import Array, make, rotation_from_vector
from posebot.objects import kit_shapes, kit_textures
from posebot.objects.bop_models import METRES_PER_MM, make_object, save_objects
from posebot.objects.geometry import bounds, scaled, split_sharp_edges, translated
from posebot.objects.materials import SurfaceMaterial, save_materials
from posebot.objects.mesh_io import write_mesh
from posebot.objects.texture_atlas import Atlas
from posebot.objects.topology import merge_duplicate_vertices

BOX_SIZE = (65.0, 95.0, 140.0)
KIT_MATERIALS = {
    1: SurfaceMaterial(0.55), 2: SurfaceMaterial(0.35), 3: SurfaceMaterial(0.15), 4: SurfaceMaterial(0.45, 0.7),
    5: SurfaceMaterial(0.7, 0.2), 6: SurfaceMaterial(0.5), 7: SurfaceMaterial(0.3, 1.0), 8: SurfaceMaterial(0.12, 1.0),
}


def build_kit() -> dict[int, ObjectModel]:
    """The kit's object models by object ID: metres, origin at the bounding box centre. Deterministic."""
    rotations = tuple(make(rotation_from_vector([0, 0, quarter * np.pi / 2]).round()) for quarter in (1, 2, 3))
    flip, axis = make(np.diag([1.0, -1.0, -1.0])), ContinuousSymmetry(np.array([0.0, 0.0, 1.0]))
    return {
        1: _object(1, "tea_box", _tea_box()),
        2: _object(2, "can", _can()),
        3: _object(3, "mug", _mug_colors(kit_shapes.mug())),
        4: _object(4, "bracket", _uniform_color(kit_shapes.bracket, (158, 162, 168))),
        5: _object(5, "flange", _uniform_color(kit_shapes.flange, (52, 70, 92)), rotations),
        6: _object(6, "spool", _uniform_color(kit_shapes.spool, (226, 112, 32)), (flip,), (axis,)),
        7: _object(7, "spanner", _uniform_color(kit_shapes.spanner, (188, 190, 194))),
        8: _object(8, "elbow", _uniform_color(kit_shapes.elbow, (202, 160, 74))),
    }


def write_kit(folder: str | Path) -> Path:
    """Write the kit to `folder`: models/ (BOP), stl/ (millimetres, for 3-D printing), glb/ (metres, with colours).

    Returns:
        The models folder.
    """
    root = Path(folder)
    kit = build_kit()
    for name in ("models", "stl", "glb"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for model in kit.values():
        write_mesh(root / f"stl/{model.label}.stl", scaled(model.mesh, 1 / METRES_PER_MM))
        write_mesh(root / f"glb/{model.label}.glb", model.mesh)
    save_materials(root / "models", KIT_MATERIALS)
    save_objects(root / "models", kit)
    return root / "models"


def _object(
    obj_id: int, label: str, mesh_mm: Mesh, symmetries_discrete: tuple[Array, ...] = (),
    symmetries_continuous: tuple[ContinuousSymmetry, ...] = (),
) -> ObjectModel:
    low, size = bounds(mesh_mm)
    mesh = scaled(translated(mesh_mm, -(low + size / 2)), METRES_PER_MM)
    return make_object(obj_id, label, mesh, symmetries_discrete, symmetries_continuous)


def _uniform_color(shape: Callable[[], Mesh], color: tuple[int, int, int]) -> Mesh:
    mesh = shape()
    return split_sharp_edges(replace(mesh, colors=np.tile(np.array(color, dtype=np.uint8), (len(mesh.vertices), 1))))


def _mug_colors(mesh: Mesh) -> Mesh:
    """Vertex colours of the mug: teal outside, cream inside and on the rim."""
    radius, z = np.hypot(mesh.vertices[:, 0], mesh.vertices[:, 1]), mesh.vertices[:, 2]
    inside = (z > 87.0) & (radius < 42.5) | (z > 5.5) & (radius < 38.5)
    cream, teal = np.array([[240, 232, 214], [22, 112, 122]], dtype=np.uint8)
    colors = np.where(inside[:, None], cream, teal)
    return split_sharp_edges(replace(mesh, colors=colors))


def _tea_box() -> Mesh:
    mesh, sides = kit_shapes.rounded_box(BOX_SIZE, radius=2.5)
    scale = 3.0
    atlas = Atlas(1024, 768, scale)
    uv = np.zeros((len(mesh.vertices), 2))
    for side, chart in enumerate(kit_textures.box_sides(BOX_SIZE, scale)):
        to_uv, axes = atlas.add(chart), kit_shapes.side_axes(side)
        right, up = (mesh.vertices[sides == side] @ axes[:2].T).T
        uv[sides == side] = to_uv(np.stack([chart.size[0] / 2 + right, chart.size[1] / 2 - up], axis=1))
    return replace(mesh, uv=uv, texture=atlas.texture)


def _can() -> Mesh:
    profile, scale = kit_shapes.can_profile(), 4.6
    heights, around = np.ptp(profile[:, 1]), 2 * np.pi * profile[:, 0].max()
    atlas = Atlas(1024, 832, scale)
    lid_size = 2 * profile[kit_shapes.CAN_LID][0, 0]
    side = atlas.add(kit_textures.can_label(around, float(heights), scale))
    lid, bottom = atlas.add(kit_textures.can_lid(lid_size, scale)), atlas.add(kit_textures.can_bottom(lid_size, scale))
    parts = []
    for points, kind in ((profile[kit_shapes.CAN_BOTTOM], "bottom"), (profile[kit_shapes.CAN_SIDE], "side"),
                         (profile[kit_shapes.CAN_LID], "lid")):
        part, share = kit_shapes.surface_of_revolution(points)
        x, y, z = part.vertices.T
        if kind == "side":
            uv = side(np.stack([share * around, heights - z], axis=1))
        elif kind == "lid":
            uv = lid(np.stack([lid_size / 2 + x, lid_size / 2 - y], axis=1))
        else:
            uv = bottom(np.stack([lid_size / 2 - x, lid_size / 2 - y], axis=1))
        parts.append(replace(part, uv=uv))
    return merge_duplicate_vertices(replace(kit_shapes.concatenated(parts), texture=atlas.texture))
