"""Suspected symmetries of synthetic estimates, whose errors are known."""

from __future__ import annotations

from dataclasses import replace
from math import cos, radians

import numpy as np
import pytest
import trimesh

from posebot.core.objects import ContinuousSymmetry, Mesh, ObjectModel
from posebot.core.transforms import Array, make, rotation_from_quaternion, rotation_from_vector
from posebot.evaluation.suspected_symmetry import SuspectedSymmetry, suspected_symmetry
from posebot.objects.bop_models import make_object
from posebot.objects.common_turn import LEAST_TURN, REST, CommonTurn, _turns_about
from posebot.objects.geometry import surface_center

ORIGIN = np.array([0.03, -0.02, 0.05])
"""Of the part's surface in the part's frame: the origin of a CAD frame lies anywhere."""


def part() -> ObjectModel:
    """A tube along x, 40 mm wide and 30 mm long, beside its origin."""
    tube = trimesh.creation.cylinder(0.02, 0.03, sections=24)
    vertices = np.asarray(tube.vertices)[:, [2, 0, 1]] + ORIGIN
    return make_object(1, "tube", Mesh(vertices, np.asarray(tube.faces, dtype=np.int32)))


def about_center(rotation: Array) -> Array:
    """The rotation (3, 3) about the part's centre, as transform of the object's frame."""
    return make(rotation, ORIGIN - rotation @ ORIGIN)


def errors(turns: Array, rng: np.random.Generator, noise_deg: float = 2.0) -> tuple[Array, Array]:
    """Estimates and truths (N, 4, 4): turned by rotation vectors (N, 3) about the part's centre, and imprecise."""
    gt = np.stack([make(rotation_from_quaternion(rng.normal(size=4)), [*rng.uniform(-0.1, 0.1, 2), rng.uniform(0.4, 1)])
                   for _ in turns])
    noise = rng.normal(0, radians(noise_deg), turns.shape)
    est = [truth @ about_center(rotation_from_vector(turn) @ rotation_from_vector(shake))
           for truth, turn, shake in zip(gt, turns, noise)]
    return np.stack(est), gt


def suspected(turns: Array, model: ObjectModel | None = None, seed: int = 0, noise_deg: float = 2.0,
              right: int = 40) -> SuspectedSymmetry | None:
    """Of these wrong rotations beside `right` poses that are right."""
    rng = np.random.default_rng(seed)
    est, gt = errors(np.concatenate([turns, np.zeros((right, 3))]), rng, noise_deg)
    return suspected_symmetry(est, gt, np.arange(len(est)) >= len(turns), model or part())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("noise_deg", [0.0, 2.0, 4.0])
@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 0, 1), (0, 1, -1), (1, 1, 1)])
@pytest.mark.parametrize("fold", [2, 3, 4, 6, 0])
def test_axis_and_fold_are_found(axis: tuple[float, ...], fold: int, noise_deg: float, seed: int) -> None:
    direction = np.array(axis) / np.linalg.norm(axis)
    steps = np.arange(1, fold) * 2 * np.pi / fold if fold else np.linspace(0.5, 2 * np.pi - 0.5, 31)
    angles = np.resize(steps, 30)
    found = suspected(angles[:, None] * direction, seed=seed, noise_deg=noise_deg)
    assert found is not None
    np.testing.assert_allclose(found.turn.axis, direction, atol=1e-12)
    assert found.turn.fold == fold
    assert found.wrong == 30
    assert found.turn.count >= (30 if noise_deg < 4 else 28)


@pytest.mark.parametrize("seed", range(5))
def test_a_tube_that_is_also_turned_upside_down(seed: int) -> None:
    """Half of the poses turned about x by any angle, the others also by a half-turn across it: about any line there."""
    rng = np.random.default_rng(seed)
    spins = rng.uniform(0.5, 5.7, 12)[:, None] * [1.0, 0, 0]
    across = rng.uniform(0, 2 * np.pi, 12)
    flips = np.pi * np.stack([np.zeros(12), np.cos(across), np.sin(across)], axis=1)
    found = suspected(np.concatenate([spins, flips]), seed=seed)
    assert found is not None
    assert (found.turn.axis, found.turn.fold, found.turn.count, found.turn.flipped) == ((1, 0, 0), 0, 24, 12)
    assert found.turn.name == "turn about x or a half-turn across it"


def test_an_axis_that_is_no_simple_direction() -> None:
    direction = np.array([2.0, 1.0, 0.0]) / np.sqrt(5)
    found = suspected(np.full((20, 1), np.pi) * direction, noise_deg=0.0)
    assert found is not None
    np.testing.assert_allclose(found.turn.axis, direction, atol=1e-9)
    assert (found.turn.name, found.turn.option) == ("half-turn about (1, 0.5, 0)", "1,0.5,0/2")


def test_other_wrong_poses_are_counted_as_wrong() -> None:
    rng = np.random.default_rng(1)
    turned = rng.uniform(0.6, 5.6, (20, 1)) * [1.0, 0, 0]
    est, gt = errors(np.concatenate([turned, np.zeros((20, 3))]), rng)
    far = gt[:5] @ make(translation=[0, 0, 0.03])  # at the wrong place
    found = suspected_symmetry(np.concatenate([est, far]), np.concatenate([gt, gt[:5]]),
                               np.isin(np.arange(45), np.arange(20, 40)), part())
    assert found == SuspectedSymmetry(CommonTurn((1.0, 0.0, 0.0), 0, 20), 25)
    assert found.describe("pulley") == (
        "pulley: in 80 % of the wrong poses (20 of 25) the position is right and only a turn about x is wrong: if the "
        "part looks the same then, declare it: posebot objects build --symmetric x")


@pytest.mark.parametrize("seed", range(20))
def test_random_wrong_rotations_suggest_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    axes = rng.normal(size=(40, 3))
    angles = rng.uniform(0.5, np.pi, (40, 1))
    assert suspected(angles * axes / np.linalg.norm(axes, axis=1, keepdims=True), seed=seed) is None


def test_imprecision_is_no_turn() -> None:
    rng = np.random.default_rng(0)
    assert suspected(rng.normal(0, radians(10), (40, 3)), noise_deg=0) is None


def test_too_few_wrong_poses() -> None:
    half_turns = np.array([[0.0, 0.0, np.pi]])
    assert suspected(np.repeat(half_turns, 5, 0), right=0) is None
    assert suspected(np.repeat(half_turns, 6, 0), right=0) is not None
    assert suspected(np.repeat(half_turns, 6, 0), right=60) is None  # rarely confused: it does not look the same


def test_nothing_is_wrong_or_nothing_was_found() -> None:
    assert suspected(np.zeros((0, 3))) is None
    assert suspected_symmetry(np.zeros((0, 4, 4)), np.zeros((0, 4, 4)), np.zeros(0, dtype=bool), part()) is None


@pytest.mark.parametrize("fold", [0, 2, 3])
def test_a_declared_symmetry_is_not_found_again(fold: int) -> None:
    model, rng = part(), np.random.default_rng(2)
    if fold:
        turns = [about_center(rotation_from_vector([i * 2 * np.pi / fold, 0, 0])) for i in range(1, fold)]
        declared = replace(model, symmetries_discrete=tuple(turns))
        angles = rng.integers(1, fold, 30) * 2 * np.pi / fold
    else:
        axis = ContinuousSymmetry(np.array([1.0, 0, 0]), ORIGIN * [0, 1, 1])
        declared = replace(model, symmetries_continuous=(axis,))
        angles = rng.uniform(0, 2 * np.pi, 30)
    wrong = angles[:, None] * np.array([1.0, 0, 0])
    assert suspected(wrong) is not None
    assert suspected(wrong, declared) is None


def test_the_centre_of_a_surface_does_not_depend_on_its_triangles() -> None:
    model = part()
    np.testing.assert_allclose(surface_center(model.mesh), ORIGIN, atol=1e-9)
    finer = trimesh.Trimesh(model.mesh.vertices, model.mesh.faces, process=False)
    faces = np.flatnonzero(finer.triangles_center[:, 0] > ORIGIN[0])
    vertices, split = trimesh.remesh.subdivide(finer.vertices, finer.faces, faces)
    np.testing.assert_allclose(surface_center(Mesh(vertices, split.astype(np.int32))), ORIGIN, atol=1e-9)


def test_how_many_random_rotations_pass_for_a_turn() -> None:
    """Uniform quaternions: hypot(v·axis, w)² is uniform, and the turn uniform in angle, whatever the rest."""
    quaternions = np.random.default_rng(0).normal(size=(200_000, 4))
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    quaternions *= np.sign(quaternions[:, 3:])
    expected = (1 - cos(REST / 2) ** 2) * (1 - LEAST_TURN / np.pi)
    assert _turns_about(np.array([0, 0, 1.0]), quaternions).mean() == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("axis", "fold", "said"), [
    ((1.0, 0.0, 0.0), 2, "only a half-turn about x is wrong: if the part looks the same then, declare it: "
                         "posebot objects build --symmetric x/2"),
    ((0.0, 0.5**0.5, -(0.5**0.5)), 3, "only a turn by 120° about (0, 1, -1) is wrong: if the part looks the same then, "
                                      "declare it: posebot objects build --symmetric 0,1,-1/3")])
def test_in_words(axis: tuple[float, float, float], fold: int, said: str) -> None:
    assert SuspectedSymmetry(CommonTurn(axis, fold, 9), 10).describe("part").endswith(said)
