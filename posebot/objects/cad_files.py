"""CAD files that say their unit and may hold several bodies: STEP (package cascadio) and 3MF, read in millimetres."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from posebot.core.errors import InputError, MeshError

STEP_SUFFIXES = (".step", ".stp")
TOLERANCE, FINEST, COARSEST = 1 / 5000, 0.005, 0.05  # of the tessellation of STEP: of the part's size; limits in mm
_ANGLE = 0.1  # radians between facets
_MAX_LISTED = 12


def split_body(path: str | Path) -> tuple[Path, str | None]:
    """The file and the body of `part.step#NAME`; None without a body. A file whose own name has a # is itself."""
    name, separator, body = str(path).rpartition("#")
    if not separator or Path(path).exists():
        return Path(path), None
    return Path(name), body


def read_body(path: Path, body: str | None) -> list[Any]:
    """The triangles (trimesh.Trimesh, millimetres) of the only body of a STEP or 3MF file, or of the one of this name.

    Raises:
        InputError: there are several bodies and none is named, or none has this name; cascadio is missing.
    """
    scene = _load_step(path) if path.suffix.lower() in STEP_SUFFIXES else _load_3mf(path)
    bodies = _bodies(scene)
    names = ", ".join(list(bodies)[:_MAX_LISTED]) + (" …" if len(bodies) > _MAX_LISTED else "")
    if body is not None and body not in bodies:
        raise MeshError(path, f"has no body '{body}'", f"one of {names}")
    if body is None and len(bodies) > 1:
        raise MeshError(path, f"holds {len(bodies)} bodies: {names}", f"name one: {path.name}#{next(iter(bodies))}")
    return [bodies[body if body is not None else next(iter(bodies))]] if bodies else []


def _bodies(scene: Any) -> dict[str, Any]:
    """The bodies of a scene by name, in millimetres; the name of one that occurs several times is numbered."""
    from trimesh import Trimesh
    from trimesh.units import unit_conversion

    factor, bodies = unit_conversion(scene.units or "millimeters", "millimeters"), dict[str, Any]()
    for node in scene.graph.nodes_geometry:
        transform, geometry = scene.graph[node]
        body = scene.geometry[geometry]
        if isinstance(body, Trimesh) and len(body.faces):
            placed = body.copy()
            placed.apply_transform(np.diag([factor, factor, factor, 1.0]) @ transform)
            bodies[_unique(str(geometry), bodies)] = placed
    return bodies


def _unique(name: str, taken: dict[str, Any]) -> str:
    number = 1
    while (f"{name}.{number}" if number > 1 else name) in taken:
        number += 1
    return f"{name}.{number}" if number > 1 else name


def _load_step(path: Path) -> Any:
    import trimesh

    try:
        import cascadio
    except ImportError:
        cure = "pip install 'posebot[cad]', or export it as STL"
        raise InputError(path, "STEP files need the package cascadio", cure, code="missing_extra") from None
    content = path.read_bytes()

    def tessellate(tolerance: float, angle: float) -> Any:
        with _silent():
            glb = cascadio.load(content, "step", tol_linear=tolerance, tol_angular=angle, use_parallel=False)
        if not glb:
            raise MeshError(path, "cannot be read as STEP", "a STEP file (AP203, AP214 or AP242) with solids")
        scene = trimesh.load_scene(BytesIO(glb), file_type="glb", process=False)
        scene.units = "meters"
        return scene

    size = 1000 * float(tessellate(10 * COARSEST, 0.5).extents.max())  # its solids may be small, or large
    return tessellate(min(max(TOLERANCE * size, FINEST), COARSEST), _ANGLE)


@contextmanager
def _silent() -> Iterator[None]:
    """Without the lines that a library prints from C."""
    sys.stdout.flush()
    kept = [os.dup(stream) for stream in (1, 2)]
    try:
        with open(os.devnull, "wb") as nowhere:
            for stream in (1, 2):
                os.dup2(nowhere.fileno(), stream)
        yield
    finally:
        for stream, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, stream)
            os.close(copy)


def _load_3mf(path: Path) -> Any:
    import trimesh

    return trimesh.load_scene(path, process=False)
