"""The ground-plane prior: the common up direction, its effect on a pose, and the common ground."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.core.camera import project
from posebot.core.transforms import Array, make, perturb, rotation_from_vector
from posebot.stages.geometry.surface import Surface
from posebot.stages.observation.evidence import gather
from posebot.stages.observation.upright import Upright, lean_cosines, log_probability
from posebot.stages.pose import PoseSolver
from posebot.stages.refinement import contour
from posebot.stages.refinement.ground import GroundContact, ground_corrections
from posebot.stages.refinement.upright import UprightVote, add_upright, common_upright
from tests.stages.conftest import Scenes

Z = np.array([[0.0, 0, 1]])
SHARE = 0.85


def turn(axis: list[float], degrees: float) -> Array:
    return make(rotation_from_vector(np.radians(degrees) * np.array(axis) / np.linalg.norm(axis)), [0, 0, 0.6])


def tipped(up: Array, degrees: float, rng: np.random.Generator) -> Array:
    """A pose that leans by so many degrees, anyhow turned about the vertical."""
    side = np.cross(up, rng.normal(size=3))
    upright = rotation_from_vector(np.cross([0, 0, 1.0], up) / np.linalg.norm(np.cross([0, 0, 1.0], up))
                                   * np.arccos(up[2]))
    lean = rotation_from_vector(np.radians(degrees) * side / np.linalg.norm(side))
    return make(lean @ upright @ rotation_from_vector([0, 0, rng.uniform(0, 6)]), [0, 0, 0.6])


def vote(poses: list[Array], up_axes: Array = Z, trust: float = 1.0) -> UprightVote:
    """Candidates, the best first."""
    return UprightVote(np.stack(poses), 0.6 - 0.03 * np.arange(len(poses)), up_axes, trust)


@pytest.mark.parametrize("seed", range(8))
def test_most_objects_give_the_up_direction(seed: int) -> None:
    """Four that are upright, two with the right attitude in second place, two that lie, and boxes of nothing."""
    rng = np.random.default_rng(seed)
    up = rng.normal(size=3)
    up /= np.linalg.norm(up)
    anyhow = [make(rotation_from_vector(rng.normal(size=3) * 2), [0, 0, 0.6]) for _ in range(20)]
    votes = [vote([tipped(up, rng.uniform(0, 4), rng), anyhow[i]]) for i in range(4)]
    votes += [vote([anyhow[4 + i], tipped(up, 3, rng)]) for i in range(2)]
    votes += [vote([anyhow[6 + i]]) for i in range(2)]
    votes += [vote([anyhow[8 + i]], trust=0.2) for i in range(6)]
    found = common_upright(votes, SHARE)
    assert found is not None and found.share == SHARE
    assert np.degrees(np.arccos(found.up @ up)) < 4


def test_no_up_direction_without_agreement() -> None:
    rng = np.random.default_rng(1)
    lying = [vote([make(rotation_from_vector(rng.normal(size=3) * 2), [0, 0, 0.6])]) for _ in range(3)]
    standing = [vote([turn([1, 0, 0], 120 + k)]) for k in range(3)]
    assert common_upright(lying, SHARE) is None
    assert common_upright(standing[:1], SHARE) is None, "one object alone has nothing to agree with"
    assert common_upright([], SHARE) is None
    assert common_upright(standing, 0.0) is None, "a bundle without the prior"
    assert common_upright(standing, SHARE) is not None


def test_a_symmetric_object_may_be_upright_either_way() -> None:
    both = np.concatenate([Z, -Z])
    straight, over = turn([1, 0, 0], 120), turn([1, 0, 0], 120) @ turn([0, 1, 0], 180)
    found = common_upright([vote([straight]), vote([over], both)], SHARE)
    assert found is not None and found.up @ straight[:3, 2] == pytest.approx(1, abs=1e-6)
    assert common_upright([vote([straight]), vote([over])], SHARE) is None
    assert log_probability(np.stack([straight, over]), both, found) == pytest.approx([0, 0], abs=1e-6)


def test_the_more_a_pose_leans_the_less_likely_it_is_to_an_end() -> None:
    up = Upright(turn([1, 0, 0], 120)[:3, 2], SHARE)
    chance = log_probability(np.stack([turn([1, 0, 0], 120 + lean) for lean in (0, 3, 8, 15, 40, 90)]), Z, up)
    assert chance[0] == pytest.approx(0) and (np.diff(chance) <= 1e-9).all()
    assert chance[-1] == pytest.approx(chance[-2], abs=1e-6) and chance[-1] > -8


@given(st.integers(0, 1000), st.floats(0.5, 8.0))
def test_equations_turn_a_pose_upright(seed: int, lean: float) -> None:
    """One Gauss-Newton step of the lean's cost alone takes nearly all of it away, and corrections nothing else."""
    rng = np.random.default_rng(seed)
    up = rng.normal(size=3)
    up /= np.linalg.norm(up)
    pose = tipped(up, lean, rng)
    matrix, right = np.zeros((6, 6)), np.zeros(6)
    add_upright(pose, Z, Upright(up, SHARE), matrix, right)
    step = np.linalg.solve(matrix + 1e-6 * np.eye(6), right)
    moved = perturb(pose, step)
    assert lean_cosines(moved[None], Z, up)[0] > np.cos(np.radians(0.02 * lean + 0.01))
    assert moved[:3, 3] == pytest.approx(pose[:3, 3])
    assert abs(step[3:] @ pose[:3, 2]) < 1e-6, "it is not turned about the vertical"


def test_a_lying_object_is_left_alone() -> None:
    pose, up = turn([1, 0, 0], 30), turn([1, 0, 0], 120)[:3, 2]
    matrix, right = np.zeros((6, 6)), np.zeros(6)
    add_upright(pose, Z, Upright(up, SHARE), matrix, right)
    assert np.abs(matrix).max() < 1e-3 and np.abs(right).max() < 1e-3
    add_upright(pose, Z, Upright(pose[:3, 2], 0.0), matrix, right)
    assert np.abs(matrix).max() < 1e-3


def contact(lowest: float, lean: float = 0.0, trust: float = 1.0, level: float = -0.4) -> GroundContact:
    return GroundContact(level, lowest, np.radians(lean), 0.1, trust)


def test_the_ground_is_where_most_objects_stand() -> None:
    contacts = [contact(-0.45), contact(-0.46), contact(-0.44), contact(-0.42), contact(-0.30), contact(-0.6, lean=40)]
    corrections = ground_corrections(contacts)
    too_near = corrections[3]
    assert 0 < too_near.explained < 1 and too_near.stretch > 0, "its lowest point comes down"
    after = -0.42 + too_near.stretch * -0.4
    assert -0.45 < after < -0.43
    assert abs(corrections[0].stretch) < 0.02 and corrections[0].explained > 0.5
    assert corrections[4][:2] == corrections[5][:2] == (0, 0), "what stands on something else, or lies, stays"
    upright = [one.upright for one in corrections]
    assert upright[2] > 0.9 > upright[3] > 0.1 > max(upright[4:])


def test_two_objects_make_no_ground_nor_does_a_camera_on_it() -> None:
    assert ground_corrections([]) == []
    assert ground_corrections([contact(-0.45), contact(-0.40)]) == [(0, 0, 0), (0, 0, 0)]
    level = ground_corrections([contact(-0.02, level=0.0), contact(0.01, level=0.0), contact(0.0, level=0.001)])
    assert max(correction.explained for correction in level) < 0.01


def test_a_pose_some_degrees_off_is_refined_upright(scenes: Scenes) -> None:
    """Its coordinates are those of a part that leans, and a dull picture does not say otherwise."""
    upright = make(rotation_from_vector([1.9, 0.1, 0.2]), [0.02, -0.01, 0.6])
    leaning = upright @ make(rotation_from_vector([0, np.radians(8), 0]))
    frame = scenes.frame(upright, depth=False)
    seen = scenes.localization(frame, leaning, noise=0.25)
    seen = replace(seen, crop=np.full_like(seen.crop, 90))
    evidence = gather(frame, seen, scenes.model).for_colour(seen).subsampled(200)
    refined = [contour.refine(leaning[None], each, scenes.surface)
               for each in (evidence, replace(evidence, upright=Upright(upright[:3, 2], SHARE)))]
    leans = [np.degrees(np.arccos(lean_cosines(poses, Z, upright[:3, 2])[0])) for poses in refined]
    assert leans[0] > 5 and leans[1] < leans[0] - 0.5


def test_upright_objects_get_one_ground(scenes: Scenes) -> None:
    """Three parts on a table, one of which the network holds to be nearer: in the picture it stays where it is."""
    upright = rotation_from_vector([2.3, 0.1, 0.2])
    ground = make(upright, [0.0, 0.0, 0.6])
    poses = [ground @ make(rotation_from_vector([0, 0, angle]), [x, y, 0])
             for angle, x, y in ((0.0, -0.09, 0.05), (0.9, 0.09, 0.02), (2.0, 0.0, -0.08))]
    frames = [scenes.frame(pose, depth=False) for pose in poses]
    seen = [scenes.localization(frame, pose, noise=0.02) for frame, pose in zip(frames, poses, strict=True)]
    solver = PoseSolver([scenes.model], threads=1, upright_prior=SHARE)
    exact = solver.all(frames[0], seen, False)
    up = Upright(upright[:, 2], SHARE)
    near = replace(exact[2], pose=make(exact[2].pose[:3, :3], 0.95 * exact[2].pose[:3, 3]))
    moved = solver._on_ground([exact[0], exact[1], near], up)
    before, after = (abs(one.pose[2, 3] - poses[2][2, 3]) for one in (near, moved[2]))
    assert before > 0.02 and after < 0.5 * before
    assert project(frames[0].camera.K, moved[2].pose[:3, 3]) == pytest.approx(
        project(frames[0].camera.K, near.pose[:3, 3]), abs=1e-6)
    ray = near.pose[:3, 3] / np.linalg.norm(near.pose[:3, 3])
    assert ray @ moved[2].covariance[:3, :3] @ ray < 0.8 * (ray @ near.covariance[:3, :3] @ ray)


def test_up_axes_follow_symmetries(scenes: Scenes) -> None:
    half = make(rotation_from_vector([np.pi, 0, 0]))
    surface: Surface = replace(scenes.surface, model=replace(scenes.model, symmetries_discrete=(half,)))
    assert sorted(surface.up_axes[:, 2]) == [-1, 1]
    assert scenes.surface.up_axes.tolist() == [[0, 0, 1]]
