"""The coordinate_likelihood of a pose by a network's coordinate distributions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posebot.core.transforms import Array, make, rotation_from_vector
from posebot.stages.geometry.splat import splat
from posebot.stages.localize import Localization
from posebot.stages.observation.evidence import gather
from posebot.stages.pose import solve
from posebot.stages.scoring.likelihood import coordinate_likelihood
from tests.stages.conftest import Scenes

BINS = 16
POSE = make(rotation_from_vector(np.array([1.9, 0.4, 0.3])), [0.02, -0.01, 0.6])


def bins_of(coordinates: Array) -> Array:
    """(3, B, M, M) for coordinates (3, M, M) that are known exactly."""
    place = np.clip(coordinates, 0, 1) * (BINS - 1)
    return np.clip(1 - np.abs(place[:, None] - np.arange(BINS)[None, :, None, None]), 0, 1).astype(np.float32)


def judged(scenes: Scenes, localization: Localization, poses: Array) -> Array:
    frame = scenes.frame(POSE, depth=False)
    evidence = gather(frame, localization, scenes.model).for_colour(localization)
    assert evidence.bins is not None
    drawn = splat(poses, scenes.surface, evidence.K, len(evidence.visible))
    return coordinate_likelihood(poses, drawn.index, drawn.depth > 0, evidence.visible, evidence.bins, scenes.surface)


@pytest.mark.parametrize("degrees", [20, 60, 180])
def test_the_right_pose_is_likelier_than_a_turned_one(scenes, degrees):
    exact = scenes.localization(scenes.frame(POSE, depth=False), POSE)
    told = replace(exact, bins=bins_of(exact.coordinates))
    turn = make(rotation_from_vector(np.radians(degrees) * np.array([0.6, 0.0, 0.8])))
    right, wrong = judged(scenes, told, np.stack([POSE, POSE @ turn]))
    assert 0 <= wrong < 0.75 * right and right < 1


def test_a_network_torn_between_two_poses_holds_both_likely(scenes):
    """Best guesses would be of the one pose alone."""
    other = POSE @ make(rotation_from_vector(np.array([0, 0, np.pi])))
    frame = scenes.frame(POSE, depth=False)
    exact, turned = scenes.localization(frame, POSE), scenes.localization(scenes.frame(other, depth=False), other)
    third = POSE @ make(rotation_from_vector(np.array([0, np.pi / 2, 0])))
    torn = replace(exact, bins=0.6 * bins_of(turned.coordinates) + 0.4 * bins_of(exact.coordinates))
    right, wrong, apart = judged(scenes, torn, np.stack([POSE, other, third]))
    assert min(right, wrong) > 1.2 * apart


def test_symmetric_poses_are_equally_likely(scenes):
    half = make(rotation_from_vector(np.array([0, 0, np.pi])))
    exact = scenes.localization(scenes.frame(POSE, depth=False), POSE)
    drawn = np.zeros((2, 64, 64), np.int32)
    seen = np.ones((64, 64), np.float32)
    bins = np.ascontiguousarray(bins_of(exact.coordinates).transpose(2, 3, 0, 1))
    surface = replace(scenes.surface, model=replace(scenes.model, symmetries_discrete=(half,)))
    same = coordinate_likelihood(np.stack([POSE, POSE @ half]), drawn, drawn >= 0, seen, bins, surface)
    alone = coordinate_likelihood(POSE[None], drawn[:1], drawn[:1] >= 0, seen, bins, scenes.surface)
    assert same[0] == pytest.approx(same[1]) and same[0] >= alone[0] - 1e-9


def test_distributions_outweigh_guesses_of_another_pose(scenes):
    """Each pixel's best guess is that of a turned object."""
    other = POSE @ make(rotation_from_vector(np.array([0, 0, np.pi])))
    frame = scenes.frame(POSE, depth=False)
    exact = scenes.localization(frame, POSE)
    told = replace(exact, bins=bins_of(exact.coordinates))
    lying = replace(told, coordinates=scenes.localization(scenes.frame(other, depth=False), other).coordinates)
    evidence = gather(frame, lying, scenes.model, use_depth=False)
    found = solve(evidence, scenes.surface, lying)
    assert found.pose is not None and scenes.error(found.pose, POSE) < 0.2
    assert 0 < found.scores["likelihood"] < 1


def test_without_distributions_nothing_is_said(scenes):
    exact = scenes.localization(scenes.frame(POSE, depth=False), POSE)
    evidence = gather(scenes.frame(POSE, depth=False), exact, scenes.model, use_depth=False)
    assert solve(evidence, scenes.surface, exact).scores["likelihood"] == 0.0
