from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from posebot.core.errors import InputError
from posebot.core.objects import Landmarks
from posebot.objects.bop_models import landmarks_name, load_objects, make_object, save_objects
from posebot.objects.texture_landmarks import (
    DESCRIPTOR_SIZE,
    detect_and_compute,
    normalise_descriptors,
    read_landmarks,
    write_landmarks,
)
from tests.objects.sample_meshes import box


def picture(seed: int = 0) -> np.ndarray:
    """Soft blots of all sizes."""
    rng = np.random.default_rng(seed)
    layers = [cv2.resize(rng.uniform(0, 255, (side, side, 3)), (240, 240), interpolation=cv2.INTER_CUBIC)
              for side in (6, 15, 40)]
    return np.clip(np.mean(layers, axis=0) * 1.6 - 76, 0, 255).astype(np.uint8)


def some(count: int = 7) -> Landmarks:
    rng = np.random.default_rng(count)
    return Landmarks(rng.normal(size=(count, 3)).astype(np.float32), np.tile(np.float32([0, 0, 1]), (count, 1)),
                     rng.integers(0, 255, (count, DESCRIPTOR_SIZE), dtype=np.uint8))


def test_landmarks_lie_beside_the_mesh_and_are_read_with_it(tmp_path: Path) -> None:
    plain, printed = (make_object(number, "part", box()) for number in (1, 2))
    landmarks = some()
    save_objects(tmp_path, {1: plain, 2: replace(printed, landmarks=landmarks)})
    read = load_objects(tmp_path)
    assert read[1].landmarks is None
    found = read[2].landmarks
    assert found is not None
    assert np.array_equal(found.points, landmarks.points)
    assert np.array_equal(found.descriptors, landmarks.descriptors)
    assert np.allclose(found.directions, landmarks.directions, atol=1e-3)


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / landmarks_name(3)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"obj_000003\.npz"):
        read_landmarks(path)


def test_arrays_of_another_form_are_refused(tmp_path: Path) -> None:
    path = tmp_path / landmarks_name(3)
    write_landmarks(path, replace(some(), points=np.zeros((6, 3), np.float32)))
    with pytest.raises(InputError, match="wrong shape"):
        read_landmarks(path)


def test_what_is_described_is_the_place_not_where_it_lies() -> None:
    whole = picture()
    moved = np.roll(whole, (9, 14), axis=(0, 1))
    (first, _, one), (second, _, other) = detect_and_compute(whole, 200), detect_and_compute(moved, 200)
    alike = normalise_descriptors(one) @ normalise_descriptors(other).T
    best = alike.argmax(axis=1)
    inside = ((first > 30) & (first < 200)).all(axis=1) & (alike.max(axis=1) > 0.97)
    assert inside.sum() > 30
    assert np.median(np.linalg.norm(second[best[inside]] - first[inside] - [14, 9], axis=1)) < 0.2


def test_a_plain_picture_has_none() -> None:
    pixels, strengths, descriptors = detect_and_compute(np.full((60, 80, 3), 90, np.uint8), 100)
    assert (pixels.shape, strengths.shape, descriptors.shape) == ((0, 2), (0,), (0, DESCRIPTOR_SIZE))


def test_a_mask_keeps_them_inside() -> None:
    mask = np.zeros((240, 240), np.uint8)
    mask[:, :120] = 1
    pixels = detect_and_compute(picture(), 300, mask)[0]
    assert len(pixels) > 10
    assert pixels[:, 0].max() < 121
