"""Reader of BOP datasets. Millimetres are converted to metres.

Format: https://github.com/thodan/bop_toolkit/blob/master/docs/bop_datasets_format.md. A split is `root/split/SCENE/`
with `scene_camera.json`, `scene_gt.json`, `scene_gt_info.json` and the folders `rgb` (or `gray`), `depth`, `mask`,
`mask_visib`. Depth, masks, gt_info and gt are optional, but must be valid if present.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import Camera, box_from_bop, box_from_mask, project
from posebot.core.errors import DatasetError, MissingFileError
from posebot.core.frame import Frame
from posebot.core.transforms import Array, apply, inverse, make, orthonormal
from posebot.datasets.bop_files import decode_image, read_floats, read_json, read_scene_table

if TYPE_CHECKING:
    from posebot.core.objects import ObjectModel

SCENE_TABLES = ("scene_camera.json", "scene_gt.json", "scene_gt_info.json")
"""Tables of a scene: cameras, poses, visibility."""
TARGETS = "test_targets_bop19.json"
"""Which instances are to be detected; in the data set's folder."""
_METRES_PER_MM = 1e-3
_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


class ImageKey(NamedTuple):
    """Scene and image ID of an image in a split."""

    scene_id: int
    im_id: int

    @property
    def frame_id(self) -> str:
        """ "000002/000038", as in `Frame.frame_id`."""
        return f"{self.scene_id:06d}/{self.im_id:06d}"

    @classmethod
    def of(cls, frame_id: str) -> ImageKey:
        """Inverse of `frame_id`."""
        scene_id, im_id = frame_id.split("/")
        return cls(int(scene_id), int(im_id))


@dataclass(frozen=True)
class Annotation:
    """Ground truth of one object instance in one image.

    Attributes:
        index: position in `scene_gt.json`, as in the names of its masks. cam_from_obj: 4x4 metres.
        box_visib: xyxy of the visible part, None if fully occluded. box_amodal: xyxy of the full silhouette, which may
            extend beyond the image. visib_fract: visible share of the silhouette, 0..1.
    """

    index: int
    obj_id: int
    cam_from_obj: Array
    box_visib: Array | None
    box_amodal: Array
    visib_fract: float


@dataclass(frozen=True)
class Target:
    """An entry of `test_targets_bop19.json`: `inst_count` instances of an object are to be detected in an image."""

    key: ImageKey
    obj_id: int
    inst_count: int


class BopDataset:
    """One split of a BOP dataset.

    Args:
        root: dataset folder. split: its subfolder, such as "train" or "test". models_dir: default `root/models`.

    Raises:
        InputError: the split is missing or contains no scene.
    """

    def __init__(self, root: Path | str, split: str, models_dir: Path | str | None = None) -> None:
        self.root, self.split, self.folder = Path(root), split, Path(root) / split
        self.models_dir = Path(models_dir) if models_dir else self.root / "models"
        if not self.folder.is_dir():
            splits = sorted(p.parent.parent.name for p in self.root.glob("*/*/scene_camera.json"))
            available = ", ".join(dict.fromkeys(splits)) or "no BOP split"
            raise MissingFileError(self.folder, "no such folder", f"a BOP split; {self.root} contains: {available}")
        names = [path.parent.name for path in self.folder.glob("*/scene_camera.json")]
        self.scenes = sorted(int(name) for name in names if name.isdigit())
        if not self.scenes:
            raise DatasetError(self.folder, "contains no scene", "folders such as 000001 with scene_camera.json")
        self._scene_cache: dict[int, _Scene] = {}

    @cached_property
    def objects(self) -> dict[int, ObjectModel]:
        """The object models of `models_dir`, by object ID."""
        from posebot.objects.bop_models import load_objects

        return load_objects(self.models_dir)

    def keys(self) -> list[ImageKey]:
        """All images with intrinsics, in ascending order."""
        return [ImageKey(scene, im_id) for scene in self.scenes for im_id in sorted(self._scene(scene).camera)]

    def frame(self, key: ImageKey) -> Frame:
        """Load an image, with depth and camera pose if the dataset has them.

        Raises:
            InputError: the image or its intrinsics are missing, or a file is not valid.
        """
        entry, where = self._camera(key), self._location(key, "scene_camera.json")
        rgb = self._rgb(key)
        camera = Camera(read_floats(entry, "cam_K", 9, where).reshape(3, 3), rgb.shape[1], rgb.shape[0])
        return Frame(rgb, camera, self.depth(key), _world_from_cam(entry, where), key.frame_id)

    def camera_K(self, key: ImageKey) -> Array:
        """Camera matrix K (3, 3) of an image, without reading the image."""
        return read_floats(self._camera(key), "cam_K", 9, self._location(key, "scene_camera.json")).reshape(3, 3)

    def depth(self, key: ImageKey) -> NDArray[np.float32] | None:
        """Depth (H, W) in metres, 0 = no reading; None if the dataset has none."""
        path = self._find(key, "depth")
        if path is None:
            return None
        raw = decode_image(path, grey=True)
        return raw.astype(np.float32) * np.float32(float(self._camera(key).get("depth_scale", 1.0)) * _METRES_PER_MM)

    def annotations(self, key: ImageKey) -> list[Annotation]:
        """Ground truth of an image, in the order of `scene_gt.json`; empty if there is none.

        Without `scene_gt_info.json`, boxes come from the masks, or else from the projected mesh (as fully visible).
        """
        scene = self._scene(key.scene_id)
        infos = scene.info.get(key.im_id)
        truths = scene.truth.get(key.im_id, [])
        if infos is not None and len(infos) != len(truths):
            raise DatasetError(self._location(key, "scene_gt_info.json"), f"{len(infos)} entries",
                               f"{len(truths)}, as in scene_gt.json")
        return [self._annotation(key, index, truth, infos[index] if infos else None)
                for index, truth in enumerate(truths)]

    def mask(self, key: ImageKey, index: int) -> NDArray[np.bool_] | None:
        """Amodal mask (H, W) of annotation `index`, including occluded parts; None if the dataset has none."""
        return self._mask(key, index, "mask")

    def mask_visib(self, key: ImageKey, index: int) -> NDArray[np.bool_] | None:
        """Visible mask (H, W) of annotation `index`; None if the dataset has none."""
        return self._mask(key, index, "mask_visib")

    def truth_sha256(self) -> str:
        """Checksum of cameras, poses and targets: the same for a copy of a split, another for one that is made anew."""
        paths = [self.root / TARGETS, *(self.folder / f"{scene:06d}" / name for scene in self.scenes
                                        for name in SCENE_TABLES)]
        digest = hashlib.sha256()
        for path in paths:
            digest.update(path.read_bytes() if path.is_file() else b"-")
        return digest.hexdigest()

    @property
    def has_targets_file(self) -> bool:
        """Whether a file names the targets."""
        return (self.root / TARGETS).is_file()

    def targets(self) -> list[Target]:
        """Evaluation targets: `test_targets_bop19.json`, or else all instances that are at least 10 % visible."""
        path = self.root / TARGETS
        if not self.has_targets_file:
            return self._targets_from_annotations()
        rows = read_json(path)
        try:
            targets = [Target(ImageKey(int(row["scene_id"]), int(row["im_id"])), int(row["obj_id"]),
                              int(row["inst_count"])) for row in rows]
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(path, f"entry without {error}", "scene_id, im_id, obj_id, inst_count in each") from None
        return [target for target in targets if target.key.scene_id in self.scenes]

    def _targets_from_annotations(self) -> list[Target]:
        counts: dict[tuple[ImageKey, int], int] = {}
        for key in self.keys():
            for annotation in self.annotations(key):
                if annotation.visib_fract >= 0.1:
                    counts[key, annotation.obj_id] = counts.get((key, annotation.obj_id), 0) + 1
        return [Target(key, obj_id, count) for (key, obj_id), count in sorted(counts.items())]

    def _scene(self, scene_id: int) -> _Scene:
        if scene_id not in self._scene_cache:
            folder = self.folder / f"{scene_id:06d}"
            self._scene_cache[scene_id] = _Scene(
                read_scene_table(folder / "scene_camera.json", optional=False),
                read_scene_table(folder / "scene_gt.json", optional=True),
                read_scene_table(folder / "scene_gt_info.json", optional=True))
        return self._scene_cache[scene_id]

    def _location(self, key: ImageKey, name: str) -> str:
        return f"{self.folder / f'{key.scene_id:06d}' / name}: image {key.im_id}"

    def _camera(self, key: ImageKey) -> dict[str, Any]:
        entry = self._scene(key.scene_id).camera.get(key.im_id)
        if not isinstance(entry, dict):
            raise DatasetError(self._location(key, "scene_camera.json"), "no entry", "an object with cam_K")
        return entry

    def _find(self, key: ImageKey, folder: str, name: str | None = None) -> Path | None:
        stem = self.folder / f"{key.scene_id:06d}" / folder / (name or f"{key.im_id:06d}")
        return next((path for suffix in _SUFFIXES if (path := stem.with_suffix(suffix)).is_file()), None)

    def _rgb(self, key: ImageKey) -> NDArray[np.uint8]:
        path = self._find(key, "rgb") or self._find(key, "gray")
        if path is None:
            raise DatasetError(self._location(key, "rgb"), "no image", f"rgb/{key.im_id:06d}.png or .jpg (or in gray/)")
        return np.ascontiguousarray(decode_image(path, grey=False)[..., ::-1])

    def _mask(self, key: ImageKey, index: int, folder: str) -> NDArray[np.bool_] | None:
        path = self._find(key, folder, f"{key.im_id:06d}_{index:06d}")
        return None if path is None else decode_image(path, grey=True) > 0

    def _annotation(self, key: ImageKey, index: int, truth: dict[str, Any], info: dict[str, Any] | None) -> Annotation:
        where = f"{self._location(key, 'scene_gt.json')}, entry {index}"
        if not isinstance(truth, dict) or not isinstance(truth.get("obj_id"), int):
            raise DatasetError(where, "no obj_id", "an integer >= 1")
        pose = make(orthonormal(read_floats(truth, "cam_R_m2c", 9, where).reshape(3, 3)),
                    read_floats(truth, "cam_t_m2c", 3, where) * _METRES_PER_MM)
        if info is None:
            return self._annotation_from_masks(key, index, truth["obj_id"], pose)
        info_where = f"{self._location(key, 'scene_gt_info.json')}, entry {index}"
        visible, amodal = (read_floats(info, name, 4, info_where) for name in ("bbox_visib", "bbox_obj"))
        fraction = float(read_floats({"visib_fract": [info.get("visib_fract")]}, "visib_fract", 1, info_where)[0])
        return Annotation(index, truth["obj_id"], pose, box_from_bop(visible) if visible[2] > 0 else None,
                          box_from_bop(amodal), fraction)

    def _annotation_from_masks(self, key: ImageKey, index: int, obj_id: int, pose: Array) -> Annotation:
        visible, amodal = self.mask_visib(key, index), self.mask(key, index)
        box = box_from_mask(amodal) if amodal is not None else None
        if box is None:
            box = self._projected_box(key, obj_id, pose)
        if visible is None:
            return Annotation(index, obj_id, pose, box, box, 1.0)
        fraction = float(visible.sum() / max(amodal.sum(), 1)) if amodal is not None else 1.0
        return Annotation(index, obj_id, pose, box_from_mask(visible), box, fraction)

    def _projected_box(self, key: ImageKey, obj_id: int, pose: Array) -> Array:
        if obj_id not in self.objects:
            raise DatasetError(self._location(key, "scene_gt.json"), f"obj_id {obj_id} has no model",
                               f"one of {sorted(self.objects)}")
        pixels = project(self.camera_K(key), apply(pose, self.objects[obj_id].mesh.vertices))
        return np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])


@dataclass(frozen=True)
class _Scene:
    """The tables of a scene, by image ID."""

    camera: dict[int, Any]
    truth: dict[int, Any]
    info: dict[int, Any]


def _world_from_cam(entry: dict[str, Any], where: str) -> Array | None:
    """Camera pose from cam_R_w2c, cam_t_w2c (world to camera, mm); None if missing."""
    if "cam_R_w2c" not in entry or "cam_t_w2c" not in entry:
        return None
    return inverse(make(orthonormal(read_floats(entry, "cam_R_w2c", 9, where).reshape(3, 3)),
                        read_floats(entry, "cam_t_w2c", 3, where) * _METRES_PER_MM))
