"""Asset library: meshes and textures by name, created or read on first use.

Meshes: "obj/5" object model 5, "distractor/2" a distractor mesh, "shape/17" a procedural mesh, "quad".
Textures: "obj/5", "distractor/2" of these meshes, "photo/3" a background image, "pattern/17" a procedural texture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import ImageError, MeshError, MissingFileError
from posebot.core.objects import Mesh, ObjectModel
from posebot.synth import procedural_meshes, procedural_textures

_MAX_IMAGE_SIZE = 640
_IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}


class AssetLibrary:
    """Meshes and textures of scenes.

    Args:
        objects: models to be labelled, by object ID. distractors: meshes of distractors. photos: image files.
    """

    def __init__(self, objects: Mapping[int, ObjectModel], distractors: Sequence[Mesh] = (), photos: Sequence[Path] = ()
                 ) -> None:
        self.objects, self.distractors, self.photos = dict(objects), tuple(distractors), tuple(photos)
        self._meshes: dict[str, Mesh] = {}

    def mesh(self, name: str) -> Mesh:
        """The mesh of this name."""
        if name not in self._meshes:
            self._meshes[name] = self._make_mesh(name)
        return self._meshes[name]

    def texture(self, name: str) -> NDArray[np.uint8]:
        """The texture of this name, uint8 (H, W, 3)."""
        kind, _, number = name.partition("/")
        if kind == "pattern":
            return procedural_textures.pattern(int(number))
        if kind == "photo":
            return _load_image(self.photos[int(number)])
        texture = self.mesh(name).texture
        if texture is None:
            raise MeshError(f"texture {name}", "the mesh has no texture", "a textured mesh")
        return texture

    def _make_mesh(self, name: str) -> Mesh:
        kind, _, number = name.partition("/")
        if kind == "obj":
            return self.objects[int(number)].mesh
        if kind == "distractor":
            return self.distractors[int(number)]
        return procedural_meshes.quad() if kind == "quad" else procedural_meshes.distractor_mesh(int(number))


def find_images(folder: Path | None) -> list[Path]:
    """All image files in a folder and its subfolders, sorted; none for None.

    Raises:
        InputError: the folder is missing or contains no image.
    """
    if folder is None:
        return []
    if not folder.is_dir():
        raise MissingFileError(folder, "no such folder", "a folder of images")
    photos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _IMAGE_SUFFIXES)
    if not photos:
        raise ImageError(folder, "contains no image", "PNG or JPEG files, also in subfolders")
    return photos


def _load_image(path: Path) -> NDArray[np.uint8]:
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ImageError(path, "is not a readable image", "PNG or JPEG; otherwise remove it from the folder")
    scale = _MAX_IMAGE_SIZE / max(image.shape[:2])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(image[..., ::-1])
