"""Surface materials (roughness, metallic) for rendering, stored in `materials.json` beside `models_info.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from posebot.core.errors import InputError, MeshError
from posebot.objects.bop_models import find_models_dir
from posebot.objects.json_files import read_json_object, write_json

MATERIALS_FILE = "materials.json"


@dataclass(frozen=True)
class SurfaceMaterial:
    """Metallic-roughness PBR material: roughness 0 (mirror) to 1 (matte), metallic 0 (dielectric) to 1 (metal)."""

    roughness: float = 0.6
    metallic: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
                raise MeshError("material", f"{name} is {value!r}", "a number from 0 to 1")


def load_materials(models_dir: str | Path) -> dict[int, SurfaceMaterial]:
    """Materials by object ID; empty without a materials.json. Objects not listed have the default `SurfaceMaterial()`.

    Raises:
        InputError: the folder is missing, the file is not valid, or a field is unknown or out of range.
    """
    path = find_models_dir(models_dir) / MATERIALS_FILE
    if not path.is_file():
        return {}
    materials = {}
    for key, entry in read_json_object(path).items():
        if not key.isdigit() or not isinstance(entry, dict) or not set(entry) <= {"roughness", "metallic"}:
            raise MeshError(path, f'"{key}": {json.dumps(entry)[:60]}', '"1": {"roughness": 0.3, "metallic": 1.0}')
        try:
            materials[int(key)] = SurfaceMaterial(**entry)
        except InputError as error:
            raise MeshError(f'{path}: "{key}"', error.problem, error.expected) from error
    return materials


def save_materials(models_dir: str | Path, materials: Mapping[int, SurfaceMaterial]) -> None:
    """Write materials.json into a BOP models folder."""
    write_json(Path(models_dir) / MATERIALS_FILE, {str(obj_id): asdict(m) for obj_id, m in materials.items()})
