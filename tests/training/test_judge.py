"""The verdict of observations: each instance has one best estimate, and what would help is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posebot.core.transforms import make, rotation_from_vector
from posebot.datasets.bop import Annotation, BopDataset
from posebot.models.calibration import Calibration, ModeCalibration
from posebot.models.verdict import ModeVerdict, ObjectVerdict, Verdict
from posebot.objects.bop_models import make_object
from posebot.objects.geometry import surface_center
from posebot.stages.certainty import feature_names
from posebot.training import judge
from posebot.training.calibrate import Observation
from posebot.training.progress import Report, falling
from tests.training.scenes import SIZES, box_mesh, write_scenes

OBJECTS = [make_object(i, f"box{i}", box_mesh(SIZES[i])) for i in SIZES]
MODELS = {model.obj_id: model for model in OBJECTS}
EMPTY = ModeVerdict(0, 0, 0, 0, 0, 0, 0, 0, 0)


def truth(index: int, x: float, visible: float = 1.0) -> Annotation:
    return Annotation(index, 1, make(None, [x, 0, 0.5]), np.array([0.0, 0, 9, 9]), np.array([0.0, 0, 9, 9]), visible)


def estimate(x: float, frame: str = "a", turn: float = 0.0) -> Observation:
    pose = make(rotation_from_vector([0, 0, turn]), [x, 0, 0.5])
    return Observation(frame, "depth", 1, 0.9, pose.tolist(), [0.9] * len(feature_names()),
                       (np.eye(6) * 1e-8).tolist(), 0.001, [0.001, 0, 0, 0, 0, turn])


def test_each_instance_has_one_best_estimate() -> None:
    truths = {"a": [truth(0, 0.0, 0.4), truth(1, 0.2)], "b": []}
    found = judge.nearest([estimate(0.21), estimate(0.201), estimate(0.01), estimate(0.0, "b")], truths, MODELS)
    assert [(one.index if one else None, best) for one, best in found] == [
        (1, False), (1, True), (0, True), (None, False)]
    judged = judge.judged(estimate(0.01), found[2], ok=True, model=OBJECTS[0])
    assert (judged.seen, judged.found, judged.right) == (0.4, False, True)


def test_rotations_are_told_along_the_axes_of_the_object() -> None:
    pose = make(rotation_from_vector([0, np.pi / 2, 0]), [0, 0, 0.5])  # the object's x is the camera's -z
    of = (replace(truth(0, 0.0), cam_from_obj=pose), True)
    judged = judge.judged(estimate(0.0, turn=-1.0), of, ok=False, model=OBJECTS[0])
    np.testing.assert_allclose(judged.turn, [1.0, 0, 0], atol=1e-12)


def test_a_part_that_turns_about_itself_stays_at_its_place() -> None:
    """The origin of a CAD frame lies anywhere: here half a metre beside the part, which is turned by 180 degrees."""
    mesh = box_mesh(SIZES[1])
    beside = np.array([0.5, 0, 0])
    center = surface_center(mesh) + beside
    model = make_object(1, "far", replace(mesh, vertices=mesh.vertices + beside))
    turn = rotation_from_vector([0, 0, np.pi])
    moved = truth(0, 0.0).cam_from_obj @ make(turn, center - turn @ center)
    twist = [*(moved[:3, 3] - truth(0, 0.0).cam_from_obj[:3, 3]), 0, 0, np.pi]
    judged = judge.judged(replace(estimate(0.0), mssd=0.09, twist=twist), (truth(0, 0.0), True), ok=False, model=model)
    assert judged.shift == pytest.approx(1.0)
    assert judged.center == pytest.approx(0, abs=1e-9)
    assert judged.found and judged.placed and not judged.right


def test_verdict_of_a_data_set(tmp_path: Path) -> None:
    data = BopDataset(write_scenes(tmp_path), "train")
    keys = data.keys()
    seen = []
    for number, key in enumerate(keys):
        pose = next(one for one in data.annotations(key) if one.obj_id == 1).cam_from_obj
        seen.append(replace(estimate(0.0, key.frame_id), pose=pose.tolist(), mssd=0.001 if number % 2 else 0.09))
    mode = ModeCalibration(bias=3.0, ok_threshold=0.8, samples=12, right=6, sample_factor=1.0)
    verdict = judge.verdict(seen, data, keys, OBJECTS, Calibration(mode, mode), precision=0.7)
    assert (verdict.frames, verdict.precision) == (12, 0.7)
    [first, second] = verdict.objects
    assert first.rgb == replace(EMPTY, in_sight=12, targets=12)  # nothing was found, but there was something to find
    assert first.depth is not None and second.depth is not None
    assert (first.depth.in_sight, first.depth.found, first.depth.right, first.depth.estimates) == (12, 12, 6, 12)
    assert (first.depth.ok, first.depth.ok_right, first.depth.translation_mm) == (12, 6, 1.0)
    assert second.depth == replace(EMPTY, in_sight=12, targets=12)
    assert judge.read(None) is None


def test_where_nothing_is_found_the_objects_are_still_counted(tmp_path: Path) -> None:
    data = BopDataset(write_scenes(tmp_path), "train")
    verdict = judge.verdict([], data, data.keys(), OBJECTS, Calibration())
    nothing = replace(EMPTY, in_sight=12, targets=12)
    assert [(one.depth, one.rgb) for one in verdict.objects] == [(nothing, nothing)] * 2
    assert verdict.failures()[0] == "only 0 of 24 instances in sight are found"


def test_the_mode_that_was_not_judged_again_is_kept() -> None:
    old = Verdict(9, (ObjectVerdict(1, replace(EMPTY, targets=5), replace(EMPTY, targets=6)),), 0.8)
    new = Verdict(7, (ObjectVerdict(1, None, replace(EMPTY, targets=1)), ObjectVerdict(2)))
    assert judge.merged(new, old, ["rgb"]) == Verdict(
        7, (ObjectVerdict(1, old.objects[0].depth, new.objects[0].rgb), ObjectVerdict(2)), 0.8)


def test_sizes_and_distances_in_the_training_pictures(tmp_path: Path) -> None:
    data = BopDataset(write_scenes(tmp_path), "train")
    [first, second] = judge.training_ranges(data, [0, 1], OBJECTS)
    assert first.picture_size == (160, 120)
    assert 0.4 <= second.distance_m[0] <= second.distance_m[1] <= second.distance_m[2] <= 0.52
    assert 300 * 0.07 / 0.5 < second.pixels[1] < 300 * 0.1 / 0.4
    assert judge.training_ranges(data, [], OBJECTS) == []


def test_what_would_help_is_said_a_line_each() -> None:
    turned = replace(EMPTY, unknown_turn="turn about x")
    lines = judge.advice(Verdict(9, (ObjectVerdict(1, turned),)), {1: "pulley"}, 48.0,
                         {"detector": (0.5, 0.49), "localizer": (0.31, 0.25)}, {1: 22.4})
    assert [line.partition(":")[0] for line in lines] == ["pulley", "more minutes", "more minutes", "pulley",
                                                          "more frames"]
    assert lines[1].endswith("no longer fell in the last quarter (0.5 to 0.49): of little use")
    assert lines[2].endswith("still fell in the last quarter (0.31 to 0.25): yes")
    assert "22 pixels" in lines[3] and "48 times" in lines[4]
    plain = Verdict(9, (ObjectVerdict(1, EMPTY),))
    assert judge.advice(plain, {1: "pulley"}) == []
    assert judge.advice(plain, {1: "pulley"}, samples={"detector": 20_000.0, "localizer": 800.0}) == [
        "more minutes, about 62.5 times as many: the localizer saw 800 crops; it takes some 50,000"]
    short = judge.advice(plain, {1: "pulley"}, falling={"localizer": (0.34, 0.34)}, samples={"localizer": 25_000.0})
    assert short == ["more minutes, about 2.0 times as many: the localizer saw 25,000 crops; it takes some 50,000"]


def test_how_far_the_error_fell_in_the_last_quarter() -> None:
    reports = [Report(0, step / 20, {"loss": 9.0, "error": 1 - step / 20}) for step in range(1, 21)]
    assert falling(reports) == pytest.approx(((0.3 + 0.25) / 2, (0.05 + 0.0) / 2))
    assert falling([Report(0, 0.7, {"loss": 2.0}), Report(0, 1.0, {"loss": 1.0})]) == (2.0, 1.0)
    assert falling(reports[:5]) is None and falling([]) is None
