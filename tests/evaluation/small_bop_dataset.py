"""A small BOP data set with depth: a box and a can, two scenes, two images each, drawn by the depth renderer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh

from posebot.core.camera import Camera, box_from_mask
from posebot.core.frame import Frame
from posebot.core.objects import ContinuousSymmetry, Mesh
from posebot.core.transforms import make, rotation_from_vector
from posebot.datasets.bop_writer import GroundTruth, SceneWriter
from posebot.evaluation.depth_renderer import render_depth
from posebot.objects.bop_models import make_object, save_objects

CAMERA = Camera(np.array([[150.0, 0, 63.5], [0, 150.0, 47.5], [0, 0, 1]]), 128, 96)
BACKGROUND = 1.5
OBJECTS = {
    1: make_object(1, "box", Mesh(*(lambda m: (m.vertices, m.faces.astype("int32")))(
        trimesh.creation.box((0.06, 0.08, 0.1))))),
    2: make_object(2, "can", Mesh(*(lambda m: (m.vertices, m.faces.astype("int32")))(
        trimesh.creation.cylinder(0.03, 0.1, sections=24))),
        symmetries_continuous=(ContinuousSymmetry(np.array([0, 0, 1.0])),)),
}
POSES = {  # image: (object, pose); the second box of image (2, 0) stands behind the can
    (1, 0): [(1, make(rotation_from_vector([0.4, 0.3, 0.1]), [-0.06, 0, 0.5])),
             (2, make(rotation_from_vector([1.2, 0.2, 0]), [0.08, 0.02, 0.6]))],
    (1, 1): [(1, make(rotation_from_vector([0.1, -0.8, 0.4]), [0.02, 0.03, 0.6]))],
    (2, 0): [(2, make(rotation_from_vector([1.5, 0, 0.3]), [0.05, 0.01, 0.5])),
             (1, make(rotation_from_vector([0.2, 0.1, 0]), [-0.1, 0.02, 0.7])),
             (1, make(rotation_from_vector([0, 0.6, 0]), [0.075, 0.01, 0.8]))],
    (2, 5): [],
}


def make_dataset(folder: Path) -> Path:
    """Write the data set, split "test"; without a targets file."""
    save_objects(folder / "models", OBJECTS)
    for scene_id in (1, 2):
        writer = SceneWriter(folder / "test", scene_id, jpg_quality=None)
        for (scene, im_id), placed in POSES.items():
            if scene == scene_id:
                writer.add(im_id, *image(placed))
        writer.finish()
    return folder


def image(placed: list[tuple[int, np.ndarray]]) -> tuple[Frame, list[GroundTruth]]:
    """A grey image with exact depth, and the truth about it."""
    drawn = [render_depth(OBJECTS[obj_id].mesh, pose, CAMERA.K, 128, 96)[0] for obj_id, pose in placed]
    nearest = np.min([np.where(d > 0, d, BACKGROUND) for d in drawn] or [np.full((96, 128), BACKGROUND)], axis=0)
    truths = []
    for (obj_id, pose), depth in zip(placed, drawn):
        mask = depth > 0
        box = box_from_mask(mask)
        assert box is not None
        truths.append(GroundTruth(obj_id, pose, mask & (depth <= nearest + 1e-6), mask, box, int(mask.sum())))
    return Frame(np.full((96, 128, 3), 90, np.uint8), CAMERA, nearest.astype(np.float32)), truths
