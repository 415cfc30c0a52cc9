"""The whole pipeline on a real bundle, whose (real, tiny) networks answer with the truth of one view."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from posebot.core.camera import Camera
from posebot.core.results import FrameResult
from posebot.core.transforms import make
from posebot.models.bundle import Bundle
from posebot.stages.pipeline import Pipeline
from posebot.stages.undistort import undistort

STAGES = {"detect", "localize", "pose", "certainty", "fuse", "total"}


@pytest.fixture(scope="module")
def truth(scenes):
    return scenes.pose(1)


@pytest.fixture(scope="module")
def frame(scenes, truth):
    return scenes.frame(truth, noise=0.001)


@pytest.fixture(scope="module")
def bundle(scenes, truth, frame, make_bundle):
    return Bundle.open(make_bundle(scenes.model, [scenes.localization(frame, truth, noise=0.02)], 0.5))


@pytest.fixture
def pipeline(bundle):
    return Pipeline(bundle, threads=1)


@pytest.mark.parametrize("depth", [True, False])
def test_a_frame_gives_the_pose(scenes, bundle, frame, truth, depth):
    result = Pipeline(bundle, depth=depth, threads=1)(frame)
    (estimate,) = result.estimates
    assert scenes.error(estimate.cam_from_obj, truth) < 0.06
    assert (estimate.label, estimate.obj_id) == ("bracket", 1)
    np.testing.assert_allclose(estimate.box_xyxy, scenes.box(truth), atol=0.01)
    assert set(result.stage_ms) == STAGES
    assert result.stage_ms["total"] >= sum(result.stage_ms.values()) - result.stage_ms["total"]


def test_both_runtimes_give_the_same(bundle, frame):
    poses = [Pipeline(bundle, runtime=runtime, threads=1)(frame).estimates[0].cam_from_obj
             for runtime in ("openvino", "onnxruntime")]
    np.testing.assert_allclose(*poses, atol=1e-9)


def test_without_calibration_nothing_is_called_ok(pipeline, frame):
    (estimate,) = pipeline(frame).estimates
    assert estimate.status == "low_certainty"
    assert "calibrated" in estimate.reason


def test_results_survive_json(pipeline, frame):
    result = pipeline(frame)
    again = FrameResult.from_dict(json.loads(result.to_json()))
    np.testing.assert_allclose(again.estimates[0].cam_from_obj, result.estimates[0].cam_from_obj, atol=1e-8)


def test_base_pose_and_track_where_the_camera_is_known(pipeline, frame, truth):
    base_from_cam = make(np.diag([1.0, -1, -1]), [0.2, 0.1, 0.9])
    first = pipeline(replace(frame, base_from_cam=base_from_cam)).estimates[0]
    second = pipeline(replace(frame, base_from_cam=base_from_cam)).estimates[0]
    np.testing.assert_allclose(first.base_from_obj, base_from_cam @ first.cam_from_obj, atol=1e-9)
    assert (first.track_id, first.views) == (1, 1)
    assert (second.track_id, second.views) == (1, 2)
    assert np.trace(second.covariance) < np.trace(first.covariance)


def test_reset_forgets_the_tracks(pipeline, frame):
    known = replace(frame, base_from_cam=np.eye(4))
    pipeline(known)
    pipeline.reset()
    assert pipeline(known).estimates[0].views == 1


def test_without_fusion_there_are_no_tracks(bundle, frame):
    estimate = Pipeline(bundle, threads=1, fuse=False)(replace(frame, base_from_cam=np.eye(4))).estimates[0]
    assert estimate.track_id is None
    assert estimate.base_from_obj is not None


def test_two_boxes_on_one_object_give_one_estimate(scenes, make_bundle, frame, truth):
    localization = scenes.localization(frame, truth)
    box = localization.detection.box_xyxy + np.array([30, 0, 30, 0])
    shifted = replace(localization, detection=replace(localization.detection, score=0.5, box_xyxy=box))
    bundle = Bundle.open(make_bundle(scenes.model, [localization, shifted], 0.5))
    assert len(Pipeline(bundle, threads=1)(frame).estimates) == 1


def test_limit_bounds_the_work(scenes, make_bundle, frame, truth):
    bundle = Bundle.open(make_bundle(scenes.model, [scenes.localization(frame, truth)], 0.5))
    pipeline = Pipeline(bundle, threads=1, limit=0)
    assert pipeline(frame).estimates == ()


def test_observe_gives_what_calibration_needs(pipeline, frame):
    (solution,) = pipeline.observe(frame)
    assert solution.covariance.shape == (6, 6)
    assert solution.localization.detection.class_index == 0


def test_masks_on_request(bundle, frame):
    estimate = Pipeline(bundle, threads=1, masks=True)(frame).estimates[0]
    assert estimate.mask.shape == (480, 640)
    x0, y0, x1, y1 = estimate.box_xyxy
    rows, columns = np.nonzero(estimate.mask)
    assert x0 - 3 < columns.min() < columns.max() < x1 + 3
    assert y0 - 3 < rows.min() < rows.max() < y1 + 3


def test_a_distorted_frame_is_made_undistort(frame):
    distorted = replace(frame, camera=Camera(frame.camera.K, 640, 480, np.array([0.1, -0.05, 0, 0])))
    result = undistort(distorted)
    assert not result.camera.distorted
    assert result.rgb.shape == frame.rgb.shape
    assert undistort(frame) is frame


def test_age_counts_from_capture(pipeline, frame):
    import time

    assert pipeline(replace(frame, captured_at=time.time() - 2)).age_ms >= 2000
