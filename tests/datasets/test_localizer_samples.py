"""Cached crops: what they say about coordinates, scale and symmetry is true."""

from __future__ import annotations

import numpy as np
import pytest

from posebot.core.camera import Camera, box_from_mask, crop_matrix, project, transform_pixels
from posebot.core.coordinates import coordinate_symmetries, facing
from posebot.core.frame import Frame
from posebot.core.objects import ContinuousSymmetry, Mesh, ObjectModel
from posebot.core.transforms import apply, inverse, make, rotation_from_vector
from posebot.datasets.bop import Annotation
from posebot.datasets.localizer_samples import AMODAL, MAP_SIZE, VISIBLE, clip_box, crop_sample

CAMERA = Camera(np.array([[500.0, 0, 160], [0, 500, 120], [0, 0, 1]]), 320, 240)
CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * [0.04, 0.03, 0.02]


def model(**symmetries: object) -> ObjectModel:
    mesh = Mesh(CUBE, np.zeros((0, 3), np.int32))
    extents = np.array([0.08, 0.06, 0.04])
    return ObjectModel(1, "plate", mesh, float(np.linalg.norm(extents)), -extents / 2, extents, **symmetries)  # type: ignore[arg-type]


def plate_frame(pose: np.ndarray) -> tuple[Frame, np.ndarray]:
    """The plane z = 0 of the object, 0.08 x 0.06 m, seen by ray casting: exact depth."""
    u, v = np.meshgrid(np.arange(320.0), np.arange(240.0))
    directions = np.stack([(u - 160) / 500, (v - 120) / 500, np.ones_like(u)], axis=-1)
    normal, origin = pose[:3, 2], pose[:3, 3]
    depth = (normal @ origin) / (directions @ normal)
    points = apply(inverse(pose), (directions * depth[..., None]).reshape(-1, 3)).reshape(240, 320, 3)
    mask = (np.abs(points[..., 0]) < 0.04) & (np.abs(points[..., 1]) < 0.03) & (depth > 0)
    rgb = np.zeros((240, 320, 3), np.uint8)
    return Frame(rgb, CAMERA, np.where(mask, depth, 0).astype(np.float32), frame_id="000003/000007"), mask


def test_cut_gives_the_coordinates_of_what_is_seen() -> None:
    pose = make(rotation_from_vector([0.4, -0.3, 0.7]), [0.01, -0.02, 0.35])
    frame, mask = plate_frame(pose)
    box = box_from_mask(mask)
    assert box is not None
    crop = crop_sample(frame, Annotation(0, 1, pose, box, box, 1.0), mask, mask, model(), 4)
    meta, maps = crop["meta"], crop["maps"]
    seen = np.argwhere(maps[..., 3] & VISIBLE > 0)
    assert len(seen) > 500 and (maps[..., 3] & AMODAL > 0).sum() == len(seen)
    coordinates = maps[seen[:, 0], seen[:, 1], :3] / 255.0
    points_cam = apply(pose, model().denormalise(coordinates))
    half_pixels = (
        transform_pixels(crop_matrix(clip_box(box, CAMERA), 192, 1.9), project(CAMERA.K, points_cam)) / 2 - 0.25
    )
    assert np.abs(half_pixels - seen[:, ::-1]).max() < 1.5  # nearest sampling and 8-bit coordinates
    assert np.abs((half_pixels - seen[:, ::-1]).mean(axis=0)).max() < 0.3  # no half-pixel slip
    assert (meta["label"], meta["scene"], meta["image"]) == (4, 3, 7)
    distance = np.exp(meta["log_z"]) * 500 * model().diameter
    assert distance == pytest.approx(0.35, rel=1e-5)
    assert maps.shape == (MAP_SIZE, MAP_SIZE, 4)


def test_facing_makes_symmetric_views_one() -> None:
    can = model(symmetries_continuous=(ContinuousSymmetry(np.array([0, 0, 1.0]), np.array([0.01, 0, 0])),))
    pose = make(rotation_from_vector([1.0, 0.2, 0.3]), [0.05, 0.02, 0.6])
    views = []
    for angle in (0.0, 1.0, 4.0):
        turn = rotation_from_vector([0, 0, angle])
        offset = np.array([0.01, 0, 0])
        turned = pose @ make(turn, offset - turn @ offset)
        views.append(turned @ facing(can, turned))
    assert np.allclose(views[0], views[1]) and np.allclose(views[0], views[2])


def test_coordinate_symmetries_map_the_object_onto_itself() -> None:
    half_turn = make(rotation_from_vector([0, 0, np.pi]))
    part = model(symmetries_discrete=(half_turn,))
    maps = coordinate_symmetries(part)
    assert maps.shape == (2, 3, 4) and np.allclose(maps[0], np.eye(3, 4), atol=1e-6)
    points = np.random.default_rng(0).uniform(-0.02, 0.02, (50, 3))
    moved = part.normalise(points) @ maps[1, :, :3].T + maps[1, :, 3]
    assert np.allclose(part.denormalise(moved), apply(inverse(half_turn), points), atol=1e-7)


def test_clip_box_keeps_to_the_picture() -> None:
    assert clip_box(np.array([-10.0, 5, 400, 300]), CAMERA).tolist() == [-0.5, 5, 319.5, 239.5]
