"""Calibration: thresholds, matching, and a log that survives a kill."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posebot.core.camera import Camera
from posebot.core.frame import Frame
from posebot.datasets.bop import Annotation, BopDataset
from posebot.models.verdict import CORRECT
from posebot.objects.bop_models import make_object
from posebot.stages import POSE_STAGE_VERSION
from posebot.stages.certainty import feature_names
from posebot.stages.detect import Detection
from posebot.training import calibrate
from posebot.training.calibrate import HIGHEST, LOWEST, Boxes, Observation
from tests.training.scenes import HEIGHT, SIZES, WIDTH, K, box_mesh, write_scenes

OBJECTS = [make_object(i, f"box{i}", box_mesh(SIZES[i])) for i in SIZES]
FRAME = Frame(np.zeros((HEIGHT, WIDTH, 3), np.uint8), Camera(K, WIDTH, HEIGHT))


def truth(obj_id: int, box: list[float]) -> Annotation:
    return Annotation(0, obj_id, np.eye(4), np.array(box), np.array(box), 1.0)


def test_threshold_is_the_lowest_with_the_wanted_precision() -> None:
    scores, right = np.array([0.9, 0.3, 0.2, 0.15, 0.1]), np.array([1, 1, 0, 0, 0], bool)
    assert calibrate.chosen_threshold(scores, right, 0.5) == 0.15
    assert calibrate.chosen_threshold(scores, right, 1.0) == 0.3
    assert calibrate.chosen_threshold(scores, ~right, 0.99) == HIGHEST
    assert calibrate.chosen_threshold(np.zeros(0), np.zeros(0, bool), 0.5) == LOWEST


def test_no_fewer_of_the_old_objects_are_found_than_before() -> None:
    def boxes(*rows: tuple[float, int, int]) -> Boxes:
        scores, right, objects = zip(*rows, strict=True)
        return Boxes(np.array(scores), np.array(right, bool), np.array(right, bool), np.array(objects), 4)

    seen = boxes((0.9, 1, 1), (0.8, 0, 2), (0.7, 1, 2), (0.5, 1, 9), (0.4, 0, 1), (0.3, 1, 2), (0.2, 0, 9))
    before = boxes((0.6, 1, 1), (0.5, 1, 2), (0.4, 1, 2), (0.3, 0, 1))
    alone, found = calibrate.detector_threshold(seen, 0.7)
    assert (alone, found["detector_recall"]) == (HIGHEST, 0.75)
    beside, found = calibrate.detector_threshold(seen, 0.7, before)
    assert (beside, found["detector_recall"]) == (0.3, 1.0)
    assert calibrate.lowered(0.5, np.array([0.9, 0.7]), 3) == 0.5
    assert calibrate.lowered(0.5, np.array([0.9, 0.01]), 2) == LOWEST
    assert calibrate.lowered(0.5, np.zeros(0), 2) == 0.5


def test_each_truth_is_matched_once_by_class_and_overlap() -> None:
    truths = [truth(1, [10, 10, 40, 40]), truth(2, [60, 10, 90, 40])]
    detections = [Detection(0, 0.9, np.array([11.0, 10, 40, 41])), Detection(0, 0.8, np.array([10.0, 10, 40, 40])),
                  Detection(0, 0.7, np.array([60.0, 10, 90, 40])), Detection(1, 0.6, np.array([60.0, 10, 90, 40]))]
    found = calibrate.matched(detections, truths, OBJECTS, FRAME)
    assert [None if one is None else one.obj_id for one in found] == [1, None, None, 2]


def test_the_same_seed_holds_out_the_same_pictures(tmp_path: Path) -> None:
    dataset = BopDataset(write_scenes(tmp_path), "train")
    keys = calibrate.held_out(dataset, [1], 4, seed=3)
    assert keys == calibrate.held_out(dataset, [1], 4, seed=3)
    assert len(keys) == 4
    assert {key.scene_id for key in keys} == {1}
    assert len(calibrate.held_out(dataset, [0, 1], 1000, seed=3)) == 12


def observation(error: float, certain: float, frame: str = "") -> Observation:
    twist = [error, 0.0, 0.0, error * 5, 0.0, 0.0]
    return Observation(frame, "rgb", 1, 0.9, np.eye(4).tolist(), [certain] * len(feature_names()),
                       (np.eye(6) * 1e-6).tolist(), error, twist)


def test_fitted_calibration_tells_right_from_wrong() -> None:
    rng = np.random.default_rng(0)
    limit = OBJECTS[0].diameter * CORRECT
    seen = [observation(limit * 0.3 * rng.random(), 0.9, f"good/{number}") for number in range(80)]
    seen += [observation(limit * (2 + rng.random()), 0.1, f"bad/{number}") for number in range(40)]
    calibration, metrics = calibrate.fitted(seen, OBJECTS)
    assert metrics["rgb_correct"] == pytest.approx(80 / 120)
    assert calibration.rgb.samples == 120
    assert calibration.rgb.ok_threshold < 1
    assert calibration.depth.samples == 0


def test_what_is_suppressed_is_not_calibrated_on() -> None:
    limit = OBJECTS[0].diameter * CORRECT
    good = [observation(limit * 0.1, 0.9, str(number)) for number in range(30)]
    twins = [observation(limit * 3, 0.1, str(number)) for number in range(30)]
    apart = [observation(limit * 3, 0.1, f"apart/{number}") for number in range(30)]
    _, metrics = calibrate.fitted(good + twins + apart, OBJECTS)
    assert metrics["rgb_estimates"] == 60
    assert metrics["rgb_correct"] == pytest.approx(0.5)


def test_a_line_that_was_cut_off_is_dropped_and_the_rest_kept(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    whole = log_line("000000/000001", {})
    log.write_text(whole + whole[:40])
    assert list(calibrate._read(log)) == ["000000/000001"]
    assert log.read_text() == whole


@pytest.mark.parametrize("change", [
    {"features": [*feature_names()[1:], feature_names()[0]]}, {"features": [*feature_names(), "gloss"]},
    {"pose_stage": POSE_STAGE_VERSION + 1}, {"pose_stage": None, "features": None}])
def test_images_that_another_pose_stage_observed_are_run_again(
        change: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(log_line("0/1", change) + log_line("0/2", {}) + log_line("0/3", change) + log_line("0/3", {}))
    done = calibrate._read(log)
    assert list(done) == ["0/2", "0/3"]
    assert [one.features for one in done["0/2"]] == [[0.5] * len(feature_names())]
    assert f"{log}: 1 images were observed with another version of the pose stage" in caplog.text


def log_line(frame: str, change: dict[str, Any]) -> str:
    entry = {"frame": frame, "pose_stage": POSE_STAGE_VERSION, "features": list(feature_names()),
             "observations": [asdict(observation(0.1, 0.5))]} | change
    return json.dumps({key: value for key, value in entry.items() if value is not None}) + "\n"
