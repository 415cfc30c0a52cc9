from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posebot.core.objects import ContinuousSymmetry
from posebot.core.transforms import make, rotation_from_vector
from posebot.models.bundle import Bundle
from posebot.models.runtime import Network
from posebot.stages.detect import (
    GREY,
    Detection,
    OnnxDetector,
    boxes_from_rotated,
    boxes_to_image,
    letterbox,
    merge_tta,
    nms,
    tta_views,
)
from posebot.stages.geometry.symmetry import canonical, nearest_equivalent
from posebot.stages.localize import OnnxLocalizer
from tests.video.plumbing import BOX, HEIGHT, WIDTH, write_plumbing_bundle


@pytest.mark.parametrize(("height", "width", "inner"),
                         [(480, 640, (240, 320)), (480, 480, (256, 256)), (64, 32, (256, 128))])
def test_letterbox_fits_and_pads_grey(height, width, inner):
    image, scale = letterbox(np.full((height, width, 3), 7, np.uint8), (256, 320))
    assert image.shape == (256, 320, 3)
    assert (image[:inner[0], :inner[1]] == 7).all()
    assert (image[inner[0]:] == GREY).all()
    assert (image[:, inner[1]:] == GREY).all()
    assert scale == inner[0] / height


@settings(deadline=None, max_examples=50)
@given(scale=st.floats(0.1, 3), corners=st.lists(st.floats(0, 100), min_size=4, max_size=4))
def test_boxes_are_mapped_back_to_the_image(scale, corners):
    x0, y0, dx, dy = corners
    box = np.array([[x0, y0, x0 + dx, y0 + dy]])
    np.testing.assert_allclose(boxes_to_image((box + 0.5) * scale - 0.5, scale, (1000, 1000)), box, atol=1e-9)


def test_boxes_end_at_the_border():
    np.testing.assert_allclose(boxes_to_image(np.array([[-50.0, -50, 500, 500]]), 1.0, (20, 10)),
                               [[-0.5, -0.5, 9.5, 19.5]])


def test_nms_keeps_other_classes():
    box = np.array([0, 0, 10, 10.0])
    found = [Detection(0, 0.9, box), Detection(0, 0.8, box + 0.5), Detection(1, 0.7, box), Detection(0, 0.6, box + 8)]
    assert [detection.score for detection in nms(found)] == [0.9, 0.7, 0.6]


@settings(deadline=None, max_examples=30)
@given(x=st.floats(30, 280), y=st.floats(30, 200), side=st.sampled_from([1, 2]))
def test_boxes_of_a_rotated_view_are_rotated_back(x, y, side):
    views, rotations = tta_views(np.zeros((240, 320, 3), np.uint8), 3)
    assert views.shape == (3, 240, 320, 3)
    middle = rotations[side] @ [x, y, 1]
    half = np.array([12, 7])
    box = np.hstack([middle - half, middle + half])[None]
    np.testing.assert_allclose(boxes_from_rotated(box, rotations[side])[0], [x - 12, y - 7, x + 12, y + 7], atol=1e-9)


def test_rotated_views_show_the_image_rotated():
    image = np.zeros((240, 320, 3), np.uint8)
    image[60:63, 200:203] = 255
    views, rotations = tta_views(image, 3)
    for shown, rotation in zip(views, rotations, strict=True):
        x, y = np.rint(rotation @ [201, 61, 1]).astype(int)
        assert shown[y, x].min() > 150


def test_views_are_merged_by_the_mean_of_their_scores():
    box, other = np.array([0, 0, 10, 10.0]), np.array([100, 0, 110, 10.0])
    found = merge_tta([[Detection(0, 0.9, box), Detection(1, 0.6, other)], [Detection(0, 0.6, box + 1)], []], 0.1)
    assert [(detection.class_index, round(detection.score, 9)) for detection in found] == [(0, 0.5), (1, 0.2)]
    np.testing.assert_allclose(found[0].box_xyxy, box + 0.4)
    assert merge_tta([[], [], []], 0.1) == []


@pytest.fixture(scope="module")
def bundle(scenes, make_bundle):
    pose = scenes.pose(1)
    frame = scenes.frame(pose)
    weak = scenes.localization(frame, pose)
    return Bundle.open(make_bundle(scenes.model, [replace(weak, detection=replace(weak.detection, score=score))
                                                  for score in (0.25, 0.9)], 0.5)), frame, weak


def test_detector_keeps_what_passes_the_threshold(bundle):
    opened, frame, truth = bundle
    detector = OnnxDetector(Network(opened.detector), opened.manifest.detector)
    (detection,) = detector(frame.rgb)
    assert detection.score == pytest.approx(0.9)
    np.testing.assert_allclose(detection.box_xyxy, truth.detection.box_xyxy, atol=1e-3)


def test_three_tta_views_detect_what_is_in_the_middle(tmp_path):
    opened = Bundle.open(write_plumbing_bundle(tmp_path))
    detector = OnnxDetector(Network(opened.detector), replace(opened.manifest.detector, tta_views=3))
    (detection,) = detector(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert detection.score == pytest.approx(0.9)
    np.testing.assert_allclose(detection.box_xyxy, BOX, atol=1e-3)


def test_localizer_cuts_and_batches(bundle):
    opened, frame, truth = bundle
    localizer = OnnxLocalizer(Network(opened.localizer), opened.manifest.localizer, batch=2)
    results = localizer(frame.rgb, [truth.detection] * 4)
    assert len(results) == 4
    np.testing.assert_array_equal(results[0].crop, truth.crop)
    assert localizer(frame.rgb, []) == []
    assert results[0].side == pytest.approx(1.25 * max(truth.detection.box_xyxy[2:] - truth.detection.box_xyxy[:2]))


@settings(deadline=None, max_examples=25)
@given(angle=st.floats(-6, 6), seed=st.integers(0, 1000))
def test_canonical_is_the_same_for_poses_that_look_alike(scenes, angle, seed):
    rng = np.random.default_rng(seed)
    model = replace(scenes.model, symmetries_continuous=(ContinuousSymmetry(np.array([0.0, 0, 1])),))
    pose = make(rotation_from_vector(rng.normal(size=3)), [0, 0, 0.5])
    turned = pose @ make(rotation_from_vector([0, 0, angle]))
    first, second = canonical(pose, model), canonical(turned, model)
    np.testing.assert_allclose(first[:3, 2], pose[:3, 2], atol=1e-9)  # the axis itself stays
    assert np.arccos(np.clip((np.trace(first[:3, :3].T @ second[:3, :3]) - 1) / 2, -1, 1)) < np.radians(10.5)


def test_nearest_equivalent_of_plain_objects_is_the_pose(scenes):
    pose = scenes.pose(0)
    assert nearest_equivalent(pose, np.eye(4), scenes.model) is pose
