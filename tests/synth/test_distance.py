from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.core.camera import Camera
from posebot.synth.distance import FAR_PIXELS, KIT_SIZE, expected_distance, object_pixels, propose_distance, scene_scale

CAMERA = Camera(np.array([[600.0, 0, 319.5], [0, 600.0, 239.5], [0, 0, 1]]), 640, 480)


def test_pixels_are_those_of_the_pinhole_camera():
    assert object_pixels(CAMERA, 0.032, 0.4) == pytest.approx(48)


def test_one_part_is_seen_from_60_to_180_pixels():
    found = propose_distance({"part": 0.1}, CAMERA)
    assert (found.near, found.far) == (0.33, 1.0)  # 600 * 0.1 / 60 = 1.0, and a third of it
    assert found.small == found.large == ()


def test_the_largest_part_limits_the_nearest_distance_the_smallest_the_farthest():
    found = propose_distance({"panel": 0.096, "pulley": 0.036}, CAMERA)
    assert (found.near, found.far) == (0.24, 0.36)  # 240 px of the panel; 60 px of the pulley
    assert found.small == found.large == ()


def test_parts_of_very_different_sizes_are_named():
    found = propose_distance({"crate": 0.6, "screw": 0.02}, CAMERA)
    assert found.near == pytest.approx(600 * 0.6 / 240, rel=0.05)
    assert found.far == pytest.approx(1.5 * found.near, rel=0.05)
    assert found.small == ("screw",)


def test_a_tiny_part_is_not_seen_nearer_than_cameras_focus():
    found = propose_distance({"screw": 0.006}, CAMERA)
    assert (found.near, found.far) == (0.1, 0.15)
    assert found.small == ("screw",)


@given(st.lists(st.floats(0.005, 2.0), min_size=1, max_size=5), st.floats(300, 3000))
def test_the_range_is_one_and_parts_that_are_not_named_are_large_enough(sizes, focal):
    camera = Camera(np.array([[focal, 0, 640], [0, focal, 360], [0, 0, 1]]), 1280, 720)
    diameters = {str(index): size for index, size in enumerate(sizes)}
    found = propose_distance(diameters, camera)
    assert 0.1 <= found.near < found.far <= 6.0
    for name, size in diameters.items():
        assert name in found.small or object_pixels(camera, size, found.far) >= 0.9 * FAR_PIXELS


def test_scale_is_one_for_the_kit_and_follows_the_size():
    assert scene_scale({"a": KIT_SIZE}) == 1.0
    assert scene_scale({"a": 0.2 * KIT_SIZE, "b": 0.05 * KIT_SIZE}) == 0.1


@pytest.mark.parametrize(("given", "meant"), [((3.0, 1.0), ": 1-3?"), ((300.0, 600.0), ": 0.3-0.6?"),
                                              ((0.01, 0.02), "6.5")])
def test_a_wrong_range_says_what_was_likely_meant(given: tuple[float, float], meant: str) -> None:
    assert expected_distance(given).endswith(meant)
