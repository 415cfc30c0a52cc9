"""The shifted camera sees the same scene at the same poses, and worse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_bop_dataset import CAMERA, POSES, image

from posebot.core.camera import box_from_mask, project
from posebot.core.frame import Frame
from posebot.evaluation.domain_shift import SCALE, apply_domain_shift, box_to_original_camera


@pytest.fixture
def frame() -> Frame:
    return image(POSES[1, 0])[0]


def test_poses_and_boxes_stay_where_they_are(frame: Frame) -> None:
    bright = replace(frame, rgb=np.zeros_like(frame.rgb))
    bright.rgb[32:64, 40:80] = 255
    worse = apply_domain_shift(bright, np.random.default_rng(0))
    assert (worse.camera.width, worse.camera.height) == (round(SCALE[0] * 128), round(SCALE[1] * 96))
    box = box_from_mask(worse.rgb.mean(axis=2) > worse.rgb.max() / 2)
    assert box is not None
    assert box_to_original_camera(box.tolist(), CAMERA) == pytest.approx([39.5, 31.5, 79.5, 63.5], abs=1.6)
    point = np.array([0.02, -0.03, 0.5])
    here = [*project(worse.camera.K, point), 0, 0]
    assert box_to_original_camera(here, CAMERA)[:2] == pytest.approx(project(CAMERA.K, point), abs=1e-9)


def test_depth_is_worse_but_not_another(frame: Frame) -> None:
    assert frame.depth is not None
    worse = apply_domain_shift(frame, np.random.default_rng(1))
    assert worse.depth is not None
    assert worse.depth.shape == worse.rgb.shape[:2]
    lost = (worse.depth == 0).mean()
    assert 0.005 < lost < 0.15
    assert abs(np.median(worse.depth[worse.depth > 0]) / np.median(frame.depth) - 1) < 0.02


def test_the_same_generator_gives_the_same_picture_and_depth_may_be_missing(frame: Frame) -> None:
    blind = replace(frame, depth=None)
    one, two = (apply_domain_shift(blind, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.rgb, two.rgb)
    assert one.depth is None
