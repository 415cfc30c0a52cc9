"""Reading meshes (STL, OBJ, PLY, GLB, GLTF, OFF) and writing PLY as BOP wants it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import MeshError, MissingFileError
from posebot.core.files import write_atomic
from posebot.core.objects import Mesh
from posebot.objects.geometry import vertex_normals

SUFFIXES = (".stl", ".obj", ".ply", ".glb", ".gltf", ".off")
_EXPECTED = f"a triangle mesh ({', '.join(suffix[1:].upper() for suffix in SUFFIXES)})"


def read_mesh(path: str | Path, unit: float = 1.0) -> Mesh:
    """The mesh in a file; its vertices times `unit`, so that 0.001 reads a file in millimetres as metres.

    Keeps one texture, or vertex colours, or the material's plain colour. Parts of a scene are joined in place.
    Raises:
        InputError: no such file, unknown kind, damaged, without triangles, or a texture it names is missing.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(path, "no such file", _EXPECTED)
    if path.suffix.lower() not in SUFFIXES:
        raise MeshError(path, f"unknown kind of file '{path.suffix}'", _EXPECTED)
    _require_ply_texture(path)
    try:
        mesh = _load(path)
    except Exception as error:  # trimesh and Pillow raise errors of every kind on damaged files
        detail = " ".join(str(error).split())[:120] or type(error).__name__
        raise MeshError(path, f"cannot be read as {path.suffix[1:].upper()} ({detail})", _EXPECTED) from error
    if mesh is None:
        raise MeshError(path, "holds no triangles", _EXPECTED)
    _require_sound(mesh, path)
    return Mesh(mesh.vertices * unit, mesh.faces, mesh.colors, mesh.uv, mesh.texture)


def write_ply(path: str | Path, mesh: Mesh) -> None:
    """Write a binary PLY with normals and vertex colours, or texture_u/v and a PNG of the same name beside it.

    Numbers are stored as they are, as float32: scale to millimetres first where BOP reads it. A file that was there
    before is replaced in one step.
    """
    path = Path(path)
    columns: list[tuple[str, str, NDArray[Any]]] = []
    columns += [(name, "<f4", mesh.vertices[:, i]) for i, name in enumerate("xyz")]
    normals = vertex_normals(mesh)
    columns += [(name, "<f4", normals[:, i]) for i, name in enumerate(("nx", "ny", "nz"))]
    comments = ["posebot"]
    if mesh.texture is not None and mesh.uv is not None:
        columns += [(name, "<f4", mesh.uv[:, i]) for i, name in enumerate(("texture_u", "texture_v"))]
        texture = path.with_suffix(".png")
        comments.append(f"TextureFile {texture.name}")
        write_atomic(texture, _png(mesh.texture))
    elif mesh.colors is not None:
        columns += [(name, "u1", mesh.colors[:, i]) for i, name in enumerate(("red", "green", "blue"))]
    write_atomic(path, _ply(columns, mesh.faces, comments))


def write_mesh(path: str | Path, mesh: Mesh) -> None:
    """Write STL (shape only) or GLB (with colours or texture), as the suffix says. Numbers are stored as they are."""
    from trimesh import Trimesh
    from trimesh.visual import ColorVisuals, TextureVisuals
    from trimesh.visual.material import PBRMaterial

    path = Path(path)
    visual: Any = None
    if mesh.texture is not None and mesh.uv is not None:
        from PIL import Image

        material = PBRMaterial(baseColorTexture=Image.fromarray(mesh.texture), metallicFactor=0.0, roughnessFactor=0.5)
        visual = TextureVisuals(uv=mesh.uv, material=material)
    elif mesh.colors is not None:
        visual = ColorVisuals(vertex_colors=mesh.colors)
    whole = Trimesh(mesh.vertices, mesh.faces, visual=visual, vertex_normals=vertex_normals(mesh), process=False)
    content: Any = whole.export(file_type=path.suffix[1:].lower())
    write_atomic(path, content)


def _ply(columns: list[tuple[str, str, NDArray[Any]]], faces: NDArray[np.int32], comments: list[str]) -> bytes:
    vertices = np.zeros(len(columns[0][2]), dtype=[(name, kind) for name, kind, _ in columns])
    for name, _, values in columns:
        vertices[name] = values
    triangles = np.zeros(len(faces), dtype=[("count", "u1"), ("indices", "<i4", 3)])
    triangles["count"], triangles["indices"] = 3, faces
    names = {"<f4": "float", "u1": "uchar"}
    header = ["ply", "format binary_little_endian 1.0", *(f"comment {line}" for line in comments)]
    header += [f"element vertex {len(vertices)}", *(f"property {names[kind]} {name}" for name, kind, _ in columns)]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header"]
    return "\n".join(header).encode() + b"\n" + vertices.tobytes() + triangles.tobytes()


def _png(rgb: NDArray[np.uint8]) -> bytes:
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG")
    return buffer.getvalue()


def _load(path: Path) -> Mesh | None:
    """All triangles of a file, or None if it has none."""
    import trimesh

    scene = trimesh.load_scene(path, process=False)
    parts = [part for part in scene.dump() if isinstance(part, trimesh.Trimesh) and len(part.faces)]
    if not parts:
        return None
    if path.suffix.lower() == ".stl":  # a STL repeats every vertex for each of its triangles
        for part in parts:
            part.merge_vertices()
    if len({getattr(part.visual, "kind", None) for part in parts}) > 1:  # colours at vertices suit printed and painted
        return _painted_together([_to_mesh(part) for part in parts])
    return _to_mesh(trimesh.util.concatenate(parts) if len(parts) > 1 else parts[0])


def _painted_together(parts: list[Mesh]) -> Mesh:
    from posebot.objects.baking import with_vertex_colors

    painted = [with_vertex_colors(part) for part in parts]
    starts = np.cumsum([0, *(len(part.vertices) for part in painted)])
    faces = [part.faces + start for part, start in zip(painted, starts, strict=False)]
    colors = [part.colors for part in painted if part.colors is not None]
    return Mesh(np.concatenate([part.vertices for part in painted]), np.concatenate(faces).astype(np.int32),
                np.concatenate(colors))


def _to_mesh(loaded: Any) -> Mesh:
    """A trimesh.Trimesh as Mesh."""
    vertices, faces = np.array(loaded.vertices, dtype=float), np.array(loaded.faces, dtype=np.int32)
    visual = loaded.visual
    if visual.kind == "face":  # a vertex of its own for each corner, to carry its face's colour
        colors = np.repeat(np.asarray(visual.face_colors)[:, :3], 3, axis=0).astype(np.uint8)
        return Mesh(vertices[faces].reshape(-1, 3), np.arange(3 * len(faces), dtype=np.int32).reshape(-1, 3), colors)
    if visual.kind == "vertex":
        return Mesh(vertices, faces, np.asarray(visual.vertex_colors)[:, :3].astype(np.uint8))
    if visual.kind == "texture":
        return _with_material(vertices, faces, visual)
    return Mesh(vertices, faces)


def _with_material(vertices: NDArray[np.float64], faces: NDArray[np.int32], visual: Any) -> Mesh:
    image = getattr(visual.material, "baseColorTexture", None) or getattr(visual.material, "image", None)
    if image is not None and visual.uv is not None:
        return Mesh(vertices, faces, None, np.asarray(visual.uv, dtype=float), np.array(image.convert("RGB")))
    color = getattr(visual.material, "main_color", None)
    if color is None:
        return Mesh(vertices, faces)
    return Mesh(vertices, faces, np.tile(np.asarray(color)[:3].astype(np.uint8), (len(vertices), 1)))


def _require_ply_texture(path: Path) -> None:
    if path.suffix.lower() != ".ply":
        return
    with path.open("rb") as file:
        header = file.read(4096).split(b"end_header")[0].decode("ascii", "replace")
    for line in header.splitlines():
        if line.startswith("comment TextureFile "):
            texture = path.parent / line.removeprefix("comment TextureFile ").strip()
            if not texture.is_file():
                raise MeshError(path, f"its texture {texture.name} is missing", "it must lie beside the mesh")


def _require_sound(mesh: Mesh, path: Path) -> None:
    if not np.isfinite(mesh.vertices).all():
        raise MeshError(path, "holds vertices that are not finite numbers", "every coordinate must be a number")
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise MeshError(path, "faces name vertices that do not exist", f"indices 0 to {len(mesh.vertices) - 1}")
