"""A small BOP split, written by hand-made numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posebot.core.camera import Camera
from posebot.core.frame import Frame
from posebot.core.transforms import Array, make, rotation_from_vector
from posebot.datasets.bop_writer import GroundTruth, SceneWriter

CAMERA = Camera(np.array([[120.5, 0, 31.25], [0, 121.5, 23.75], [0, 0, 1]]), 64, 48)


def frame(seed: int = 0, depth: bool = True, placed: bool = True) -> Frame:
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
    metres = rng.uniform(0.3, 2.0, (48, 64)).astype(np.float32) if depth else None
    base_from_cam = make(rotation_from_vector(rng.normal(size=3)), rng.normal(size=3)) if placed else None
    return Frame(rgb, CAMERA, metres, base_from_cam, str(seed))


def truth(obj_id: int = 3, seed: int = 0) -> GroundTruth:
    """Seen in columns 10..19 and rows 5..14, hidden down to row 24, and reaching past the left border."""
    rng = np.random.default_rng([seed, 1])
    pose: Array = make(rotation_from_vector(rng.normal(size=3)), [0.1, -0.2, 0.9])
    mask = np.zeros((48, 64), bool)
    mask[5:25, 10:20] = True
    visible = mask.copy()
    visible[15:] = False
    return GroundTruth(obj_id, pose, visible, mask, np.array([-30.5, 4.5, 19.5, 24.5]), 400)


def write(root: Path, frames: list[tuple[Frame, list[GroundTruth]]], scene: int = 4, png: bool = True) -> Path:
    """Write a split "train" with one scene; returns the scene's folder."""
    writer = SceneWriter(root / "train", scene, None if png else 95)
    for im_id, (taken, truths) in enumerate(frames):
        writer.add(im_id, taken, truths)
    return writer.finish()
