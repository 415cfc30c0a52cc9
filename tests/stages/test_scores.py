"""A further score is one function and one entry in the table: here the chamfer distance of silhouette and mask."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from posebot.core.transforms import Array, perturb
from posebot.models.calibration import Calibration, ModeCalibration
from posebot.stages.certainty import assess, feature_names, features
from posebot.stages.geometry.surface import Surface
from posebot.stages.observation.evidence import Evidence, gather
from posebot.stages.pose import solve
from posebot.stages.scoring.inputs import ScoreInputs
from posebot.stages.scoring.table import SCORES, Score
from posebot.stages.scoring.total import mode_of, score, weighted_total
from tests.stages.conftest import Scenes


def chamfer(inputs: ScoreInputs) -> Array:
    """exp(-d / 2) (H,) of the mean distance d, pixels, from the silhouette's rim to that of the amodal mask."""
    mask = (inputs.evidence.amodal > 0.5).astype(np.uint8)
    distance = cv2.distanceTransform(1 - (mask - cv2.erode(mask, np.ones((3, 3), np.uint8))), cv2.DIST_L2, 3)
    rim = inputs.drawn.cover == 0.5
    mean = (rim * distance).sum(axis=(1, 2)) / np.maximum(rim.sum(axis=(1, 2)), 1)
    return np.asarray(np.exp(-mean / 2))


@pytest.fixture
def registered() -> Iterator[Score]:
    entry = Score("chamfer", chamfer, {"depth": 3.0, "rough": 1.0})
    SCORES.append(entry)
    yield entry
    SCORES.remove(entry)


def example(scenes: Scenes, depth: bool = True) -> tuple[Evidence, Array, Surface]:
    pose = scenes.pose(1)
    frame = scenes.frame(pose, noise=0.001, depth=depth)
    evidence = gather(frame, scenes.localization(frame, pose, noise=0.02), scenes.model)
    return evidence, np.stack([pose, perturb(pose, [0.02, 0, 0, 0, 0.4, 0])]), scenes.surface


@pytest.mark.parametrize("depth", [True, False])
def test_it_changes_totals_in_the_modes_that_weight_it(scenes: Scenes, registered: Score, depth: bool) -> None:
    evidence, poses, surface = example(scenes, depth)
    scores = score(poses, evidence, surface)
    right, wrong = scores.values["chamfer"]
    assert 0 <= wrong < 0.8 * right <= 1
    SCORES.remove(registered)
    before = score(poses, evidence, surface)
    SCORES.append(registered)
    assert "chamfer" not in before.values
    assert scores.total[0] - scores.total[1] > before.total[0] - before.total[1] > 0


def test_a_mode_without_weight_reports_it_and_leaves_the_total(scenes: Scenes, registered: Score) -> None:
    evidence, poses, surface = example(scenes)
    values = score(poses, evidence, surface).values
    np.testing.assert_array_equal(weighted_total(values, "refined"), weighted_total(
        {name: value for name, value in values.items() if name != "chamfer"}, "refined"))


def test_it_is_a_feature_that_certainty_can_weight(scenes: Scenes, registered: Score) -> None:
    pose = scenes.pose(1)
    frame = scenes.frame(pose, noise=0.001)
    localization = scenes.localization(frame, pose, noise=0.02)
    solution = solve(gather(frame, localization, scenes.model), scenes.surface, localization)
    values = dict(zip(feature_names(), features(solution, scenes.model.diameter), strict=True))
    assert values["chamfer"] == solution.scores["chamfer"] > 0.5
    plain = ModeCalibration(bias=-1.0, samples=100)
    weighted = ModeCalibration({"chamfer": (4.0,)}, bias=-1.0, samples=100)
    p_plain, p_weighted = (assess(solution, "bracket", 1, scenes.model.diameter, Calibration(mode, mode)).p_correct
                           for mode in (plain, weighted))
    assert p_weighted > p_plain


def test_every_score_is_between_0_and_1_and_named_once(scenes: Scenes) -> None:
    names = [entry.name for entry in SCORES]
    assert len(set(names)) == len(names)
    for depth in (True, False):
        evidence, poses, surface = example(scenes, depth)
        assert mode_of(evidence) == ("depth" if depth else "rough")
        for name, values in score(poses, evidence, surface).values.items():
            assert values.shape == (2,) and ((values >= 0) & (values <= 1)).all(), name
