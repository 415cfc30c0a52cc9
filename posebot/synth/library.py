"""Library: meshes and textures by name, made or read when first asked for.

Shapes: "obj/5" object model 5 · "extra/2" a mesh given as a distractor · "shape/17" a made distractor · "quad".
Textures: "obj/5", "extra/2" their own · "photo/3" of the backgrounds folder · "pattern/17" a made one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import ImageError, MeshError, MissingFileError
from posebot.core.objects import Mesh, ObjectModel
from posebot.synth import shapes, textures

_PHOTO_SIDE = 640
_PHOTO_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}


class Library:
    """What scenes are made of.

    Args:
        objects: the models to be labelled, by number. extras: meshes that serve as distractors. photos: picture files.
    """

    def __init__(self, objects: Mapping[int, ObjectModel], extras: Sequence[Mesh] = (), photos: Sequence[Path] = ()
                 ) -> None:
        self.objects, self.extras, self.photos = dict(objects), tuple(extras), tuple(photos)
        self._meshes: dict[str, Mesh] = {}

    def mesh(self, name: str) -> Mesh:
        if name not in self._meshes:
            self._meshes[name] = self._make_mesh(name)
        return self._meshes[name]

    def texture(self, name: str) -> NDArray[np.uint8]:
        """uint8 (H, W, 3)."""
        kind, _, number = name.partition("/")
        if kind == "pattern":
            return textures.pattern(int(number))
        if kind == "photo":
            return _photo(self.photos[int(number)])
        texture = self.mesh(name).texture
        if texture is None:
            raise MeshError(f"texture {name}", "the mesh has none")
        return texture

    def _make_mesh(self, name: str) -> Mesh:
        kind, _, number = name.partition("/")
        if kind == "obj":
            return self.objects[int(number)].mesh
        if kind == "extra":
            return self.extras[int(number)]
        return shapes.quad() if kind == "quad" else shapes.distractor(int(number))


def find_photos(folder: Path | None) -> list[Path]:
    """All picture files below a folder, sorted.

    Raises:
        InputError: there is no such folder, or no picture in it.
    """
    if folder is None:
        return []
    if not folder.is_dir():
        raise MissingFileError(folder, "no such folder", "a folder of photographs")
    photos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PHOTO_SUFFIXES)
    if not photos:
        raise ImageError(folder, "holds no picture", "PNG or JPEG files, also in folders below")
    return photos


def _photo(path: Path) -> NDArray[np.uint8]:
    import cv2

    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise ImageError(path, "not readable as a picture", "PNG or JPEG; take it out of the folder if it is neither")
    scale = _PHOTO_SIDE / max(picture.shape[:2])
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(picture[..., ::-1])
