"""A small BOP data set, drawn rather than rendered: flat boxes that face the camera, with exact labels."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from posebot.core.objects import Mesh
from posebot.core.transforms import apply, make, rotation_from_vector
from posebot.objects.bop_models import make_object, save_objects

K = np.array([[300.0, 0, 79.5], [0, 300.0, 59.5], [0, 0, 1]])
WIDTH, HEIGHT = 160, 120
FACES = [[0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7], [0, 1, 5], [0, 5, 4], [1, 2, 6], [1, 6, 5],
         [2, 3, 7], [2, 7, 6], [3, 0, 4], [3, 4, 7]]
SIZES = {1: (0.10, 0.06, 0.02), 2: (0.07, 0.07, 0.02)}
COLORS = {1: (200, 60, 50), 2: (40, 90, 210)}


def box_mesh(size: tuple[float, float, float]) -> Mesh:
    x, y, z = np.array(size) / 2
    low = [[-x, -y, -z], [x, -y, -z], [x, y, -z], [-x, y, -z]]
    return Mesh(np.array([*low, *([a, b, -c] for a, b, c in low)]), np.array(FACES, np.int32))


def write_scenes(root: Path, split: str = "train", scenes: int = 2, images: int = 6, seed: int = 0) -> Path:
    """A BOP data set with `scenes` x `images` pictures of two objects; returns its root."""
    save_objects(root / "models", {i: make_object(i, f"box{i}", box_mesh(SIZES[i])) for i in SIZES})
    rng = np.random.default_rng(seed)
    for scene in range(scenes):
        folder = root / split / f"{scene:06d}"
        for name in ("rgb", "depth", "mask", "mask_visib"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        cameras, truths, infos = {}, {}, {}
        for image in range(images):
            cameras[image] = {"cam_K": K.ravel().tolist(), "depth_scale": 0.1}
            truths[image], infos[image] = _draw(folder, image, rng)
        for name, content in (("scene_camera", cameras), ("scene_gt", truths), ("scene_gt_info", infos)):
            (folder / f"{name}.json").write_text(json.dumps(content))
    return root


def _draw(folder: Path, image: int, rng: np.random.Generator) -> tuple[list[dict[str, object]], ...]:
    rgb = rng.integers(90, 160, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    depth = np.full((HEIGHT, WIDTH), 0.8)
    truths, infos = [], []
    for index, (obj_id, x) in enumerate(((1, -0.06), (2, 0.07))):
        z = rng.uniform(0.4, 0.5)
        pose = make(rotation_from_vector([0, 0, rng.uniform(0, 6)]), [x + rng.normal(0, 0.01), rng.normal(0, 0.02), z])
        front = apply(pose, box_mesh(SIZES[obj_id]).vertices[:4])
        corners = (front[:, :2] / front[:, 2:]) @ K[:2, :2].T + K[:2, 2]
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.fillConvexPoly(mask, np.round(corners).astype(np.int32), 255)
        rgb[mask > 0], depth[mask > 0] = COLORS[obj_id], front[0, 2]
        for name in ("mask", "mask_visib"):
            cv2.imwrite(str(folder / name / f"{image:06d}_{index:06d}.png"), mask)
        bbox = list(cv2.boundingRect(mask))
        truths.append({"obj_id": obj_id, "cam_R_m2c": pose[:3, :3].ravel().tolist(),
                       "cam_t_m2c": (pose[:3, 3] * 1000).tolist()})
        infos.append({"bbox_obj": bbox, "bbox_visib": bbox, "visib_fract": 1.0, "px_count_all": int((mask > 0).sum()),
                      "px_count_valid": int((mask > 0).sum()), "px_count_visib": int((mask > 0).sum())})
    cv2.imwrite(str(folder / "rgb" / f"{image:06d}.png"), rgb[..., ::-1])
    cv2.imwrite(str(folder / "depth" / f"{image:06d}.png"), (depth * 10000).astype(np.uint16))
    return truths, infos
