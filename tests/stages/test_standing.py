"""Things that stand: which way is up, what that does to a pose, and the ground they share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.core.camera import project
from posebot.core.transforms import Array, make, perturb, rotation_from_vector
from posebot.stages.pose import PoseSolver
from posebot.stages.posing import contour
from posebot.stages.posing.evidence import gather
from posebot.stages.posing.standing import (
    Thing,
    Upright,
    Vote,
    add_upright,
    agreed,
    cosines,
    log_chance,
    on_ground,
)
from posebot.stages.posing.surface import Surface
from tests.stages.conftest import Scenes

Z = np.array([[0.0, 0, 1]])
STANDING = 0.85


def turn(axis: list[float], degrees: float) -> Array:
    return make(rotation_from_vector(np.radians(degrees) * np.array(axis) / np.linalg.norm(axis)), [0, 0, 0.6])


def tipped(up: Array, degrees: float, rng: np.random.Generator) -> Array:
    """A pose that leans by so many degrees, anyhow turned about the vertical."""
    side = np.cross(up, rng.normal(size=3))
    upright = rotation_from_vector(np.cross([0, 0, 1.0], up) / np.linalg.norm(np.cross([0, 0, 1.0], up))
                                   * np.arccos(up[2]))
    lean = rotation_from_vector(np.radians(degrees) * side / np.linalg.norm(side))
    return make(lean @ upright @ rotation_from_vector([0, 0, rng.uniform(0, 6)]), [0, 0, 0.6])


def vote(poses: list[Array], uprights: Array = Z, trust: float = 1.0) -> Vote:
    """Candidates, the best first."""
    return Vote(np.stack(poses), 0.6 - 0.03 * np.arange(len(poses)), uprights, trust)


@pytest.mark.parametrize("seed", range(8))
def test_most_things_tell_which_way_is_up(seed: int) -> None:
    """Four that stand, two with the right attitude in second place, two that lie, and boxes of nothing."""
    rng = np.random.default_rng(seed)
    up = rng.normal(size=3)
    up /= np.linalg.norm(up)
    anyhow = [make(rotation_from_vector(rng.normal(size=3) * 2), [0, 0, 0.6]) for _ in range(20)]
    votes = [vote([tipped(up, rng.uniform(0, 4), rng), anyhow[i]]) for i in range(4)]
    votes += [vote([anyhow[4 + i], tipped(up, 3, rng)]) for i in range(2)]
    votes += [vote([anyhow[6 + i]]) for i in range(2)]
    votes += [vote([anyhow[8 + i]], trust=0.2) for i in range(6)]
    found = agreed(votes, STANDING)
    assert found is not None and found.standing == STANDING
    assert np.degrees(np.arccos(found.up @ up)) < 4


def test_nothing_is_up_where_nothing_agrees() -> None:
    rng = np.random.default_rng(1)
    lying = [vote([make(rotation_from_vector(rng.normal(size=3) * 2), [0, 0, 0.6])]) for _ in range(3)]
    standing = [vote([turn([1, 0, 0], 120 + k)]) for k in range(3)]
    assert agreed(lying, STANDING) is None
    assert agreed(standing[:1], STANDING) is None, "one thing alone has nothing to agree with"
    assert agreed([], STANDING) is None
    assert agreed(standing, 0.0) is None, "a bundle that does not say that its objects stand"
    assert agreed(standing, STANDING) is not None


def test_what_is_the_same_upside_down_may_stand_either_way() -> None:
    both = np.concatenate([Z, -Z])
    straight, over = turn([1, 0, 0], 120), turn([1, 0, 0], 120) @ turn([0, 1, 0], 180)
    found = agreed([vote([straight]), vote([over], both)], STANDING)
    assert found is not None and found.up @ straight[:3, 2] == pytest.approx(1, abs=1e-6)
    assert agreed([vote([straight]), vote([over])], STANDING) is None
    assert log_chance(np.stack([straight, over]), both, found) == pytest.approx([0, 0], abs=1e-6)


def test_the_more_a_pose_leans_the_less_likely_it_is_to_an_end() -> None:
    up = Upright(turn([1, 0, 0], 120)[:3, 2], STANDING)
    chance = log_chance(np.stack([turn([1, 0, 0], 120 + lean) for lean in (0, 3, 8, 15, 40, 90)]), Z, up)
    assert chance[0] == pytest.approx(0) and (np.diff(chance) <= 1e-9).all()
    assert chance[-1] == pytest.approx(chance[-2], abs=1e-6) and chance[-1] > -8


@given(st.integers(0, 1000), st.floats(0.5, 8.0))
def test_equations_turn_a_pose_upright(seed: int, lean: float) -> None:
    """One Gauss-Newton step of the lean's cost alone takes nearly all of it away, and moves nothing else."""
    rng = np.random.default_rng(seed)
    up = rng.normal(size=3)
    up /= np.linalg.norm(up)
    pose = tipped(up, lean, rng)
    matrix, right = np.zeros((6, 6)), np.zeros(6)
    add_upright(pose, Z, Upright(up, STANDING), matrix, right)
    step = np.linalg.solve(matrix + 1e-6 * np.eye(6), right)
    moved = perturb(pose, step)
    assert cosines(moved[None], Z, up)[0] > np.cos(np.radians(0.02 * lean + 0.01))
    assert moved[:3, 3] == pytest.approx(pose[:3, 3])
    assert abs(step[3:] @ pose[:3, 2]) < 1e-6, "it is not turned about the vertical"


def test_what_clearly_lies_is_left_alone() -> None:
    pose, up = turn([1, 0, 0], 30), turn([1, 0, 0], 120)[:3, 2]
    matrix, right = np.zeros((6, 6)), np.zeros(6)
    add_upright(pose, Z, Upright(up, STANDING), matrix, right)
    assert np.abs(matrix).max() < 1e-3 and np.abs(right).max() < 1e-3
    add_upright(pose, Z, Upright(pose[:3, 2], 0.0), matrix, right)
    assert np.abs(matrix).max() < 1e-3


def thing(lowest: float, lean: float = 0.0, trust: float = 1.0, level: float = -0.4) -> Thing:
    return Thing(level, lowest, np.radians(lean), 0.1, trust)


def test_the_ground_is_where_most_things_stand() -> None:
    things = [thing(-0.45), thing(-0.46), thing(-0.44), thing(-0.42), thing(-0.30), thing(-0.6, lean=40)]
    moves = on_ground(things)
    too_near = moves[3]
    assert 0 < too_near.sure < 1 and too_near.farther > 0, "its lowest point comes down"
    after = -0.42 + too_near.farther * -0.4
    assert -0.45 < after < -0.43
    assert abs(moves[0].farther) < 0.02 and moves[0].sure > 0.5
    assert moves[4][:2] == moves[5][:2] == (0, 0), "what stands on something else, or lies, stays"
    assert moves[2].stands > 0.9 > moves[3].stands > 0.1 > max(moves[4].stands, moves[5].stands)


def test_no_ground_is_made_of_two_things_nor_by_a_camera_on_it() -> None:
    assert on_ground([]) == []
    assert on_ground([thing(-0.45), thing(-0.40)]) == [(0, 0, 0), (0, 0, 0)]
    level = on_ground([thing(-0.02, level=0.0), thing(0.01, level=0.0), thing(0.0, level=0.001)])
    assert max(move.sure for move in level) < 0.01


def test_a_thing_seen_some_degrees_off_is_refined_upright(scenes: Scenes) -> None:
    """Its coordinates are those of a part that leans, and a dull picture does not say otherwise."""
    upright = make(rotation_from_vector([1.9, 0.1, 0.2]), [0.02, -0.01, 0.6])
    leaning = upright @ make(rotation_from_vector([0, np.radians(8), 0]))
    frame = scenes.frame(upright, depth=False)
    seen = scenes.localization(frame, leaning, noise=0.25)
    seen = replace(seen, crop=np.full_like(seen.crop, 90))
    evidence = gather(frame, seen, scenes.model).closer(seen).thinned(200)
    leans = [np.degrees(np.arccos(cosines(contour.refine(leaning[None], each, scenes.surface), Z, upright[:3, 2])[0]))
             for each in (evidence, replace(evidence, upright=Upright(upright[:3, 2], STANDING)))]
    assert leans[0] > 5 and leans[1] < leans[0] - 0.5


def test_those_that_stand_get_one_ground(scenes: Scenes) -> None:
    """Three parts on a table, one of which the network holds to be nearer: in the picture it stays where it is."""
    upright = rotation_from_vector([2.3, 0.1, 0.2])
    ground = make(upright, [0.0, 0.0, 0.6])
    poses = [ground @ make(rotation_from_vector([0, 0, angle]), [x, y, 0])
             for angle, x, y in ((0.0, -0.09, 0.05), (0.9, 0.09, 0.02), (2.0, 0.0, -0.08))]
    frames = [scenes.frame(pose, depth=False) for pose in poses]
    seen = [scenes.localization(frame, pose, noise=0.02) for frame, pose in zip(frames, poses, strict=True)]
    solver = PoseSolver([scenes.model], threads=1, standing=STANDING)
    exact = solver.all(frames[0], seen, False)
    up = Upright(upright[:, 2], STANDING)
    near = replace(exact[2], pose=make(exact[2].pose[:3, :3], 0.95 * exact[2].pose[:3, 3]))
    moved = solver._on_ground([exact[0], exact[1], near], up)
    before, after = (abs(one.pose[2, 3] - poses[2][2, 3]) for one in (near, moved[2]))
    assert before > 0.02 and after < 0.5 * before
    assert project(frames[0].camera.K, moved[2].pose[:3, 3]) == pytest.approx(
        project(frames[0].camera.K, near.pose[:3, 3]), abs=1e-6)
    ray = near.pose[:3, 3] / np.linalg.norm(near.pose[:3, 3])
    assert ray @ moved[2].covariance[:3, :3] @ ray < 0.8 * (ray @ near.covariance[:3, :3] @ ray)


def test_uprights_follow_symmetries(scenes: Scenes) -> None:
    half = make(rotation_from_vector([np.pi, 0, 0]))
    surface: Surface = replace(scenes.surface, model=replace(scenes.model, symmetries_discrete=(half,)))
    assert sorted(surface.uprights[:, 2]) == [-1, 1]
    assert scenes.surface.uprights.tolist() == [[0, 0, 1]]
