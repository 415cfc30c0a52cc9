"""Pick simulation in MuJoCo: a table with objects and a floating parallel gripper.

World frame: z up, the table top is z = 0. The hand is moved by three stiff position-controlled slides, not by setting
its pose; its orientation is set before each pick. Two fingers close with limited force, coupled so that they stay
centred. Objects are held by friction alone.

Objects rest on the table and on each other by the hulls with which they were dropped (`synth.physics`), so that the
observed scene is at rest; the fingers collide with detailed shapes (`collision_geometry.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, make, quaternion_from_rotation, rotation_from_quaternion
from posebot.picking.collision_geometry import collision_geoms_xml
from posebot.synth.physics import extreme_points

FINGER = (0.008, 0.016, 0.09)  # thickness, width, length: metres
PALM = (0.17, 0.05, 0.06)
MAX_OPENING = 0.15  # metres, between the fingers
STEP = 0.002
_FINGER_FORCE, _SLIDE_STIFFNESS = 40.0, 4000.0  # newtons per finger; newtons per metre of the slides
_DENSITY = 400.0  # as in `synth.physics`
_HULL_CONTACTS = 'contype="1" conaffinity="1"'
_DETAIL_CONTACTS = 'contype="2" conaffinity="4"'
_ALL_CONTACTS = 'contype="3" conaffinity="1"'
_GRIPPER_CONTACTS = 'contype="4" conaffinity="2"'


@dataclass(frozen=True)
class PlacedObject:
    """An object on the table.

    Attributes:
        pose: world_from_obj, 4x4 metres. vertices: (V, 3) in its frame. obj_id: 0 for a distractor.
    """

    obj_id: int
    pose: Array
    vertices: Array


class PickSimulation:
    """One table. `reset` restores the initial state, so that picks are independent."""

    def __init__(self, placed: Sequence[PlacedObject], objects: Mapping[int, ObjectModel]) -> None:
        import mujoco

        self.placed = list(placed)
        self.model = mujoco.MjModel.from_xml_string(_mjcf(placed, objects))
        self.data = mujoco.MjData(self.model)
        names = {name: self.model.geom(name).id for name in ("left", "right", "palm")}
        self._fingers = (names["left"], names["right"])
        self._gripper = set(names.values())
        self._body_of = {self.model.body(f"object{i}").id: i for i in range(len(placed))}
        self._hand = self.model.body("hand").id
        self._first_joint = self.model.joint("x").qposadr[0]

    def reset(self, world_from_gripper: Array, opening: float) -> None:
        """Restore the initial state, with the gripper at a pose and `opening` metres between its fingers."""
        import mujoco

        mujoco.mj_resetData(self.model, self.data)
        x, y, z, w = quaternion_from_rotation(world_from_gripper[:3, :3])
        self.model.body_quat[self._hand] = [w, x, y, z]
        first = self._first_joint
        self.data.qpos[first:first + 3] = world_from_gripper[:3, 3]
        self.data.qpos[first + 3:first + 5] = opening / 2
        self.set_target(world_from_gripper[:3, 3], opening)
        mujoco.mj_forward(self.model, self.data)

    def set_target(self, position: Array, opening: float) -> None:
        """Set the target position (3,) of the grasp point and of the opening, metres."""
        self.data.ctrl[:3] = position
        self.data.ctrl[3] = opening / 2

    def step(self, seconds: float) -> None:
        """Advance the simulation."""
        import mujoco

        mujoco.mj_step(self.model, self.data, nstep=max(1, round(seconds / STEP)))

    def object_pose(self, index: int) -> Array:
        """Current world_from_obj (4x4) of an object."""
        at = self.data.qpos[7 * index:7 * index + 7]
        return make(rotation_from_quaternion(at[[4, 5, 6, 3]]), at[:3])

    @property
    def gripper(self) -> tuple[Array, float]:
        """Current world_from_gripper (4x4) and opening, metres."""
        quat = self.model.body_quat[self._hand]
        at = self.data.qpos[self._first_joint:self._first_joint + 5]
        return make(rotation_from_quaternion(quat[[1, 2, 3, 0]]), at[:3]), float(at[3] + at[4])

    def finger_contacts(self, index: int) -> int:
        """Number of fingers in contact with an object, 0 to 2."""
        return len({finger for finger, other in self._contacts() if finger in self._fingers and other == index})

    def in_collision(self, allowed: int) -> bool:
        """Whether the gripper is in contact with the table or an object other than `allowed`."""
        return any(other != allowed for _, other in self._contacts())

    def _contacts(self) -> list[tuple[int, int]]:
        """(geom of the gripper, object index or -1 for the table) of all contacts of the gripper."""
        contacts = []
        for one, other in self.data.contact.geom[:self.data.ncon]:
            for own, other_geom in ((int(one), int(other)), (int(other), int(one))):
                if own in self._gripper and other_geom not in self._gripper:
                    contacts.append((own, self._body_of.get(int(self.model.geom_bodyid[other_geom]), -1)))
        return contacts


def _mjcf(placed: Sequence[PlacedObject], objects: Mapping[int, ObjectModel]) -> str:
    meshes, bodies = [], []
    for index, entry in enumerate(placed):
        x, y, z, w = quaternion_from_rotation(entry.pose[:3, :3])
        hull = _format(extreme_points(entry.vertices))
        meshes.append(f'<mesh name="m{index}" vertex="{hull}" inertia="convex"/>')
        in_kit = entry.obj_id in objects
        detail = collision_geoms_xml(objects, entry.obj_id, f'mass="0" {_DETAIL_CONTACTS}') if in_kit else ""
        bodies.append(f'<body name="object{index}" pos="{_format(entry.pose[:3, 3])}" quat="{w} {x} {y} {z}">'
                      f'<freejoint/><geom type="mesh" mesh="m{index}" density="{_DENSITY}" '
                      f'{_HULL_CONTACTS if in_kit else _ALL_CONTACTS}/>{detail}</body>')
    return (f'<mujoco><compiler angle="radian"/><option timestep="{STEP}" integrator="implicitfast" cone="elliptic" '
            'impratio="10" noslip_iterations="2"/>'
            '<default><geom friction="0.8 0.01 0.002" condim="4" solref="0.01 1"/></default>'
            f'<asset>{"".join(meshes)}</asset><worldbody><geom type="plane" size="5 5 1" {_ALL_CONTACTS}/>'
            f'{"".join(bodies)}'
            f'{_gripper()}</worldbody>{_actuators()}</mujoco>')


def _gripper() -> str:
    """Gripper: origin between the finger tips, z towards them; the fingers extend along -z to the palm."""
    thick, wide, long = FINGER
    fingers = "".join(
        f'<body name="{name}_finger" gravcomp="1">'
        f'<joint name="{name}" type="slide" axis="{sign} 0 0" range="0 {MAX_OPENING / 2}" limited="true" damping="5"/>'
        f'<geom name="{name}" type="box" mass="0.1" size="{thick / 2} {wide / 2} {long / 2}" '
        f'pos="{sign * thick / 2} 0 {-long / 2}" friction="1.0 0.02 0.002" condim="4" {_GRIPPER_CONTACTS}/></body>'
        for name, sign in (("left", -1), ("right", 1)))
    slides = "".join(f'<joint name="{axis}" type="slide" axis="{direction}" damping="150"/>'
                     for axis, direction in (("x", "1 0 0"), ("y", "0 1 0"), ("z", "0 0 1")))
    palm = (f'<geom name="palm" type="box" mass="0.8" size="{PALM[0] / 2} {PALM[1] / 2} {PALM[2] / 2}" '
            f'pos="0 0 {-long - PALM[2] / 2}" {_GRIPPER_CONTACTS}/>')
    return (f'<body name="carriage" gravcomp="1">{slides}<geom type="sphere" size="0.01" mass="0.5" contype="0" '
            f'conaffinity="0"/><body name="hand" gravcomp="1">{palm}{fingers}</body></body>')


def _actuators() -> str:
    slides = "".join(f'<position joint="{axis}" kp="{_SLIDE_STIFFNESS}" forcerange="-150 150"/>' for axis in "xyz")
    return ('<equality><joint joint1="left" joint2="right" polycoef="0 1 0 0 0" solref="0.005 1"/></equality>'
            f'<actuator>{slides}<position joint="left" kp="3000" kv="60" '
            f'forcerange="{-2 * _FINGER_FORCE} {2 * _FINGER_FORCE}"/>'
            '</actuator>')


def _format(numbers: Array) -> str:
    return " ".join(f"{index:.6g}" for index in np.ravel(numbers))
