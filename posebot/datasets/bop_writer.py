"""Writer of BOP datasets. Metres are converted to millimetres.

A scene is written atomically: to a temporary folder, which is then renamed.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import box_from_mask, box_to_bop
from posebot.core.errors import OutputError
from posebot.core.frame import Frame
from posebot.core.transforms import Array, inverse

DEPTH_SCALE = 0.1  # millimetres per unit of the 16-bit depth PNG: range 6.5 m
_PNG = [16, 1]  # cv2.IMWRITE_PNG_COMPRESSION: level 1 is four times as fast as the default
_MASK = [*_PNG, 18, 1]  # cv2.IMWRITE_PNG_BILEVEL: one bit per pixel, four times as fast again; decoded as 0 and 255


@dataclass(frozen=True)
class GroundTruth:
    """Ground truth of one object instance in one image, as written to `scene_gt` and `scene_gt_info`.

    Attributes:
        cam_from_obj: 4x4 metres. mask_visib: bool (H, W), visible part. mask: bool (H, W), amodal.
        box_amodal: xyxy of the full silhouette, also outside the image. px_count_all: pixels of that silhouette.
    """

    obj_id: int
    cam_from_obj: Array
    mask_visib: NDArray[np.bool_]
    mask: NDArray[np.bool_]
    box_amodal: Array
    px_count_all: int

    @property
    def visib_fract(self) -> float:
        """Visible share of the silhouette, 0..1."""
        return float(self.mask_visib.sum() / max(self.px_count_all, 1))


class SceneWriter:
    """Writes the images of one scene; `finish` renames the scene to its final name.

    Args:
        folder: folder of the split. jpg_quality: of `rgb/*.jpg`; None writes PNG.

    Raises:
        OutputError: the folder cannot be written.
    """

    def __init__(self, folder: Path, scene_id: int, jpg_quality: int | None = 95) -> None:
        self.path, self.jpg_quality = folder / f"{scene_id:06d}", jpg_quality
        self._temporary = folder / f".{scene_id:06d}.unfinished"
        self._tables: dict[str, dict[str, Any]] = {"scene_camera": {}, "scene_gt": {}, "scene_gt_info": {}}
        try:
            shutil.rmtree(self._temporary, ignore_errors=True)  # left by an interrupted process
            for name in ("rgb", "depth", "mask", "mask_visib"):
                (self._temporary / name).mkdir(parents=True)
        except OSError as error:
            problem = f"cannot be written ({error.strerror})"
            raise OutputError(folder, problem, "a writable folder with free space") from None

    def add(self, im_id: int, frame: Frame, annotations: list[GroundTruth]) -> None:
        """Write one image with its labels."""
        name, folder = f"{im_id:06d}", self._temporary
        bgr = frame.rgb[..., ::-1]
        if self.jpg_quality is None:
            _write(folder / "rgb" / f"{name}.png", bgr, _PNG)
        else:
            _write(folder / "rgb" / f"{name}.jpg", bgr, [1, self.jpg_quality])  # cv2.IMWRITE_JPEG_QUALITY
        if frame.depth is not None:
            _write(folder / "depth" / f"{name}.png", depth_to_png(frame.depth), _PNG)
        for index, annotation in enumerate(annotations):
            for kind, mask in (("mask", annotation.mask), ("mask_visib", annotation.mask_visib)):
                _write(folder / kind / f"{name}_{index:06d}.png", mask.astype(np.uint8) * 255, _MASK)
        self._tables["scene_camera"][str(im_id)] = _camera_entry(frame)
        self._tables["scene_gt"][str(im_id)] = [_gt_entry(annotation) for annotation in annotations]
        self._tables["scene_gt_info"][str(im_id)] = [_info_entry(annotation, frame.depth) for annotation in annotations]

    def finish(self) -> Path:
        """Write the tables and rename the scene to its final name; returns its folder."""
        for name, table in self._tables.items():
            rows = ",\n".join(f'  "{key}": {json.dumps(value)}' for key, value in table.items())
            (self._temporary / f"{name}.json").write_text("{\n" + rows + "\n}\n", encoding="utf-8")
        shutil.rmtree(self.path, ignore_errors=True)
        os.replace(self._temporary, self.path)
        return self.path


def depth_to_png(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Depth in metres as uint16 in units of `DEPTH_SCALE` millimetres; out of range becomes 0 = no reading."""
    units = np.rint(depth * (1000.0 / DEPTH_SCALE))
    return np.where(units > 65535, 0, units).astype(np.uint16)


def _write(path: Path, image: NDArray[Any], options: list[int]) -> None:
    import cv2

    if not cv2.imwrite(str(path), image, options):
        raise OutputError(path, "cannot be written", "a writable folder with free space")


def _camera_entry(frame: Frame) -> dict[str, Any]:
    entry: dict[str, Any] = {"cam_K": frame.camera.K.round(6).ravel().tolist(), "depth_scale": DEPTH_SCALE}
    if frame.base_from_cam is not None:
        cam_from_world = inverse(frame.base_from_cam)
        entry["cam_R_w2c"] = cam_from_world[:3, :3].round(9).ravel().tolist()
        entry["cam_t_w2c"] = (cam_from_world[:3, 3] * 1000).round(5).tolist()
    return entry


def _gt_entry(annotation: GroundTruth) -> dict[str, Any]:
    return {"obj_id": annotation.obj_id, "cam_R_m2c": annotation.cam_from_obj[:3, :3].round(9).ravel().tolist(),
            "cam_t_m2c": (annotation.cam_from_obj[:3, 3] * 1000).round(5).tolist()}


def _info_entry(annotation: GroundTruth, depth: NDArray[np.float32] | None) -> dict[str, Any]:
    visible = int(annotation.mask_visib.sum())
    box = box_from_mask(annotation.mask_visib)
    valid = 0 if depth is None else int((depth[annotation.mask] > 0).sum())
    return {"bbox_obj": box_to_bop(annotation.box_amodal),
            "bbox_visib": [-1, -1, -1, -1] if box is None else box_to_bop(box), "px_count_all": annotation.px_count_all,
            "px_count_valid": valid, "px_count_visib": visible,
            "visib_fract": round(annotation.visib_fract, 6)}
