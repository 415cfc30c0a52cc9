"""Grasp execution: plan a grasp for an estimated pose, then approach, close, lift and hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from posebot.core.transforms import Array, make
from posebot.picking.grasps import Grasp
from posebot.picking.simulation import FINGER, MAX_OPENING, PickSimulation

Outcome = Literal["held", "missed", "dropped", "no grasp"]
APPROACH = LIFT = 0.10  # metres
_MIN_VERTICAL_COSINE = np.cos(np.deg2rad(42.0))  # largest angle of the approach to the vertical
_TABLE_CLEARANCE = 0.002  # metres, between finger tips and table
_APPROACH_S, _CLOSE_S, _HOLD_S = 0.5, 0.4, 1.0  # seconds
_COLLISION_DISTANCES = (0.0, 0.02, 0.05, APPROACH)  # metres before the grasp
_MIN_LIFT = 0.5 * LIFT  # the object may rotate between the fingers
StageCallback = Callable[[str], None]


@dataclass(frozen=True)
class GraspPlan:
    """A planned grasp.

    Attributes:
        world_from_gripper: 4x4 metres, at the grasp. opening: between the fingers during the approach, metres.
    """

    world_from_gripper: Array
    opening: float


def plan_grasp(
    simulation: PickSimulation, index: int, estimated_pose: Array, grasps: Iterable[Grasp], clearance: float
) -> GraspPlan | None:
    """The collision-free grasp with the most vertical approach, or None.

    Args:
        index: of the object to be picked; contact with it is no collision. estimated_pose: world_from_obj, 4x4 metres.
        clearance: opening of the fingers beyond the width of the object, both sides together, metres.

    Collisions are checked in the true scene.
    """
    for candidate in _grasp_candidates(estimated_pose, grasps, clearance):
        if not _in_collision(simulation, index, candidate):
            return candidate
    return None


def _grasp_candidates(estimated_pose: Array, grasps: Iterable[Grasp], clearance: float) -> Iterator[GraspPlan]:
    """Reachable grasps, the most vertical approach first."""
    candidates = []
    for grasp in grasps:
        world_from_gripper = estimated_pose @ grasp.obj_from_gripper
        opening, vertical = grasp.width + clearance, -world_from_gripper[2, 2]
        if vertical < _MIN_VERTICAL_COSINE or opening > MAX_OPENING:
            continue
        pose_above_table = _retreat_above_table(world_from_gripper, opening, grasp.max_retreat)
        if pose_above_table is not None:
            candidates.append((vertical, pose_above_table, opening))
    for _, pose, opening in sorted(candidates, key=lambda entry: -entry[0]):
        yield GraspPlan(pose, opening)


def _retreat_above_table(world_from_gripper: Array, opening: float, max_retreat: float) -> Array | None:
    """Retreat along the approach until both finger tips are above the table; None if that is too far."""
    thick, wide, _ = FINGER
    corners = np.array([[side * (opening / 2 + more), y, 0] for side in (-1, 1) for more in (0, thick)
                        for y in (-wide / 2, wide / 2)])
    lowest = float((corners @ world_from_gripper[2, :3] + world_from_gripper[2, 3]).min())
    retreat = max(0.0, (_TABLE_CLEARANCE - lowest) / -world_from_gripper[2, 2])
    if retreat > max_retreat:
        return None
    return world_from_gripper @ make(translation=[0, 0, -retreat])


def _in_collision(simulation: PickSimulation, index: int, candidate: GraspPlan) -> bool:
    for distance in _COLLISION_DISTANCES:
        simulation.reset(candidate.world_from_gripper @ make(translation=[0, 0, -distance]), candidate.opening)
        if simulation.in_collision(index):
            return True
    return False


def execute_grasp(
    simulation: PickSimulation, index: int, grasp_plan: GraspPlan, on_stage: StageCallback = lambda stage: None
) -> Outcome:
    """Execute a grasp. `on_stage` is called at the stages "pre-grasp", "grasp", "closed", "lifted" and "held"."""
    goal, opening = grasp_plan.world_from_gripper[:3, 3], grasp_plan.opening
    start = goal - APPROACH * grasp_plan.world_from_gripper[:3, 2]
    height = simulation.object_pose(index)[2, 3]
    simulation.reset(make(grasp_plan.world_from_gripper[:3, :3], start), opening)
    on_stage("pre-grasp")
    _move(simulation, start, goal, opening)
    on_stage("grasp")
    simulation.set_target(goal, 0.0)
    simulation.step(_CLOSE_S)
    on_stage("closed")
    grasped = simulation.finger_contacts(index) == 2
    _move(simulation, goal, goal + np.array([0, 0, LIFT]), 0.0)
    on_stage("lifted")
    simulation.step(_HOLD_S)
    on_stage("held")
    if simulation.finger_contacts(index) == 2 and simulation.object_pose(index)[2, 3] > height + _MIN_LIFT:
        return "held"
    return "dropped" if grasped else "missed"


def _move(simulation: PickSimulation, start: Array, goal: Array, opening: float, steps: int = 25) -> None:
    for fraction in np.arange(1, steps + 1) / steps:
        simulation.set_target(start + fraction * (goal - start), opening)
        simulation.step(_APPROACH_S / steps)
    simulation.step(0.1)
