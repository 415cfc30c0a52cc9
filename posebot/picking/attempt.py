"""One pick: choose a grasp for the pose that is believed, approach, close, lift, hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from posebot.core.transforms import Array, make
from posebot.picking.grasps import Grasp
from posebot.picking.world import FINGER, MOST, World

Outcome = Literal["held", "missed", "dropped", "no grasp"]
APPROACH = LIFT = 0.10  # metres
_TILT = np.cos(np.deg2rad(42.0))  # steepest lean of the approach from the vertical
_ABOVE = 0.002  # metres between the finger tips and the table
_RAMP, _CLOSE, _HOLD = 0.5, 0.4, 1.0  # seconds
_CHECKS = (0.0, 0.02, 0.05, APPROACH)  # metres before the grasp at which collisions are looked for
_RAISED = 0.5 * LIFT  # it may turn in the fingers
Watch = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """world_from_grip (4x4) at the grasp, and the opening (metres) with which the fingers come."""

    world_from_grip: Array
    opening: float


def plan(world: World, number: int, believed: Array, grasps: Iterable[Grasp], clearance: float) -> Plan | None:
    """The most nearly vertical grasp at a believed pose whose way is free in the scene as it truly is, or None.

    Args:
        number: of the thing to be picked; touching it is no collision. believed: world_from_obj. clearance: metres
            that the fingers are open beyond the object's width, both sides together.
    """
    for candidate in _ranked(believed, grasps, clearance):
        if not _blocked(world, number, candidate):
            return candidate
    return None


def _ranked(believed: Array, grasps: Iterable[Grasp], clearance: float) -> Iterator[Plan]:
    """Possible grasps, the most nearly vertical first."""
    found = []
    for grasp in grasps:
        world_from_grip = believed @ grasp.obj_from_grip
        opening, down = grasp.width + clearance, -world_from_grip[2, 2]
        if down < _TILT or opening > MOST:
            continue
        raised = _off_the_table(world_from_grip, opening, grasp.spare)
        if raised is not None:
            found.append((down, raised, opening))
    for _, pose, opening in sorted(found, key=lambda entry: -entry[0]):
        yield Plan(pose, opening)


def _off_the_table(world_from_grip: Array, opening: float, spare: float) -> Array | None:
    """The grasp drawn back along its approach until both finger tips are above the table; None if that is too far."""
    thick, wide, _ = FINGER
    corners = np.array([[side * (opening / 2 + more), y, 0] for side in (-1, 1) for more in (0, thick)
                        for y in (-wide / 2, wide / 2)])
    lowest = float((corners @ world_from_grip[2, :3] + world_from_grip[2, 3]).min())
    back = max(0.0, (_ABOVE - lowest) / -world_from_grip[2, 2])
    if back > spare:
        return None
    return world_from_grip @ make(translation=[0, 0, -back])


def _blocked(world: World, number: int, candidate: Plan) -> bool:
    for before in _CHECKS:
        world.reset(candidate.world_from_grip @ make(translation=[0, 0, -before]), candidate.opening)
        if world.collides(number):
            return True
    return False


def pick(world: World, number: int, chosen: Plan, watch: Watch = lambda moment: None) -> Outcome:
    """Try it. `watch` is called at "above", "at the grasp", "closed", "lifted" and "held"."""
    goal, opening = chosen.world_from_grip[:3, 3], chosen.opening
    start = goal - APPROACH * chosen.world_from_grip[:3, 2]
    height = world.pose(number)[2, 3]
    world.reset(make(chosen.world_from_grip[:3, :3], start), opening)
    watch("above")
    _move(world, start, goal, opening)
    watch("at the grasp")
    world.aim(goal, 0.0)
    world.step(_CLOSE)
    watch("closed")
    caught = world.touched(number) == 2
    _move(world, goal, goal + np.array([0, 0, LIFT]), 0.0)
    watch("lifted")
    world.step(_HOLD)
    watch("held")
    if world.touched(number) == 2 and world.pose(number)[2, 3] > height + _RAISED:
        return "held"
    return "dropped" if caught else "missed"


def _move(world: World, start: Array, goal: Array, opening: float, steps: int = 25) -> None:
    for share in np.arange(1, steps + 1) / steps:
        world.aim(start + share * (goal - start), opening)
        world.step(_RAMP / steps)
    world.step(0.1)
