"""The table with its objects and a floating parallel gripper, in MuJoCo. World frame: z up, the table top is z = 0.

The hand hangs on three stiff position-controlled slides (nothing is moved by fiat), its attitude is set before each
pick. Two fingers are closed by a force that is limited as a real gripper's, and coupled so that they stay centred.
Nothing holds an object but friction on the finger pads.

Objects lie on the table and on each other by the hulls by which they were dropped (`synth.physics`), so that the scene
that was seen is at rest; fingers feel their real shapes (`parts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, make, quaternion_from_rotation, rotation_from_quaternion
from posebot.picking.parts import parts_xml
from posebot.synth.physics import extreme_points

FINGER = (0.008, 0.016, 0.09)  # thickness, width, length: metres
PALM = (0.17, 0.05, 0.06)
MOST = 0.15  # metres between the fingers
STEP = 0.002
_FORCE, _STIFF = 40.0, 4000.0  # newtons of each finger; newtons a metre of the hand's slides
_DENSITY = 400.0  # as in `synth.physics`
_HULL, _FELT, _BOTH = 'contype="1" conaffinity="1"', 'contype="2" conaffinity="4"', 'contype="3" conaffinity="1"'
_HAND = 'contype="4" conaffinity="2"'


@dataclass(frozen=True)
class Thing:
    """Something on the table: world_from_obj, and vertices (V, 3) in its frame. obj_id 0: no object of the kit."""

    obj_id: int
    pose: Array
    vertices: Array


class World:
    """One table. `reset` puts everything back, so that a pick leaves no trace in the next."""

    def __init__(self, things: Sequence[Thing], objects: Mapping[int, ObjectModel]) -> None:
        import mujoco

        self.things = list(things)
        self.model = mujoco.MjModel.from_xml_string(_xml(things, objects))
        self.data = mujoco.MjData(self.model)
        names = {name: self.model.geom(name).id for name in ("left", "right", "palm")}
        self._fingers = (names["left"], names["right"])
        self._gripper = set(names.values())
        self._body_of = {self.model.body(f"thing{i}").id: i for i in range(len(things))}
        self._hand = self.model.body("hand").id
        self._first = self.model.joint("x").qposadr[0]

    def reset(self, world_from_grip: Array, opening: float) -> None:
        """Everything as it lay, the gripper at a pose with `opening` metres between its fingers, at rest."""
        import mujoco

        mujoco.mj_resetData(self.model, self.data)
        x, y, z, w = quaternion_from_rotation(world_from_grip[:3, :3])
        self.model.body_quat[self._hand] = [w, x, y, z]
        first = self._first
        self.data.qpos[first:first + 3] = world_from_grip[:3, 3]
        self.data.qpos[first + 3:first + 5] = opening / 2
        self.aim(world_from_grip[:3, 3], opening)
        mujoco.mj_forward(self.model, self.data)

    def aim(self, position: Array, opening: float) -> None:
        """Where the drives shall bring the grip point (3,), and how far apart the fingers."""
        self.data.ctrl[:3] = position
        self.data.ctrl[3] = opening / 2

    def step(self, seconds: float) -> None:
        import mujoco

        mujoco.mj_step(self.model, self.data, nstep=max(1, round(seconds / STEP)))

    def pose(self, number: int) -> Array:
        """world_from_obj (4x4) of a thing as it lies now."""
        at = self.data.qpos[7 * number:7 * number + 7]
        return make(rotation_from_quaternion(at[[4, 5, 6, 3]]), at[:3])

    @property
    def grip(self) -> tuple[Array, float]:
        """world_from_grip (4x4) and the opening, metres, as they are now."""
        quat = self.model.body_quat[self._hand]
        at = self.data.qpos[self._first:self._first + 5]
        return make(rotation_from_quaternion(quat[[1, 2, 3, 0]]), at[:3]), float(at[3] + at[4])

    def touched(self, number: int) -> int:
        """How many of the two fingers touch a thing."""
        return len({finger for finger, other in self._contacts() if finger in self._fingers and other == number})

    def collides(self, allowed: int) -> bool:
        """Whether the gripper touches the table or anything but the thing `allowed`, where it is now."""
        return any(other != allowed for _, other in self._contacts())

    def _contacts(self) -> list[tuple[int, int]]:
        """(geom of the gripper, thing or -1 for the table) of all contacts of the gripper."""
        found = []
        for one, other in self.data.contact.geom[:self.data.ncon]:
            for mine, theirs in ((int(one), int(other)), (int(other), int(one))):
                if mine in self._gripper and theirs not in self._gripper:
                    found.append((mine, self._body_of.get(int(self.model.geom_bodyid[theirs]), -1)))
        return found


def _xml(things: Sequence[Thing], objects: Mapping[int, ObjectModel]) -> str:
    meshes, bodies = [], []
    for number, thing in enumerate(things):
        x, y, z, w = quaternion_from_rotation(thing.pose[:3, :3])
        meshes.append(f'<mesh name="m{number}" vertex="{_text(extreme_points(thing.vertices))}" inertia="convex"/>')
        kit = thing.obj_id in objects
        felt = parts_xml(objects, thing.obj_id, f'mass="0" {_FELT}') if kit else ""
        bodies.append(f'<body name="thing{number}" pos="{_text(thing.pose[:3, 3])}" quat="{w} {x} {y} {z}"><freejoint/>'
                      f'<geom type="mesh" mesh="m{number}" density="{_DENSITY}" {_HULL if kit else _BOTH}/>{felt}'
                      '</body>')
    return (f'<mujoco><compiler angle="radian"/><option timestep="{STEP}" integrator="implicitfast" cone="elliptic" '
            'impratio="10" noslip_iterations="2"/>'
            '<default><geom friction="0.8 0.01 0.002" condim="4" solref="0.01 1"/></default>'
            f'<asset>{"".join(meshes)}</asset><worldbody><geom type="plane" size="5 5 1" {_BOTH}/>{"".join(bodies)}'
            f'{_gripper()}</worldbody>{_drives()}</mujoco>')


def _gripper() -> str:
    """Origin between the tips, z towards them: the fingers reach back along -z to the palm."""
    thick, wide, long = FINGER
    fingers = "".join(
        f'<body name="{name}_finger" gravcomp="1">'
        f'<joint name="{name}" type="slide" axis="{sign} 0 0" range="0 {MOST / 2}" limited="true" damping="5"/>'
        f'<geom name="{name}" type="box" mass="0.1" size="{thick / 2} {wide / 2} {long / 2}" '
        f'pos="{sign * thick / 2} 0 {-long / 2}" friction="1.0 0.02 0.002" condim="4" {_HAND}/></body>'
        for name, sign in (("left", -1), ("right", 1)))
    slides = "".join(f'<joint name="{axis}" type="slide" axis="{direction}" damping="150"/>'
                     for axis, direction in (("x", "1 0 0"), ("y", "0 1 0"), ("z", "0 0 1")))
    palm = (f'<geom name="palm" type="box" mass="0.8" size="{PALM[0] / 2} {PALM[1] / 2} {PALM[2] / 2}" '
            f'pos="0 0 {-long - PALM[2] / 2}" {_HAND}/>')
    return (f'<body name="carriage" gravcomp="1">{slides}<geom type="sphere" size="0.01" mass="0.5" contype="0" '
            f'conaffinity="0"/><body name="hand" gravcomp="1">{palm}{fingers}</body></body>')


def _drives() -> str:
    slides = "".join(f'<position joint="{axis}" kp="{_STIFF}" forcerange="-150 150"/>' for axis in "xyz")
    return ('<equality><joint joint1="left" joint2="right" polycoef="0 1 0 0 0" solref="0.005 1"/></equality>'
            f'<actuator>{slides}<position joint="left" kp="3000" kv="60" forcerange="{-2 * _FORCE} {2 * _FORCE}"/>'
            '</actuator>')


def _text(numbers: Array) -> str:
    return " ".join(f"{number:.6g}" for number in np.ravel(numbers))
