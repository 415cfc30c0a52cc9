"""Detector samples: boxes follow the objects exactly, mirror images and hidden objects are neither there nor not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh

from posebot.core.camera import project
from posebot.core.transforms import apply, make, rotation_from_vector
from posebot.datasets.bop import BopDataset
from posebot.datasets.detector_samples import BOX_DTYPE, MAX_BOXES, OUTLINE_POINTS, detector_sample
from posebot.training.detectors import heatmap_samples as detector
from posebot.training.detectors.heatmap_samples import IGNORED, NOTHING, SampleConfig
from tests.training.scenes import write_scenes

HEIGHT, WIDTH = 96, 128
STILL = SampleConfig(2, zoom=0, shift=0, turn=0, relit=0, pasted=0)
K = np.array([[200.0, 0, 63.5], [0, 200.0, 47.5], [0, 0, 1]])


def drawn(*corners: np.ndarray, label: int = 0) -> dict[str, np.ndarray]:
    """A picture of polygons (N, 2), each an object that is wholly seen; later ones lie on earlier ones."""
    boxes, owner = np.zeros(MAX_BOXES, BOX_DTYPE), np.zeros((HEIGHT, WIDTH), np.uint8)
    boxes["label"] = -1
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for row, points in enumerate(corners):
        low, high = points.min(axis=0), points.max(axis=0)
        boxes[row] = (label, 1.0, (*low, *high), points[np.arange(OUTLINE_POINTS) % len(points)])
        cv2.fillPoly(owner, [np.rint(points).astype(np.int32)], row + 1)
        image[owner == row + 1] = (200, 40 + 30 * row, 30)
    return {"image": image, "boxes": boxes, "owner": owner}


def square(x: float, y: float, side: float = 20) -> np.ndarray:
    return np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]])


@pytest.mark.parametrize("seed", range(8))
def test_boxes_of_turned_pictures_hold_what_is_seen_and_no_more(seed: int) -> None:
    """A long thin thing at a slant: its box changes its shape when it is turned."""
    slanted = np.array([[40, 25], [44, 21], [90, 69], [86, 73.0]])
    config = SampleConfig(1, zoom=0.2, shift=0.0, turn=0.5)
    view = detector._moved_view(drawn(slanted), config, np.random.default_rng(seed))
    x, y, width, height = cv2.boundingRect((view.owner == 1).astype(np.uint8))
    assert view.labels[0] == 0
    assert np.abs(view.xyxy[0] - [x, y, x + width - 1, y + height - 1]).max() < 2.0


def test_the_rim_spans_the_projected_mesh(tmp_path: Path) -> None:
    """Of a rendered picture's objects, and beyond the edge, whatever the box in the file says."""
    dataset = BopDataset(write_scenes(tmp_path / "bop", images=2), "train")
    key = dataset.keys()[0]
    found = detector_sample(dataset, key, {1: 0, 2: 1}, (120, 160))
    for truth in dataset.annotations(key):
        row = found["boxes"][found["boxes"]["label"] == truth.obj_id - 1][0]
        pixels = project(dataset.camera_K(key), apply(truth.cam_from_obj, dataset.objects[truth.obj_id].mesh.vertices))
        np.testing.assert_allclose(row["rim"].min(axis=0), pixels.min(axis=0), atol=1e-3)
        np.testing.assert_allclose(row["rim"].max(axis=0), pixels.max(axis=0), atol=1e-3)
        seen = dataset.mask_visib(key, truth.index)
        assert seen is not None
        number = int(np.flatnonzero(found["boxes"]["label"] == truth.obj_id - 1)[0]) + 1
        assert np.array_equal(found["owner"] == number, seen)


def test_a_rim_turns_with_its_object() -> None:
    """The box of the turned rim is that of the turned outline, to 1 % of its side."""
    points = project(K, apply(make(rotation_from_vector([0.4, 0.7, 0.2]), [0, 0, 0.6]),
                              trimesh.creation.cylinder(0.01, 0.2).vertices))
    directions = 2 * np.pi * np.arange(OUTLINE_POINTS) / OUTLINE_POINTS
    rim = points[np.argmax(points @ np.stack([np.cos(directions), np.sin(directions)]), axis=0)]
    for angle in np.linspace(0, 1.5, 7):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        size = np.ptp(points @ turn.T, axis=0).max()
        assert np.abs((rim @ turn.T).max(axis=0) - (points @ turn.T).max(axis=0)).max() < 0.01 * size


def test_mirror_images_beyond_the_edge_are_not_taught_as_background() -> None:
    picture = drawn(square(4, 40))
    for seed in range(20):
        rng = np.random.default_rng(seed)
        view = detector._moved_view(picture, SampleConfig(1, zoom=0.4, shift=0.15, turn=0.2), rng)
        red = view.image[..., 0].astype(int) - view.image[..., 1] > 100
        assert (red & ~(view.owner > 0) & ~view.ghosts).sum() < 0.15 * red.sum() + 20, "but for average_weights rims"
        if view.ghosts.sum() > 200:
            break
    else:
        pytest.fail("no picture with a mirror image")
    cells = detector._cells(view.ghosts, (HEIGHT // 8, WIDTH // 8))
    heat = detector.targets(view.xyxy, view.labels, 1, HEIGHT // 8, WIDTH // 8, cells)["heat"][0]
    assert (heat[cells] != 0).all() and (heat == -1).any()
    assert heat.max() == 1.0, "the object itself is still there"


def test_pasted_objects_are_there_and_what_they_hide_is_ignored() -> None:
    below, above = drawn(square(20, 20), square(80, 60)), drawn(square(18, 18, 24), label=1)
    for seed in range(40):
        view = detector._pasted(detector._moved_view(below, STILL, np.random.default_rng(seed)),
                                detector._moved_view(above, STILL, np.random.default_rng(seed)),
                                np.random.default_rng(seed))
        if len(view.labels) > MAX_BOXES:
            break
    assert view.labels[:3].tolist() == [IGNORED, 0, NOTHING]
    assert view.labels[-1] == 1 and view.xyxy[-1].tolist() == [18, 18, 42, 42]
    assert (view.owner[25:35, 25:35] == MAX_BOXES + 1).all()
    assert np.array_equal(view.image[30, 30], above["image"][30, 30])
    assert (view.owner == 2).sum() == 21 * 21


def test_light_changes_objects_one_by_one() -> None:
    picture = drawn(square(20, 20), square(80, 60))
    view = detector._moved_view(picture, STILL, np.random.default_rng(0))
    changed = []
    for seed in range(12):
        lit = detector._relit(view, picture["image"], 0.5, np.random.default_rng(seed)).astype(int)
        assert np.array_equal(view.image, picture["image"]), "the picture itself is not touched"
        moved = np.abs(lit - view.image)
        changed.append((moved[24:36, 24:36].max() > 3, moved[64:76, 84:96].max() > 3))
    assert len(set(changed)) == 4


@pytest.mark.parametrize("seed", range(4))
def test_a_seed_gives_the_same_sample_again(seed: int) -> None:
    pictures = drawn(square(20, 20)), drawn(square(60, 40))
    first, again = (detector.sample(*pictures, SampleConfig(2), np.random.default_rng(seed)) for _ in range(2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert first["image"].shape == (3, HEIGHT, WIDTH) and first["image"].dtype == np.uint8
