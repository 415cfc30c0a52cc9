from __future__ import annotations

import numpy as np
import pytest

from posebot.core.transforms import make, rotation_from_vector
from posebot.objects.kit import build_kit
from posebot.picking import summary
from posebot.picking.attempt import pick, plan
from posebot.picking.grasps import kit_grasps
from posebot.picking.trial import Attempt
from posebot.picking.world import Thing, World

ROOM = 0.02


@pytest.fixture(scope="module")
def kit():
    pytest.importorskip("mujoco")
    return build_kit()


def standing(model, x=0.0, y=0.0):
    return make(translation=[x, y, model.extents[2] / 2])


@pytest.fixture(scope="module")
def world(kit):
    """The tea box and, 30 cm beside it, the can."""
    return World([Thing(1, standing(kit[1]), kit[1].mesh.vertices),
                  Thing(2, standing(kit[2], 0.3), kit[2].mesh.vertices)], kit)


@pytest.mark.parametrize("number", [0, 1])
def test_an_object_is_held_at_its_true_pose(world, kit, number):
    thing, moments = world.things[number], []
    chosen = plan(world, number, thing.pose, kit_grasps(kit)[thing.obj_id], ROOM)
    assert pick(world, number, chosen, moments.append) == "held"
    assert moments == ["above", "at the grasp", "closed", "lifted", "held"]
    assert world.pose(number)[2, 3] > thing.pose[2, 3] + 0.08
    np.testing.assert_allclose(world.pose(1 - number)[:3, 3], world.things[1 - number].pose[:3, 3], atol=2e-3)


def test_a_pick_beside_the_object_holds_nothing(world, kit):
    believed = world.things[0].pose @ make(translation=[0, 0.16, 0])
    chosen = plan(world, 0, believed, kit_grasps(kit)[1], ROOM)
    assert pick(world, 0, chosen) == "missed"


def test_a_pose_inside_the_table_has_no_grasp(world, kit):
    assert plan(world, 0, make(translation=[0, 0, -0.2]), kit_grasps(kit)[1], ROOM) is None


def test_touching_the_target_is_allowed_and_touching_another_is_not(world):
    world.reset(world.things[1].pose @ make(np.diag([1.0, -1, -1])), ROOM)
    assert world.collides(0)
    assert not world.collides(1)


def test_a_small_error_within_the_room_is_forgiven(world, kit):
    thing = world.things[1]
    believed = thing.pose @ make(rotation_from_vector([0, 0, 0.1]), [0.004, -0.003, 0])
    chosen = plan(world, 1, believed, kit_grasps(kit)[2], ROOM)
    assert pick(world, 1, chosen) == "held"


def test_a_reset_leaves_no_trace(world, kit):
    chosen = plan(world, 0, world.things[0].pose, kit_grasps(kit)[1], ROOM)
    pick(world, 0, chosen)
    world.reset(make(translation=[0, 0, 1.0]), ROOM)
    np.testing.assert_allclose(world.pose(0), world.things[0].pose, atol=1e-9)


def test_the_table_of_attempts_counts(tmp_path):
    attempts = [Attempt(0, "can", "truth", 0, 10.0, "ok", "held"),
                Attempt(0, "can", "rgb", 4, 10.0, "ok", "held"),
                Attempt(1, "can", "rgb", 4, 10.0, "low_certainty", "missed"),
                Attempt(1, "mug", "rgb", 4, 10.0, "no_pose", "not found")]
    report = summary.write(tmp_path, {"bundle": "kit"}, attempts, None)
    truth, seen = report["rows"]
    assert (truth["sense"], truth["success"]) == ("truth", 1.0)
    assert (seen["picks"], seen["ok"], seen["ok_success"]) == (3, 1, 1.0)
    assert seen["success"] == pytest.approx(1 / 3)
    assert seen["failures"] == {"missed": 1, "not found": 1}
    assert report["per_object"]["mug"]["rgb"] == 0.0
    assert summary.lines(report)[1] == ("RGB", "4", "10", "3", "33 %", "1", "100 %", "1 missed, 1 not found")
    assert "Simulated picks: kit" in (tmp_path / "picks.html").read_text()
