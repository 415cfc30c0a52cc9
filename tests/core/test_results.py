"""A line of results.jsonl holds what was put into it."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.core import transforms as tf
from posebot.core.camera import Camera
from posebot.core.errors import InputError
from posebot.core.results import SCHEMA, Alternative, FrameResult, ModelVersion, PoseEstimate, Region90

CAMERA = Camera(np.array([[572.4, 0, 325.3], [0, 573.6, 242.0], [0, 0, 1]]), 640, 480, np.array([0.1, 0, 0, 0]))
finite = st.floats(-2, 2, allow_subnormal=False)


@st.composite
def estimates(draw: st.DrawFn) -> PoseEstimate:
    posed = draw(st.booleans())
    pose = tf.exp(draw(st.lists(finite, min_size=6, max_size=6))) if posed else None
    return PoseEstimate(
        label=draw(st.text(max_size=5)), obj_id=draw(st.integers(1, 99)), score=draw(st.floats(0, 1)),
        box_xyxy=np.array(draw(st.lists(finite, min_size=4, max_size=4))), status="ok" if posed else "no_pose",
        reason="" if posed else "nothing left of the mask", cam_from_obj=pose,
        base_from_obj=None if pose is None or draw(st.booleans()) else tf.exp([0, 0, 1, 0, 0, 1]) @ pose,
        covariance=np.diag(draw(st.lists(st.floats(1e-9, 1), min_size=6, max_size=6))) if posed else None,
        p_correct=draw(st.floats(0, 1)), fit=draw(st.floats(0, 1)),
        region90=draw(st.none() | st.builds(Region90, st.just(3.25), st.just(1.5))),
        track_id=draw(st.none() | st.integers(0, 9)), views=draw(st.integers(1, 9)),
        alternatives=tuple(Alternative(tf.exp([0, 0, 1, 0, 0, angle]), 0.01) for angle in range(draw(st.integers(0, 3)))
                           ) if posed else (),
    )


def _same_pose(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    return a is b is None or (a is not None and b is not None and bool(np.allclose(a, b, atol=1e-8)))


@given(st.lists(estimates(), max_size=3))
def test_json_round_trip(entries: list[PoseEstimate]) -> None:
    stage_ms = {"detect": 1.25, "total": 30.5}
    result = FrameResult("000002/000038", 1.5e9, CAMERA, tuple(entries), 12.0, stage_ms, dropped=2,
                         model=ModelVersion("kit", "0.3.1"), base_from_cam=tf.exp([0.4, 0, 0.6, np.pi, 0, 0.3]))
    line = result.to_json()
    assert "\n" not in line
    back = FrameResult.from_dict(json.loads(line))
    assert (back.frame_id, back.captured_at, back.age_ms, back.stage_ms, back.dropped) == (
        result.frame_id, result.captured_at, result.age_ms, result.stage_ms, result.dropped)
    assert back.model == result.model
    assert _same_pose(back.base_from_cam, result.base_from_cam)
    assert back.camera.to_dict() == CAMERA.to_dict()
    for one, other in zip(entries, back.estimates, strict=True):
        assert (one.label, one.obj_id, one.status, one.reason, one.region90, one.track_id, one.views) == (
            other.label, other.obj_id, other.status, other.reason, other.region90, other.track_id, other.views)
        assert _same_pose(one.cam_from_obj, other.cam_from_obj)
        assert _same_pose(one.base_from_obj, other.base_from_obj)
        assert _same_pose(one.covariance, other.covariance)
        assert len(one.alternatives) == len(other.alternatives)
        for first, second in zip(one.alternatives, other.alternatives):
            assert _same_pose(first.cam_from_obj, second.cam_from_obj)
            assert first.gap == second.gap
        assert other.score == pytest.approx(one.score, abs=1e-4)
        assert other.rank == pytest.approx(one.rank, abs=1e-4)
    assert back.to_json() == FrameResult.from_dict(json.loads(back.to_json())).to_json()


def test_schema_stands_in_every_line_and_is_checked() -> None:
    data = FrameResult("a", 0.0, CAMERA).to_dict()
    assert data["schema"] == SCHEMA
    with pytest.raises(InputError, match="schema 99"):
        FrameResult.from_dict({**data, "schema": 99})


def test_position_is_in_the_base_frame_where_that_is_known() -> None:
    estimate = PoseEstimate("can", 2, 0.9, np.zeros(4), cam_from_obj=tf.make(translation=[0, 0, 1]))
    assert estimate.to_dict()["position_m"] == [0, 0, 1]
    moved = estimate.replace(base_from_obj=tf.make(translation=[0.5, 0, 0]))
    assert moved.to_dict()["position_m"] == [0.5, 0, 0]
    assert PoseEstimate("can", 2, 0.9, np.zeros(4)).to_dict()["position_m"] is None


def test_nan_never_reaches_a_file() -> None:
    result = FrameResult("a", 0.0, CAMERA, (PoseEstimate("can", 2, float("nan"), np.zeros(4)),))
    with pytest.raises(ValueError, match="not JSON compliant"):
        result.to_json()


def test_a_mask_is_not_written_and_not_compared() -> None:
    estimate = PoseEstimate("can", 2, 0.9, np.zeros(4), mask=np.ones((2, 2), dtype=bool))
    assert "mask" not in estimate.to_dict()


def test_alternatives_are_told_in_both_frames() -> None:
    base_from_cam = tf.exp([0.4, 0, 0.6, np.pi, 0, 0.3])
    pose, other = tf.exp([0, 0, 0.5, 0.1, 0.2, 0.3]), tf.exp([0, 0, 0.5, 0.1, 0.2, 3.0])
    estimate = PoseEstimate("mug", 3, 0.9, np.zeros(4), "low_certainty", "two poses explain the image", pose,
                            alternatives=(Alternative(other, 0.0123),))
    listed = estimate.to_dict()["alternatives"]
    assert listed == [{"cam_from_obj": other.round(9).tolist(), "base_from_obj": None, "gap": 0.0123}]
    listed = estimate.replace(base_from_obj=base_from_cam @ pose).to_dict()["alternatives"]
    assert np.allclose(listed[0]["base_from_obj"], base_from_cam @ other, atol=1e-8)


def test_a_line_from_before_there_were_alternatives_can_be_read() -> None:
    data = PoseEstimate("mug", 3, 0.9, np.zeros(4)).to_dict()
    del data["alternatives"]
    assert PoseEstimate.from_dict(data).alternatives == ()


def _full() -> FrameResult:
    pose = tf.exp([0.01, -0.02, 0.5, 0, 0, 0])
    mug = PoseEstimate("mug", 3, 0.9, np.array([1.0, 2, 3, 4]), "ok", cam_from_obj=pose, base_from_obj=pose,
                       covariance=np.eye(6), p_correct=0.97, fit=0.9, region90=Region90(2.14, 3.4),
                       alternatives=(Alternative(pose, 0.01),), track_id=1, views=2, budget={"vision": (1.0, 2.0)})
    hidden = PoseEstimate("can", 2, 0.4, np.zeros(4), reason="too small")
    return FrameResult("000002/000038", 1.5e9, CAMERA, (mug, hidden), 12.0, {"total": 30.5},
                       model=ModelVersion("kit", "0.3.1"), base_from_cam=np.eye(4))


def _with_more(value: Any) -> Any:
    """The same JSON with an unknown field in every object of a fixed form."""
    if isinstance(value, list):
        return [_with_more(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    more = {} if value.keys() == {"total"} else {"of_a_later_version": [1, {"a": None}]}
    return {name: entry if name == "budget" else _with_more(entry) for name, entry in value.items()} | more


def test_readers_skip_fields_that_they_do_not_know() -> None:
    result = _full()
    data = _with_more(result.to_dict())
    assert "of_a_later_version" in data["estimates"][0]["alternatives"][0]
    assert "of_a_later_version" in data["camera"] and "of_a_later_version" in data["estimates"][0]["region90"]
    assert FrameResult.from_dict(data).to_dict() == result.to_dict()
    later = result.to_dict()
    later["estimates"][0]["source"] = "tracked"
    assert FrameResult.from_dict(later)[0].source == "tracked"


def test_a_result_of_an_earlier_version_can_be_read() -> None:
    data = _full().to_dict()
    del data["model"], data["base_from_cam"], data["estimates"][0]["source"]
    back = FrameResult.from_dict(data)
    assert (back.model, back.base_from_cam, back[0].source) == (None, None, "detected")


def test_a_result_is_a_sequence_of_estimates() -> None:
    result = _full()
    assert [estimate.label for estimate in result] == ["mug", "can"]
    assert (len(result), result[1].label, result[-1].label, len(result[:1])) == (2, "can", "can", 1)
    with pytest.raises(IndexError):
        result[2]
    assert FrameResult("a", 0.0, CAMERA)  # without objects, and true nevertheless


def test_people_can_read_it() -> None:
    result = _full()
    assert repr(result) == "FrameResult('000002/000038', 2 objects: mug ok 0.97, can no_pose 0.00, " \
                           "model kit 0.3.1, 30 ms)"
    assert repr(result[0]) == "PoseEstimate('mug', ok, p_correct=0.97, cam_from_obj at (0.010, -0.020, 0.500) m, " \
                              "within 2.1 mm, 3.4 deg)"
    assert repr(result[1]) == "PoseEstimate('can', no_pose, p_correct=0.00)"
    assert repr(FrameResult("a", 0.0, CAMERA)) == "FrameResult('a', 0 objects: none)"


def test_the_position_is_in_the_base_frame_where_that_is_known() -> None:
    pose = tf.make(translation=[0.1, 0.2, 0.5])
    plain = PoseEstimate("part", 1, 0.9, np.zeros(4), cam_from_obj=pose)
    np.testing.assert_array_equal(plain.position_m, [0.1, 0.2, 0.5])
    fused = plain.replace(base_from_obj=tf.make(translation=[1.0, 0, 0]) @ pose)
    np.testing.assert_allclose(fused.position_m, [1.1, 0.2, 0.5])
    assert fused.to_dict()["position_m"] == [1.1, 0.2, 0.5]
    assert PoseEstimate("part", 1, 0.9, np.zeros(4)).position_m is None
