"""Things dropped on a table until they lie still (MuJoCo). Convex hulls collide: quick, and good enough to lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posebot.core.transforms import Array, apply, make, quaternion_from_rotation, rotation_from_quaternion, sphere

_STEP, _STEADY_STEP, _SECONDS = 0.004, 0.002, 1.1  # what cannot give way pushes harder
_TRIES = 4  # in two drops of a hundred whose objects cannot fall over, something bursts
_DIRECTIONS = 64
_FREE = "<freejoint/>"
_STEADY = "".join(f'<joint type="{kind}" axis="{axis}" damping="{damping}" armature="{armature}"/>'
                  for kind, axis, damping, armature in (("slide", "1 0 0", 1, 0.05), ("slide", "0 1 0", 1, 0.05),
                                                        ("slide", "0 0 1", 0, 0), ("hinge", "0 0 1", 0.01, 1e-3)))


@dataclass(frozen=True)
class Body:
    """A thing to be dropped: vertices (V, 3) in its own frame, metres.

    upright: starts standing as it was modelled. steady: is pushed aside and turned about the vertical, not overthrown.
    """

    vertices: Array
    upright: bool = False
    steady: bool = False


def settle(bodies: Sequence[Body], rng: np.random.Generator, radius: float = 0.3) -> list[Array | None]:
    """Drop bodies on the table z = 0 inside a round bin that is not seen.

    Returns:
        world_from_body (4x4) of each, or None for what ended outside 1.5 radii.
    """
    import mujoco

    mujoco.set_mju_user_warning(lambda message: None)  # else it writes into the folder that it is called from
    hulls = [hull_points(body.vertices) for body in bodies]
    step = _STEADY_STEP if any(body.steady for body in bodies) else _STEP
    for _ in range(_TRIES):
        starts = _starts(bodies, hulls, rng, radius)
        model = mujoco.MjModel.from_xml_string(_model(bodies, hulls, starts, radius, step))
        data = mujoco.MjData(model)
        mujoco.mj_step(model, data, nstep=int(_SECONDS / step))
        mujoco.mj_kinematics(model, data)
        if not data.warning.number.any():
            break  # else it burst, and the rest began anew from the start
    poses: list[Array | None] = []
    for number, body in enumerate(bodies):
        at, turn = data.xpos[number + 1], data.xquat[number + 1]  # 0 is the world
        known = np.isfinite(at).all() and np.isfinite(turn).all()
        pose = make(rotation_from_quaternion(turn[[1, 2, 3, 0]]), at) if known else None
        if pose is None or np.linalg.norm(pose[:2, 3]) > 1.5 * radius or pose[2, 3] < -0.05:
            poses.append(None)
            continue
        pose[2, 3] += max(0.0, -float(apply(pose, body.vertices)[:, 2].min()))  # the coarse hull may have sunk a little
        poses.append(pose)
    return poses


def hull_points(vertices: Array) -> Array:
    """Those of the vertices (V, 3) that lie farthest in 64 directions spread evenly over the sphere."""
    return vertices[np.unique(np.argmax(vertices @ sphere(_DIRECTIONS).T, axis=0))]


def _starts(bodies: Sequence[Body], hulls: list[Array], rng: np.random.Generator, radius: float) -> list[Array]:
    """Poses to fall from: spread over the bin, each above all that it could touch."""
    starts: list[Array] = []
    tops: list[tuple[Array, float, float]] = []  # where, how wide, how high
    for body, hull in zip(bodies, hulls):
        yaw = rng.uniform(0, 2 * np.pi)
        turn = np.array([0, 0, np.sin(yaw / 2), np.cos(yaw / 2)]) if body.upright else rng.normal(size=4)
        rotation = rotation_from_quaternion(turn)
        turned = hull @ rotation.T
        place, wide = _free_place(tops, float(np.linalg.norm(turned[:, :2], axis=1).max()), rng, radius)
        low = max([0.0, *(top for where, width, top in tops if np.linalg.norm(where - place) < width + wide)])
        z = low + 0.005 - float(turned[:, 2].min())
        starts.append(make(rotation, [*place, z]))
        tops.append((place, wide, z + float(turned[:, 2].max())))
    return starts


def _free_place(tops: list[tuple[Array, float, float]], wide: float, rng: np.random.Generator, radius: float
                ) -> tuple[Array, float]:
    """The least crowded of a few random places in the bin."""
    best, most = np.zeros(2), -np.inf
    for _ in range(4):
        angle, reach = rng.uniform(0, 2 * np.pi), radius * 0.8 * np.sqrt(rng.random())
        place = np.array([np.cos(angle), np.sin(angle)]) * reach
        room = min([float(np.linalg.norm(where - place)) - width - wide for where, width, _ in tops], default=0.0)
        if room > most:
            best, most = place, room
    return best, wide


def _model(bodies: Sequence[Body], hulls: list[Array], starts: list[Array], radius: float, step: float
           ) -> str:
    """MuJoCo's description: floor, eight walls, a free body for each hull."""
    meshes, things = [], []
    for number, (body, hull, start) in enumerate(zip(bodies, hulls, starts)):
        x, y, z, w = quaternion_from_rotation(start[:3, :3])
        meshes.append(f'<mesh name="m{number}" vertex="{_text(hull)}"/>')
        things.append(f'<body pos="{_text(start[:3, 3])}" quat="{w} {x} {y} {z}">{_STEADY if body.steady else _FREE}'
                      f'<geom type="mesh" mesh="m{number}" density="400"/></body>')
    walls = []
    for turn in np.arange(8) * np.pi / 4:
        at = np.array([np.cos(turn), np.sin(turn)]) * (radius * 1.2 + 0.05)
        walls.append(f'<geom type="box" size="0.05 {radius} 2" pos="{_text(at)} 0" euler="0 0 {turn}"/>')
    return (f'<mujoco><compiler angle="radian"/><option timestep="{step}" integrator="implicitfast" iterations="15"/>'
            '<default><geom friction="0.8 0.01 0.002" condim="4" solref="0.01 1"/><mesh inertia="convex"/></default>'
            f'<asset>{"".join(meshes)}</asset><worldbody><geom type="plane" size="5 5 1"/>{"".join(walls)}'
            f'{"".join(things)}</worldbody></mujoco>')


def _text(numbers: Array) -> str:
    return " ".join(f"{number:.6g}" for number in np.ravel(numbers))
