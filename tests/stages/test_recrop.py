"""When a crop is cut again around its pose, and where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posebot.stages.recrop import recrop
from posebot.stages.solution import PoseSolution


@pytest.fixture
def found(scenes):
    """A solution with the right pose and the right box, of which little is sure."""
    pose = scenes.pose(2)
    frame = scenes.frame(pose)
    return PoseSolution(scenes.localization(frame, pose), pose, total=0.5, with_depth=True), frame.camera.K


def boxed(solution, change):
    box = solution.localization.detection.box_xyxy
    detection = replace(solution.localization.detection, box_xyxy=change(box))
    return replace(solution, localization=replace(solution.localization, detection=detection))


def wider(box):
    return box + np.array([-0.3, -0.3, 0.3, 0.3]) * (box[2] - box[0])


def test_no_recrop_where_the_box_fits(scenes, found):
    solution, K = found
    assert recrop(solution, scenes.model, K, 0.3) is None


def test_a_box_too_wide_is_cut_again_around_the_pose(scenes, found):
    solution, K = found
    detection = recrop(boxed(solution, wider), scenes.model, K, 0.3)
    assert detection is not None
    np.testing.assert_allclose(detection.box_xyxy, solution.localization.detection.box_xyxy, atol=2)
    assert detection.score == solution.localization.detection.score


@pytest.mark.parametrize("change", [{"total": 0.9}, {"with_depth": False}, {"pose": None}])
def test_not_without_need_or_depth_or_pose(scenes, found, change):
    solution, K = found
    assert recrop(replace(boxed(solution, wider), **change), scenes.model, K, 0.3) is None


def test_not_for_a_box_that_the_detector_hardly_believes(scenes, found):
    solution, K = found
    score = solution.localization.detection.score
    assert recrop(boxed(solution, wider), scenes.model, K, 0.6 * score) is None


def test_not_for_a_pose_that_lies_elsewhere(scenes, found):
    solution, K = found
    assert recrop(boxed(solution, lambda box: box + 500), scenes.model, K, 0.3) is None
