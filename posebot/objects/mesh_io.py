"""Mesh I/O: reads STL, OBJ, PLY, GLB, GLTF, OFF, 3MF and STEP; writes BOP-compatible PLY, STL and GLB."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import MeshError, MissingFileError, PosebotError
from posebot.core.files import write_atomic
from posebot.core.objects import Mesh
from posebot.objects.cad_files import STEP_SUFFIXES, read_body, split_body
from posebot.objects.geometry import vertex_normals

SUFFIXES = (".stl", ".obj", ".ply", ".glb", ".gltf", ".off", ".3mf", *STEP_SUFFIXES)
_EXPORT = "export it as STEP, or as STL with a chord tolerance of 0.05 mm"
_OTHER_CAD = {
    "SolidWorks": ".sldprt .sldasm", "Inventor": ".ipt .iam", "CATIA": ".catpart .catproduct .cgr",
    "NX or Creo": ".prt", "Creo": ".asm", "Solid Edge": ".par .psm", "Fusion": ".f3d .f3z",
    "IGES": ".iges .igs", "AutoCAD": ".dwg .dxf",
    "Parasolid": ".x_t .x_b", "ACIS": ".sat .sab", "JT": ".jt", "Rhino": ".3dm", "SketchUp": ".skp",
    "FreeCAD": ".fcstd",
}
_OTHER_MESH = {
    "Blender": ".blend", "FBX": ".fbx", "COLLADA": ".dae", "3ds Max": ".max .3ds", "Cinema 4D": ".c4d",
    "USD": ".usd .usda .usdc .usdz", "VRML": ".wrl", "AMF": ".amf",
}
_EXPECTED = f"a triangle mesh ({', '.join(suffix[1:].upper() for suffix in SUFFIXES)})"


def read_mesh(path: str | Path, unit: float = 1.0) -> Mesh:
    """Read a mesh file; vertices are multiplied by `unit` (0.001 reads millimetres as metres).

    STEP and 3MF files say their unit: they are read as millimetres. `part.step#NAME` reads one of several bodies.
    Keeps one texture, vertex colours, or the uniform colour of the material. Parts of a scene are concatenated in
    world coordinates.

    Raises:
        InputError: the file or its texture is missing, or the format is unsupported, unreadable or without triangles.
    """
    path, body = split_body(path)
    if path.is_dir():
        raise MissingFileError(path, "is a folder", f"the files in it: {path}/*")
    if not path.is_file():
        raise MissingFileError(path, "no such file", _EXPECTED)
    if path.suffix.lower() not in SUFFIXES:
        raise MeshError(path, f"unsupported format '{path.suffix}'", _instead(path.suffix.lower()))
    _check_ply_texture(path)
    try:
        mesh = _load(path, body)
    except PosebotError:
        raise
    except Exception as error:  # trimesh and Pillow raise various errors on corrupt files
        detail = " ".join(str(error).split())[:120] or type(error).__name__
        raise MeshError(path, f"cannot be read as {path.suffix[1:].upper()} ({detail})", _EXPECTED) from error
    if mesh is None:
        raise MeshError(path, "contains no triangles", _EXPECTED)
    _validate(mesh, path)
    return Mesh(mesh.vertices * unit, mesh.faces, mesh.colors, mesh.uv, mesh.texture)


def write_ply(path: str | Path, mesh: Mesh) -> None:
    """Write a binary PLY with normals and vertex colours, or texture_u/v and a PNG of the same name beside it.

    Coordinates are stored as float32 without conversion: scale to millimetres first for BOP. Written atomically.
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
    """Write STL (shape only) or GLB (with colours or texture), by suffix. Coordinates are stored without conversion."""
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
    trimesh_mesh = Trimesh(mesh.vertices, mesh.faces, visual=visual, vertex_normals=vertex_normals(mesh), process=False)
    content: Any = trimesh_mesh.export(file_type=path.suffix[1:].lower())
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


def _instead(suffix: str) -> str:
    """What to do with a file of a format that is not read."""
    for programs, what in ((_OTHER_CAD, _EXPORT), (_OTHER_MESH, "export it as GLB, or as OBJ with its texture")):
        for program, suffixes in programs.items():
            if suffix in suffixes.split():
                return f"it is a file of {program}: {what}"
    return _EXPECTED


def _load(path: Path, body: str | None) -> Mesh | None:
    """All triangles of a file, or of one body; None if it contains none."""
    import trimesh

    if path.suffix.lower() in (".3mf", *STEP_SUFFIXES):
        bodies = read_body(path, body)
        if not bodies:
            return None
        mesh = _merged(bodies)
        uniform = mesh.colors is not None and bool((mesh.colors == mesh.colors[:1]).all())
        return replace(mesh, colors=None) if uniform else mesh  # a CAD program's colour is not that of the part
    if body is not None:
        raise MeshError(path, f"'#{body}': a file of this format has no named bodies", "STEP or 3MF, or leave it out")
    scene = trimesh.load_scene(path, process=False)
    parts = [part for part in scene.dump() if isinstance(part, trimesh.Trimesh) and len(part.faces)]
    if not parts:
        return None
    if path.suffix.lower() == ".stl":  # STL stores three vertices per triangle
        for part in parts:
            part.merge_vertices()
    return _merged(parts)


def _merged(parts: list[Any]) -> Mesh:
    """Parts (trimesh.Trimesh) as one mesh."""
    import trimesh

    if len({getattr(part.visual, "kind", None) for part in parts}) > 1:  # vertex colours can represent both
        return _concatenate_with_vertex_colors([_to_mesh(part) for part in parts])
    return _to_mesh(trimesh.util.concatenate(parts) if len(parts) > 1 else parts[0])


def _concatenate_with_vertex_colors(parts: list[Mesh]) -> Mesh:
    from posebot.objects.baking import bake_vertex_colors

    colored = [bake_vertex_colors(part) for part in parts]
    starts = np.cumsum([0, *(len(part.vertices) for part in colored)])
    faces = [part.faces + start for part, start in zip(colored, starts, strict=False)]
    colors = [part.colors for part in colored if part.colors is not None]
    return Mesh(np.concatenate([part.vertices for part in colored]), np.concatenate(faces).astype(np.int32),
                np.concatenate(colors))


def _to_mesh(loaded: Any) -> Mesh:
    """A trimesh.Trimesh as Mesh."""
    vertices, faces = np.array(loaded.vertices, dtype=float), np.array(loaded.faces, dtype=np.int32)
    visual = loaded.visual
    if visual.kind == "face":  # split vertices, so that each corner carries the colour of its face
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


def _check_ply_texture(path: Path) -> None:
    if path.suffix.lower() != ".ply":
        return
    with path.open("rb") as file:
        header = file.read(4096).split(b"end_header")[0].decode("ascii", "replace")
    for line in header.splitlines():
        if line.startswith("comment TextureFile "):
            texture = path.parent / line.removeprefix("comment TextureFile ").strip()
            if not texture.is_file():
                raise MeshError(path, f"texture {texture.name} is missing", "the texture file beside the mesh")


def _validate(mesh: Mesh, path: Path) -> None:
    if not np.isfinite(mesh.vertices).all():
        raise MeshError(path, "contains vertices that are not finite", "finite coordinates")
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise MeshError(path, "face indices are out of range", f"indices 0 to {len(mesh.vertices) - 1}")
