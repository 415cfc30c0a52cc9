"""The verdict: counts, the rotation that stays unknown, sentences, and what is not usable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import yaml

from posebot.models.calibration import NEVER, Calibration, ModeCalibration
from posebot.models.manifest import DetectorSpec, LocalizerSpec, Manifest, ObjectRef, read_manifest
from posebot.models.training_range import TrainingRange
from posebot.models.verdict import (
    Judged,
    ModeVerdict,
    ObjectVerdict,
    Verdict,
    count,
    describe,
    sentences,
    unknown_turn,
)

D = 0.1  # diameter
RIGHT = Judged(D, 0.002, 0.001, np.radians([0, 0, 0.4]), ok=True, center=0.001)
WRONG = Judged(D, 0.09, 0.08, np.radians([0, 90, 0]), ok=False, center=0.08)
GOOD = ModeVerdict(52, 60, found=50, found_right=48, found_ok=31, estimates=66, right=50, ok=31, ok_right=31,
                   translation_mm=1.2, rotation_deg=0.4)
JUDGED = ModeCalibration(ok_threshold=0.8, samples=200, right=180)
COLOUR = ModeCalibration(ok_threshold=NEVER, samples=197, right=16)


def test_what_is_counted() -> None:
    hidden = replace(RIGHT, seen=0.2)  # counts among the estimates, not among the instances in sight
    absent = replace(WRONG, seen=0.0, ok=True)
    counts = count([RIGHT, replace(RIGHT, shift=0.003, ok=False), hidden, WRONG, absent], in_sight=4, targets=6)
    assert counts == ModeVerdict(4, 6, found=2, found_right=2, found_ok=1, estimates=5, right=3, ok=3, ok_right=2,
                                 translation_mm=1.0, rotation_deg=0.4)


def turned(axis: list[float], degrees: float, wobble: float = 0.0) -> Judged:
    """At the right place, but turned; the origin is not in the part, so the turn moves it."""
    turn = np.radians(degrees) * np.array(axis) + np.radians([0.0, wobble, 0.0])
    return Judged(D, 0.05, 0.09, turn, ok=False, center=0.002)


@pytest.mark.parametrize(("axis", "name"), [
    ([1, 0, 0], "turn about x"), ([0, 0, -1], "turn about z"), ([0, 0.7071, -0.7071], "turn about (0, 1, -1)")])
def test_a_rotation_that_is_wrong_about_one_axis_is_named(axis: list[float], name: str) -> None:
    poses = [turned(axis, degrees, 5) for degrees in np.linspace(-170, 170, 18)] + [replace(RIGHT, ok=False)] * 2
    assert unknown_turn(poses, 18) == name


def test_a_half_turn_is_named_so_and_other_errors_are_not_blamed_on_an_axis() -> None:
    assert unknown_turn([turned([1, 0, 0], 178)] * 6 + [RIGHT] * 6, 6) == "half-turn about x"
    assert unknown_turn([turned([1, 0, 0], 178)] * 2 + [RIGHT] * 18, 2) == ""
    assert unknown_turn([turned([1, 0, 0], 90)] * 4, 4) == "", "too few"
    rng = np.random.default_rng(0)
    axes = rng.normal(size=(40, 3))
    assert unknown_turn([turned(list(axis / np.linalg.norm(axis)), 120) for axis in axes], len(axes)) == ""


@pytest.mark.parametrize(("counts", "mode", "said"), [
    (GOOD, JUDGED, "1.2 mm 0.4°, ok in 60 % of 52 in sight, right 31 of 31"),
    (replace(GOOD, ok=0, ok_right=0, found_ok=0), COLOUR, "1.2 mm 0.4°, never ok: 16 right poses of 197 are too few"),
    (replace(GOOD, ok=0, ok_right=0, found_ok=0, right=3), JUDGED, "1.2 mm 0.4°, never ok: 3 right of 66"),
    (replace(GOOD, unknown_turn="turn about x", ok=0), replace(COLOUR, right=None),
     "1.2 mm 0.4°, turn about x unknown, never ok"),
    (ModeVerdict(52, 60, 0, 0, 0, 0, 0, 0, 0), JUDGED, "none of 52 in sight found"),
    (ModeVerdict(52, 60, 9, 0, 0, 9, 0, 0, 0), COLOUR, "no pose right, never ok: 16 right poses of 197 are too few"),
])
def test_a_mode_in_words(counts: ModeVerdict, mode: ModeCalibration, said: str) -> None:
    assert describe(counts, mode) == said


def manifest(verdict: Verdict | None) -> Manifest:
    return Manifest("part", "0.1.0", (ObjectRef(1, "panel"), ObjectRef(2, "pulley")), DetectorSpec((64, 64), 0.3),
                    LocalizerSpec(), "CC0", Calibration(COLOUR, JUDGED), verdict=verdict,
                    training_range=(TrainingRange(1, (20.0, 41.5, 90.0), (0.3, 0.5, 0.9), (640, 480)),))


def test_one_sentence_an_object_and_the_file_keeps_all(tmp_path) -> None:
    dull = replace(GOOD, found=40, right=16, found_ok=0, ok=0, ok_right=0, translation_mm=4.0, rotation_deg=2.0)
    whole = manifest(Verdict(100, (ObjectVerdict(1, GOOD, dull), ObjectVerdict(2)), 0.9))
    assert sentences(whole) == [
        "panel: with depth 1.2 mm 0.4°, ok in 60 % of 52 in sight, right 31 of 31; colour alone 4.0 mm 2.0°, never ok: "
        "16 right poses of 197 are too few", "pulley: not in the held-out frames"]
    assert sentences(manifest(None)) == []
    path = tmp_path / "bundle.yaml"
    path.write_text(yaml.safe_dump(whole.to_dict()))
    assert read_manifest(path) == whole
    path.write_text(yaml.safe_dump(replace(manifest(None), training_range=()).to_dict()))
    assert "verdict" not in path.read_text()
    assert read_manifest(path).verdict is None


@pytest.mark.parametrize(("depth", "rgb", "precision", "problems"), [
    (GOOD, replace(GOOD, found_right=2), 0.9, []),
    (replace(GOOD, found=25), None, 0.9, ["only 25 of 52 instances in sight are found"]),
    (replace(GOOD, found_right=24), replace(GOOD, found_right=3), None,
     ["only 24 of 50 found instances have a right pose"]),
    (GOOD, None, 0.1, ["only 10 % of the detections are right"]),
])
def test_what_is_not_usable(depth: ModeVerdict, rgb: ModeVerdict | None, precision: float, problems: list[str]) -> None:
    verdict = Verdict(100, (ObjectVerdict(1, depth, rgb),), precision)
    assert verdict.failures() == problems
    assert verdict.usable == (not problems)
