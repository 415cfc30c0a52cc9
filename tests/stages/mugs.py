"""The kit's mug seen from the side, its handle behind it: an image that cannot tell how far the mug is turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import Camera, box_from_mask, crop_matrix, project, unproject
from posebot.core.frame import Frame
from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, apply, inverse, make, rotation_from_vector
from posebot.evaluation.depth_renderer import render_depth
from posebot.objects.kit import build_kit
from posebot.stages.detect import Detection
from posebot.stages.localize import Localization, cut

CAMERA = Camera(np.array([[600, 0, 319.5], [0, 600, 239.5], [0, 0, 1.0]]), 640, 480)
WALL = 1.5


def mug() -> ObjectModel:
    """The kit's, metres."""
    return build_kit()[3]


@dataclass(frozen=True)
class Example:
    """A frame, the output of a network that is certain of the masks and of no coordinate, and the true pose."""

    frame: Frame
    localization: Localization
    pose: Array


def example(model: ObjectModel, seed: int, handle_deg: float, depth: bool = True) -> Example:
    """The mug upright and a little from above; `handle_deg`: of its handle from straight behind it."""
    rng = np.random.default_rng(seed)
    upright = rotation_from_vector([np.pi / 2 + rng.uniform(0.05, 0.25), 0, 0])  # its z, upwards, is the camera's -y
    turned = upright @ rotation_from_vector([0, 0, np.radians(handle_deg) - _handle(model, upright)])
    pose = make(turned, [*rng.uniform(-0.05, 0.05, 2), rng.uniform(0.5, 0.7)])
    z = render_depth(model.mesh, pose, CAMERA.K, CAMERA.width, CAMERA.height)[0]
    mask = z > 0
    points = apply(inverse(pose), unproject(CAMERA.K, z)[mask])
    rgb = np.full((CAMERA.height, CAMERA.width, 3), 90, np.uint8)
    rgb[mask] = _colors(model, points)
    sensed = np.where(mask, z + rng.normal(scale=0.001, size=z.shape), WALL).astype(np.float32)
    frame = Frame(rgb, CAMERA, sensed if depth else None)
    return Example(frame, _localization(model, frame, mask, pose), pose)


def _handle(model: ObjectModel, upright: Array) -> float:
    """Angle about the mug's axis at which its handle points away from the camera, radians."""
    points = model.mesh.vertices
    rim = points[points[:, 2] > points[:, 2].max() - 0.001, :2]
    out = (points[:, :2].min(axis=0) + points[:, :2].max(axis=0) - rim.min(axis=0) - rim.max(axis=0)) / 2
    behind = (upright.T @ [0, 0, 1])[:2]
    return float(np.arctan2(out[1], out[0]) - np.arctan2(behind[1], behind[0]))


def _colors(model: ObjectModel, points: Array) -> NDArray[np.uint8]:
    from scipy.spatial import cKDTree

    assert model.mesh.colors is not None
    return model.mesh.colors[cKDTree(model.mesh.vertices).query(points)[1]]


def _localization(model: ObjectModel, frame: Frame, mask: NDArray[np.bool_], pose: Array) -> Localization:
    box = box_from_mask(mask)
    assert box is not None
    matrix = crop_matrix(box, 128, 1.25)
    small = cut(np.repeat(mask[..., None].astype(np.uint8) * 255, 3, axis=2), matrix, 128)[..., 0]
    seen = (small.reshape(32, 4, 32, 4).mean(axis=(1, 3)) / 255 > 0.5).astype(np.float32)
    side = 128 / matrix[0, 0]
    origin = (project(CAMERA.K, pose[:3, 3]) - (box[:2] + box[2:]) / 2) / side
    center = np.array([*origin, np.log(pose[2, 3] * side / (600 * model.diameter))], np.float32)
    return Localization(Detection(0, 0.9, box), cut(frame.rgb, matrix, 128), matrix, 4, seen, seen,
                        np.full((3, 32, 32), 0.5, np.float32), np.full((32, 32), 0.5, np.float32), center)
