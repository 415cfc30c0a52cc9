"""A printed card, seen from the side: its picture is known exactly, by a homography."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posebot.core.camera import project
from posebot.core.objects import Landmarks
from posebot.core.transforms import Array, apply, make, rotation_from_vector
from posebot.objects.texture_landmarks import detect_and_compute
from posebot.stages.detect import Detection
from posebot.stages.localize import Localization
from posebot.stages.posing.landmarks import Pairs, agreement, matched, poses
from tests.objects.test_texture_landmarks import picture

K = np.array([[600.0, 0, 320], [0, 610, 235], [0, 0, 1]])
SIDE = 0.16  # metres; the card's middle is the origin, its print looks along -z


def card(seed: int = 0) -> Landmarks:
    pixels, _, descriptors = detect_and_compute(picture(seed), 400)
    points = np.c_[(pixels - 119.5) * (SIDE / 240), np.zeros(len(pixels))]
    return Landmarks(points.astype(np.float32), np.tile(np.float32([0, 0, -1]), (len(points), 1)), descriptors)


def seen(pose: Array, seed: int = 0, noise: float = 4.0) -> np.ndarray:
    """The picture (480, 640, 3) that a camera takes of the card on grey."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * SIDE / 2
    there = project(K, apply(pose, corners)).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(np.float32([[0, 0], [240, 0], [240, 240], [0, 240]]) - np.float32(0.5), there)
    rgb = cv2.warpPerspective(picture(seed), matrix, (640, 480), flags=cv2.INTER_AREA, borderValue=(110, 110, 110))
    return np.clip(rgb + np.random.default_rng(seed).normal(scale=noise, size=rgb.shape), 0, 255).astype(np.uint8)


def localized(pose: Array) -> Localization:
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * SIDE / 2
    pixels = project(K, apply(pose, corners))
    box = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])
    blank = np.zeros((32, 32), np.float32)
    return Localization(Detection(0, 0.9, box), np.zeros((128, 128, 3), np.uint8), np.eye(3), 4, blank, blank,
                        np.zeros((3, 32, 32), np.float32), blank, np.zeros(3, np.float32))


def tilted(degrees: float, roll: float = 20.0, distance: float = 0.5) -> Array:
    turn = rotation_from_vector([0, 0, np.radians(roll)]) @ rotation_from_vector([np.radians(degrees), 0, 0])
    return make(turn, [0.03, -0.02, distance])


def off(pose: Array, truth: Array) -> float:
    """Pixels that the card's corners are off by, at most: what a picture can tell of a pose."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * SIDE / 2
    there, here = (project(K, apply(each, corners)) for each in (truth, pose))
    return float(np.linalg.norm(there - here, axis=1).max())


@settings(max_examples=12)
@given(tilt=st.floats(-40, 40), roll=st.floats(-180, 180), distance=st.floats(0.35, 0.9))
def test_a_print_gives_the_pose(tilt: float, roll: float, distance: float) -> None:
    truth = tilted(tilt, roll, distance)
    pairs = matched(seen(truth), localized(truth), card())
    assert pairs is not None
    assert off(poses(pairs, K)[0], truth) < 3


def test_half_a_print_does_as_well() -> None:
    truth = tilted(25)
    rgb = seen(truth)
    rgb[:, 340:] = 60
    pairs = matched(rgb, localized(truth), card())
    assert pairs is not None
    assert off(poses(pairs, K)[0], truth) < 3


def test_another_print_gives_none() -> None:
    truth = tilted(10)
    pairs = matched(seen(truth, seed=5), localized(truth), card())
    assert pairs is None or not len(poses(pairs, K))


def test_nothing_to_see_gives_no_pairs() -> None:
    truth = tilted(10)
    assert matched(np.full((480, 640, 3), 110, np.uint8), localized(truth), card()) is None


@pytest.mark.parametrize("corner", [(-400, -300), (5000, 5000)])
def test_a_box_outside_the_picture_is_no_matter(corner: tuple[int, int]) -> None:
    truth = tilted(0)
    found = localized(truth)
    found.detection.box_xyxy[:] = [*corner, corner[0] + 60, corner[1] + 60]
    assert matched(seen(truth), found, card()) is None


def test_agreement_tells_the_right_pose_from_others() -> None:
    truth = tilted(20)
    pairs = matched(seen(truth), localized(truth), card())
    assert pairs is not None
    shifted = truth.copy()
    shifted[0, 3] += 0.02
    upside_down = truth @ make(rotation_from_vector([0, 0, np.pi]))
    from_behind = truth @ make(rotation_from_vector([np.pi, 0, 0]))
    right, *others = agreement(np.stack([truth, shifted, upside_down, from_behind]), pairs, K)
    assert right > 0.7
    assert max(others) < 0.1


def test_a_key_point_counts_once_however_many_landmarks_it_looks_like() -> None:
    truth = tilted(0)
    point = np.zeros((3, 3))
    pixel = project(K, apply(truth, point))
    towards = np.tile([0.0, 0, -1], (3, 1))
    once, thrice = (agreement(truth[None], Pairs(key, pixel, point, towards, np.ones(3, bool), 4.0), K)[0]
                    for key in (np.array([4, 4, 4]), np.array([1, 2, 3])))
    assert once == pytest.approx(1 / (1 + 25**2))
    assert thrice == pytest.approx(9 / (9 + 25**2))


def test_pairs_move_with_the_picture() -> None:
    truth = tilted(20)
    pairs = matched(seen(truth), localized(truth), card())
    assert pairs is not None
    crop = np.array([[0.25, 0, -30], [0, 0.25, -12], [0, 0, 1]])
    moved = pairs.moved(crop)
    assert moved.tolerance == pairs.tolerance / 4
    candidates = np.stack([truth, tilted(-20)])
    assert np.allclose(agreement(candidates, pairs, K), agreement(candidates, moved, crop @ K))
