"""BOP `models/` folders: models_info.json, obj_NNNNNN.ply; optionally names.json, sources.json. Millimetres on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any

import numpy as np

from posebot.core.errors import MeshError, MissingFileError
from posebot.core.objects import ContinuousSymmetry, Mesh, MeshSource, ObjectModel
from posebot.core.transforms import Array, is_transform
from posebot.objects.geometry import bounds, diameter, scaled
from posebot.objects.json_files import read_json_object, write_json
from posebot.objects.mesh_io import read_mesh, write_ply
from posebot.objects.texture_landmarks import read_landmarks, write_landmarks
from posebot.objects.units import UNIT_NAMES, format_size

METRES_PER_MM = 0.001
INFO_FILE, NAMES_FILE, SOURCES_FILE = "models_info.json", "names.json", "sources.json"


def make_object(
    obj_id: int, label: str, mesh: Mesh, symmetries_discrete: tuple[Array, ...] = (),
    symmetries_continuous: tuple[ContinuousSymmetry, ...] = (), source: MeshSource | None = None,
) -> ObjectModel:
    """An ObjectModel of a mesh in metres; computes its diameter and bounding box."""
    low, size = bounds(mesh)
    widest = diameter(mesh.vertices[np.unique(mesh.faces)])
    return ObjectModel(obj_id, label, mesh, widest, low, size, symmetries_discrete, symmetries_continuous,
                       source=source)


def load_objects(models_dir: str | Path) -> dict[int, ObjectModel]:
    """Load a BOP models folder: object models by object ID, in ascending order, in metres.

    Labels come from names.json ({"1": "name"}), else they are "obj_000001".

    Raises:
        InputError: the folder, models_info.json or a mesh is missing, empty or not valid.
    """
    folder = find_models_dir(models_dir)
    infos, names, sources = (read_json_object(folder / name) if required or (folder / name).is_file() else {}
                             for name, required in ((INFO_FILE, True), (NAMES_FILE, False), (SOURCES_FILE, False)))
    if not infos:
        raise MeshError(folder / INFO_FILE, "contains no objects", 'entries such as "1": {"diameter": …}')
    objects = {}
    for key in sorted(infos, key=lambda text: _object_id(text, folder)):
        obj_id = _object_id(key, folder)
        label, source = str(names.get(key, f"obj_{obj_id:06d}")), _source(sources.get(key), folder, key)
        objects[obj_id] = _load_object(folder, obj_id, infos[key], label, source)
    return objects


def find_models_dir(folder: str | Path) -> Path:
    """The BOP models folder at `folder`: itself, or its subfolder `models` (of a dataset or the kit).

    Raises:
        InputError: the folder does not exist.
    """
    path = Path(folder)
    if not path.is_dir():
        raise MissingFileError(path, "no such folder", f"a BOP models folder with {INFO_FILE} and {mesh_name(1)} …")
    inner = path / "models"
    return inner if not (path / INFO_FILE).is_file() and (inner / INFO_FILE).is_file() else path


def save_objects(models_dir: str | Path, objects: Mapping[int, ObjectModel]) -> None:
    """Write a BOP models folder: PLY files, names.json, sources.json, models_info.json last; each file atomically."""
    folder = Path(models_dir)
    folder.mkdir(parents=True, exist_ok=True)
    for obj_id, model in objects.items():
        write_ply(folder / mesh_name(obj_id), scaled(model.mesh, 1 / METRES_PER_MM))
        if model.landmarks is not None:
            write_landmarks(folder / landmarks_name(obj_id), model.landmarks)
    write_json(folder / NAMES_FILE, {str(obj_id): model.label for obj_id, model in objects.items()})
    sources = {str(obj_id): asdict(model.source) for obj_id, model in objects.items() if model.source is not None}
    if sources:
        write_json(folder / SOURCES_FILE, sources)
    else:
        (folder / SOURCES_FILE).unlink(missing_ok=True)
    write_json(folder / INFO_FILE, {str(obj_id): _info(model) for obj_id, model in objects.items()})


def describe_object(model: ObjectModel) -> str:
    """One line that says how large an object is taken to be: "panel: 70.0 x 60.0 x 20.0 mm (panel.stl, read as …)"."""
    source = model.source
    if source is None:
        origin = "BOP model, millimetres"
    elif source.unit not in UNIT_NAMES:
        origin = f"{source.file}, scaled to a measured diameter"
    else:
        reason = {"assumed": "assumed", "given": "as given", "format": "as its format says"}.get(source.unit_from, "")
        origin = f"{source.file}, read as {UNIT_NAMES[source.unit]}, {reason}"
    return f"{model.label}: {format_size(model.extents)} ({origin})"


def mesh_name(obj_id: int) -> str:
    """BOP file name of an object's mesh."""
    return f"obj_{obj_id:06d}.ply"


def landmarks_name(obj_id: int) -> str:
    """File name of an object's texture landmarks, beside its mesh; not part of BOP."""
    return f"obj_{obj_id:06d}.npz"


def _load_object(folder: Path, obj_id: int, info: Any, label: str, source: MeshSource | None) -> ObjectModel:
    where = f"{folder / INFO_FILE}: object {obj_id}"
    if not isinstance(info, dict):
        raise MeshError(where, f"is a {type(info).__name__}", "an object with diameter, min_x … size_z")
    fields = ("diameter", "min_x", "min_y", "min_z", "size_x", "size_y", "size_z")
    values = np.array([_number(info, name, where) for name in fields]) * METRES_PER_MM
    if values[0] <= 0 or (values[4:] < 0).any():
        raise MeshError(where, f"diameter {info['diameter']} or sizes are not positive", "millimetres, positive")
    mesh = read_mesh(folder / mesh_name(obj_id), METRES_PER_MM)
    landmarks_path = folder / landmarks_name(obj_id)
    return ObjectModel(obj_id, label, mesh, float(values[0]), values[1:4], values[4:],
                       _discrete(info, where), _continuous(info, where),
                       read_landmarks(landmarks_path) if landmarks_path.is_file() else None, source)


def _source(entry: Any, folder: Path, key: str) -> MeshSource | None:
    if entry is None:
        return None
    fields = tuple(field.name for field in dataclass_fields(MeshSource))
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in fields):
        raise MeshError(folder / SOURCES_FILE, f"object {key} is {str(entry)[:60]}", f"texts {', '.join(fields)}")
    return MeshSource(**{name: entry[name] for name in fields})


def _discrete(info: dict[str, Any], where: str) -> tuple[Array, ...]:
    transforms = []
    for index, entry in enumerate(info.get("symmetries_discrete", [])):
        matrix = _floats(entry, f"{where}: symmetries_discrete[{index}]", 16).reshape(4, 4)
        matrix[:3, 3] *= METRES_PER_MM
        if not is_transform(matrix):
            raise MeshError(where, f"symmetries_discrete[{index}] is not a rigid transform", "a row-major 4x4, mm")
        transforms.append(matrix)
    return tuple(transforms)


def _continuous(info: dict[str, Any], where: str) -> tuple[ContinuousSymmetry, ...]:
    symmetries = []
    for index, entry in enumerate(info.get("symmetries_continuous", [])):
        field = f"{where}: symmetries_continuous[{index}]"
        if not isinstance(entry, dict):
            raise MeshError(field, f"is a {type(entry).__name__}",
                             'an object such as {"axis": [0, 0, 1], "offset": [0, 0, 0]}')
        axis = _floats(entry.get("axis"), f"{field}: axis", 3)
        offset = _floats(entry.get("offset", [0, 0, 0]), f"{field}: offset", 3)
        if not np.linalg.norm(axis) > 0:
            raise MeshError(field, "axis has zero length", "a direction such as [0, 0, 1]")
        symmetries.append(ContinuousSymmetry(axis / np.linalg.norm(axis), offset * METRES_PER_MM))
    return tuple(symmetries)


def _info(model: ObjectModel) -> dict[str, Any]:
    mm = 1 / METRES_PER_MM
    info: dict[str, Any] = {"diameter": model.diameter * mm}
    info |= {f"min_{axis}": value for axis, value in zip("xyz", (model.box_min * mm).tolist(), strict=True)}
    info |= {f"size_{axis}": value for axis, value in zip("xyz", (model.extents * mm).tolist(), strict=True)}
    return info | symmetry_entries(model.symmetries_discrete, model.symmetries_continuous)


def symmetry_entries(discrete: Iterable[Array], continuous: Iterable[ContinuousSymmetry]) -> dict[str, Any]:
    """Entries of models_info.json for symmetries in metres; empty ones are omitted."""
    to_mm = np.ones((4, 4))
    to_mm[:3, 3] = 1 / METRES_PER_MM
    entries = {
        "symmetries_discrete": [(transform * to_mm).ravel().tolist() for transform in discrete],
        "symmetries_continuous": [{"axis": s.axis.tolist(), "offset": (s.offset / METRES_PER_MM).tolist()}
                                  for s in continuous],
    }
    return {name: entry for name, entry in entries.items() if entry}


def _object_id(text: str, folder: Path) -> int:
    if not text.isdigit() or int(text) < 1:
        raise MeshError(folder / INFO_FILE, f"object ID '{text}' is not valid", "integers from 1")
    return int(text)


def _number(info: dict[str, Any], name: str, where: str) -> float:
    value = info.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise MeshError(where, f"{name} is {value!r}", "a number, millimetres")
    return float(value)


def _floats(value: Any, where: str, count: int) -> Array:
    try:
        numbers = np.asarray(value, dtype=float).ravel()
    except (TypeError, ValueError):
        numbers = np.zeros(0)
    if numbers.size != count or not np.isfinite(numbers).all():
        raise MeshError(where, f"is {str(value)[:60]}", f"{count} finite numbers")
    return numbers
