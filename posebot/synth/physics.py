"""Physics simulation (MuJoCo): objects dropped on a table until they are at rest. Collides by convex hulls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posebot.core.transforms import Array, apply, make, quaternion_from_rotation, rotation_from_quaternion, sphere

_TIMESTEP, _UPRIGHT_TIMESTEP, _DURATION_S = 0.004, 0.002, 1.1  # seconds: contacts of bodies kept upright are stiffer
_MAX_ATTEMPTS = 4  # 2 % of the simulations with bodies kept upright diverge
_DIRECTIONS = 64
_FREE_JOINT = "<freejoint/>"
_UPRIGHT_JOINTS = "".join(f'<joint type="{kind}" axis="{axis}" damping="{damping}" armature="{armature}"/>'
                  for kind, axis, damping, armature in (("slide", "1 0 0", 1, 0.05), ("slide", "0 1 0", 1, 0.05),
                                                        ("slide", "0 0 1", 0, 0), ("hinge", "0 0 1", 0.01, 1e-3)))


@dataclass(frozen=True)
class Body:
    """A body to be dropped.

    Attributes:
        vertices: (V, 3) in its own frame, metres. upright: starts with z up.
        keep_upright: can translate and rotate about z, but not tip over.
    """

    vertices: Array
    upright: bool = False
    keep_upright: bool = False


def drop_bodies(bodies: Sequence[Body], rng: np.random.Generator, radius: float = 0.3) -> list[Array | None]:
    """Drop bodies on the table z = 0, inside an invisible round bin of this radius (metres).

    Returns:
        world_from_body (4x4) of each body, None if it ended outside 1.5 radii.
    """
    import mujoco

    mujoco.set_mju_user_warning(lambda message: None)  # MuJoCo would log to the working directory
    hulls = [extreme_points(body.vertices) for body in bodies]
    timestep = _UPRIGHT_TIMESTEP if any(body.keep_upright for body in bodies) else _TIMESTEP
    for _ in range(_MAX_ATTEMPTS):
        initial_poses = _initial_poses(bodies, hulls, rng, radius)
        model = mujoco.MjModel.from_xml_string(_mjcf(bodies, hulls, initial_poses, radius, timestep))
        data = mujoco.MjData(model)
        mujoco.mj_step(model, data, nstep=int(_DURATION_S / timestep))
        mujoco.mj_kinematics(model, data)
        if not data.warning.number.any():
            break  # otherwise the simulation diverged and was reset
    poses: list[Array | None] = []
    for number, body in enumerate(bodies):
        at, quaternion = data.xpos[number + 1], data.xquat[number + 1]  # body 0 is the world
        finite = np.isfinite(at).all() and np.isfinite(quaternion).all()
        pose = make(rotation_from_quaternion(quaternion[[1, 2, 3, 0]]), at) if finite else None
        if pose is None or np.linalg.norm(pose[:2, 3]) > 1.5 * radius or pose[2, 3] < -0.05:
            poses.append(None)
            continue
        lowest = float(apply(pose, body.vertices)[:, 2].min())
        pose[2, 3] += max(0.0, -lowest)  # the approximate hull may penetrate the table
        poses.append(pose)
    return poses


def extreme_points(vertices: Array) -> Array:
    """Extreme points of vertices (V, 3) in 64 directions spread over the sphere: an approximate convex hull."""
    return vertices[np.unique(np.argmax(vertices @ sphere(_DIRECTIONS).T, axis=0))]


def _initial_poses(bodies: Sequence[Body], hulls: list[Array], rng: np.random.Generator, radius: float) -> list[Array]:
    """Initial poses: spread over the bin, each above everything that it could touch."""
    initial_poses: list[Array] = []
    tops: list[tuple[Array, float, float]] = []  # position, extent, height
    for body, hull in zip(bodies, hulls):
        yaw = rng.uniform(0, 2 * np.pi)
        quaternion = np.array([0, 0, np.sin(yaw / 2), np.cos(yaw / 2)]) if body.upright else rng.normal(size=4)
        rotation = rotation_from_quaternion(quaternion)
        rotated = hull @ rotation.T
        position, extent = _free_position(tops, float(np.linalg.norm(rotated[:, :2], axis=1).max()), rng, radius)
        support = max([0.0, *(top for other, width, top in tops if np.linalg.norm(other - position) < width + extent)])
        z = support + 0.005 - float(rotated[:, 2].min())
        initial_poses.append(make(rotation, [*position, z]))
        tops.append((position, extent, z + float(rotated[:, 2].max())))
    return initial_poses


def _free_position(
    tops: list[tuple[Array, float, float]], extent: float, rng: np.random.Generator, radius: float
) -> tuple[Array, float]:
    """The least crowded of a few random positions in the bin, and the width of the body."""
    best, max_clearance = np.zeros(2), -np.inf
    for _ in range(4):
        angle, reach = rng.uniform(0, 2 * np.pi), radius * 0.8 * np.sqrt(rng.random())
        position = np.array([np.cos(angle), np.sin(angle)]) * reach
        gaps = [float(np.linalg.norm(other - position)) - width - extent for other, width, _ in tops]
        clearance = min(gaps, default=0.0)
        if clearance > max_clearance:
            best, max_clearance = position, clearance
    return best, extent


def _mjcf(bodies: Sequence[Body], hulls: list[Array], initial_poses: list[Array], radius: float, timestep: float
           ) -> str:
    """MuJoCo model (MJCF): floor, eight walls, a body with free or upright joints per hull."""
    meshes, body_elements = [], []
    for number, (body, hull, start) in enumerate(zip(bodies, hulls, initial_poses)):
        x, y, z, w = quaternion_from_rotation(start[:3, :3])
        meshes.append(f'<mesh name="m{number}" vertex="{_format(hull)}"/>')
        joints = _UPRIGHT_JOINTS if body.keep_upright else _FREE_JOINT
        body_elements.append(f'<body pos="{_format(start[:3, 3])}" quat="{w} {x} {y} {z}">{joints}'
                             f'<geom type="mesh" mesh="m{number}" density="400"/></body>')
    walls = []
    for angle in np.arange(8) * np.pi / 4:
        at = np.array([np.cos(angle), np.sin(angle)]) * (radius * 1.2 + 0.05)
        walls.append(f'<geom type="box" size="0.05 {radius} 2" pos="{_format(at)} 0" euler="0 0 {angle}"/>')
    return (f'<mujoco><compiler angle="radian"/><option timestep="{timestep}" '
            'integrator="implicitfast" iterations="15"/>'
            '<default><geom friction="0.8 0.01 0.002" condim="4" solref="0.01 1"/><mesh inertia="convex"/></default>'
            f'<asset>{"".join(meshes)}</asset><worldbody><geom type="plane" size="5 5 1"/>{"".join(walls)}'
            f'{"".join(body_elements)}</worldbody></mujoco>')


def _format(numbers: Array) -> str:
    return " ".join(f"{number:.6g}" for number in np.ravel(numbers))
