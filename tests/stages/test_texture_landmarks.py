"""A textured card seen at an angle: its image is known exactly, by a homography."""

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
from posebot.stages.hypotheses.landmark_poses import landmark_poses
from posebot.stages.localize import Localization
from posebot.stages.observation.texture_landmarks import LandmarkMatches, match_landmarks
from posebot.stages.scoring.landmarks import landmark_agreement
from tests.objects.test_texture_landmarks import picture

K = np.array([[600.0, 0, 320], [0, 610, 235], [0, 0, 1]])
SIDE = 0.16  # metres; the card's middle is the origin, its texture faces -z


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
def test_texture_gives_the_pose(tilt: float, roll: float, distance: float) -> None:
    truth = tilted(tilt, roll, distance)
    matches = match_landmarks(seen(truth), localized(truth), card())
    assert matches is not None
    assert off(landmark_poses(matches, K)[0], truth) < 3


def test_half_of_the_texture_gives_it_too() -> None:
    truth = tilted(25)
    rgb = seen(truth)
    rgb[:, 340:] = 60
    matches = match_landmarks(rgb, localized(truth), card())
    assert matches is not None
    assert off(landmark_poses(matches, K)[0], truth) < 3


def test_another_texture_gives_none() -> None:
    truth = tilted(10)
    matches = match_landmarks(seen(truth, seed=5), localized(truth), card())
    assert matches is None or not len(landmark_poses(matches, K))


def test_a_plain_image_gives_no_matches() -> None:
    truth = tilted(10)
    assert match_landmarks(np.full((480, 640, 3), 110, np.uint8), localized(truth), card()) is None


@pytest.mark.parametrize("corner", [(-400, -300), (5000, 5000)])
def test_a_box_outside_the_picture_is_no_matter(corner: tuple[int, int]) -> None:
    truth = tilted(0)
    found = localized(truth)
    found.detection.box_xyxy[:] = [*corner, corner[0] + 60, corner[1] + 60]
    assert match_landmarks(seen(truth), found, card()) is None


def test_agreement_tells_the_right_pose_from_others() -> None:
    truth = tilted(20)
    matches = match_landmarks(seen(truth), localized(truth), card())
    assert matches is not None
    shifted = truth.copy()
    shifted[0, 3] += 0.02
    upside_down = truth @ make(rotation_from_vector([0, 0, np.pi]))
    from_behind = truth @ make(rotation_from_vector([np.pi, 0, 0]))
    right, *others = landmark_agreement(np.stack([truth, shifted, upside_down, from_behind]), matches, K)
    assert right > 0.7
    assert max(others) < 0.1


def test_a_keypoint_counts_once_however_many_landmarks_it_matches() -> None:
    truth = tilted(0)
    point = np.zeros((3, 3))
    pixel = project(K, apply(truth, point))
    towards = np.tile([0.0, 0, -1], (3, 1))

    def matches(key: np.ndarray) -> LandmarkMatches:
        return LandmarkMatches(key, pixel, point, towards, np.ones(3, bool), 4.0)

    once, thrice = (landmark_agreement(truth[None], matches(key), K)[0]
                    for key in (np.array([4, 4, 4]), np.array([1, 2, 3])))
    assert once == pytest.approx(1 / (1 + 25**2))
    assert thrice == pytest.approx(9 / (9 + 25**2))


def test_matches_are_resampled() -> None:
    truth = tilted(20)
    matches = match_landmarks(seen(truth), localized(truth), card())
    assert matches is not None
    crop = np.array([[0.25, 0, -30], [0, 0.25, -12], [0, 0, 1]])
    moved = matches.resampled(crop)
    assert moved.tolerance == matches.tolerance / 4
    candidates = np.stack([truth, tilted(-20)])
    assert np.allclose(landmark_agreement(candidates, matches, K), landmark_agreement(candidates, moved, crop @ K))
