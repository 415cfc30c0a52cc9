from __future__ import annotations

import numpy as np
import pytest

from posebot.core.transforms import make, rotation_from_vector
from posebot.objects.kit import build_kit
from posebot.picking import report as pick_report
from posebot.picking.benchmark import PickAttempt
from posebot.picking.grasp_execution import execute_grasp, plan_grasp
from posebot.picking.grasps import kit_grasps
from posebot.picking.simulation import PickSimulation, PlacedObject

ROOM = 0.02


@pytest.fixture(scope="module")
def kit():
    pytest.importorskip("mujoco")
    return build_kit()


def standing(model, x=0.0, y=0.0):
    return make(translation=[x, y, model.extents[2] / 2])


@pytest.fixture(scope="module")
def simulation(kit):
    """The tea box and, 30 cm beside it, the can."""
    return PickSimulation([PlacedObject(1, standing(kit[1]), kit[1].mesh.vertices),
                  PlacedObject(2, standing(kit[2], 0.3), kit[2].mesh.vertices)], kit)


@pytest.mark.parametrize("number", [0, 1])
def test_an_object_is_held_at_its_true_pose(simulation, kit, number):
    placed_object, stages = simulation.placed[number], []
    chosen = plan_grasp(simulation, number, placed_object.pose, kit_grasps(kit)[placed_object.obj_id], ROOM)
    assert execute_grasp(simulation, number, chosen, stages.append) == "held"
    assert stages == ["pre-grasp", "grasp", "closed", "lifted", "held"]
    assert simulation.object_pose(number)[2, 3] > placed_object.pose[2, 3] + 0.08
    other = simulation.placed[1 - number].pose
    np.testing.assert_allclose(simulation.object_pose(1 - number)[:3, 3], other[:3, 3], atol=2e-3)


def test_a_pick_beside_the_object_holds_nothing(simulation, kit):
    estimated_pose = simulation.placed[0].pose @ make(translation=[0, 0.16, 0])
    chosen = plan_grasp(simulation, 0, estimated_pose, kit_grasps(kit)[1], ROOM)
    assert execute_grasp(simulation, 0, chosen) == "missed"


def test_a_pose_inside_the_table_has_no_grasp(simulation, kit):
    assert plan_grasp(simulation, 0, make(translation=[0, 0, -0.2]), kit_grasps(kit)[1], ROOM) is None


def test_touching_the_target_is_allowed_and_touching_another_is_not(simulation):
    simulation.reset(simulation.placed[1].pose @ make(np.diag([1.0, -1, -1])), ROOM)
    assert simulation.in_collision(0)
    assert not simulation.in_collision(1)


def test_a_small_error_within_the_room_is_forgiven(simulation, kit):
    placed_object = simulation.placed[1]
    estimated_pose = placed_object.pose @ make(rotation_from_vector([0, 0, 0.1]), [0.004, -0.003, 0])
    chosen = plan_grasp(simulation, 1, estimated_pose, kit_grasps(kit)[2], ROOM)
    assert execute_grasp(simulation, 1, chosen) == "held"


def test_a_reset_leaves_no_trace(simulation, kit):
    chosen = plan_grasp(simulation, 0, simulation.placed[0].pose, kit_grasps(kit)[1], ROOM)
    execute_grasp(simulation, 0, chosen)
    simulation.reset(make(translation=[0, 0, 1.0]), ROOM)
    np.testing.assert_allclose(simulation.object_pose(0), simulation.placed[0].pose, atol=1e-9)


def test_the_table_of_attempts_counts(tmp_path):
    attempts = [PickAttempt(0, "can", "truth", 0, 10.0, "ok", "held"),
                PickAttempt(0, "can", "rgb", 4, 10.0, "ok", "held"),
                PickAttempt(1, "can", "rgb", 4, 10.0, "low_certainty", "missed"),
                PickAttempt(1, "mug", "rgb", 4, 10.0, "no_pose", "not found")]
    report = pick_report.write_report(tmp_path, {"bundle": "kit"}, attempts, None)
    truth, seen = report["rows"]
    assert (truth["modality"], truth["success"]) == ("truth", 1.0)
    assert (seen["picks"], seen["ok"], seen["ok_success"]) == (3, 1, 1.0)
    assert seen["success"] == pytest.approx(1 / 3)
    assert seen["failures"] == {"missed": 1, "not found": 1}
    assert report["per_object"]["mug"]["rgb"] == 0.0
    assert pick_report.table_rows(report)[1] == ("RGB", "4", "10", "3", "33 %", "1", "100 %", "1 missed, 1 not found")
    assert "Simulated picks: kit" in (tmp_path / "picks.html").read_text()
