"""Views, the input of hand-eye calibration: a robot pose with the observed target.

Names are the same for both modes. The camera is fixed to its *mount* (gripper for eye-in-hand, base for eye-to-hand),
the target to its *fixture* (base for eye-in-hand, gripper for eye-to-hand). The robot pose gives `mount_from_fixture`,
and for every view i

    cam_from_target_i = inverse(mount_from_cam) @ mount_from_stand_i @ fixture_from_target

where `mount_from_cam` and `fixture_from_target` are the unknowns (AX = ZB).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from posebot.core.camera import Camera
from posebot.core.errors import TargetError
from posebot.core.transforms import Array, apply, inverse, make, rotation_from_vector

Mode = Literal["eye-in-hand", "eye-to-hand"]
VIRTUAL_REACH = 0.1  # metres: the virtual points of a target whose pose was measured elsewhere


@dataclass(frozen=True)
class View:
    """A robot pose and the observed target.

    Attributes:
        name: of the image. base_from_gripper: 4x4, as reported by the robot.
        points: (N, 3) of the target, target frame, metres.
        seen: (N, 2) their pixels; or (N, 3) their positions in the camera frame, if there are no pixels.
        cam_from_target: 4x4, the target's pose from this view alone.
    """

    name: str
    base_from_gripper: Array
    points: Array
    seen: Array
    cam_from_target: Array


def view_from_pixels(name: str, base_from_gripper: Array, points: Array, pixels: Array, camera: Camera) -> View:
    """A view whose target pose is estimated from pixels.

    Raises:
        InputError: no pose fits the pixels.
    """
    pose = planar_target_pose(points, pixels, camera)
    if pose is None:
        raise TargetError(name, "the target's pose cannot be found from its points",
                          "a target that is flat and in view")
    return View(name, base_from_gripper, points, pixels, pose)


def view_from_pose(name: str, base_from_gripper: Array, cam_from_target: Array) -> View:
    """A view whose target pose was measured elsewhere; represented by six virtual points."""
    points = np.concatenate([np.eye(3), -np.eye(3)]) * VIRTUAL_REACH
    return View(name, base_from_gripper, points, apply(cam_from_target, points), cam_from_target)


def planar_target_pose(points: Array, pixels: Array, camera: Camera) -> Array | None:
    """`cam_from_target` of a planar target: the better of the two solutions of IPPE (Collins and Bartoli, 2014), then
    Levenberg-Marquardt on the reprojection error. None if no solution is in front of the camera."""
    import cv2

    distortion = camera.distortion if camera.distortion.size else None
    count, rotations, translations, _ = cv2.solvePnPGeneric(points, pixels, camera.K, distortion,
                                                            flags=cv2.SOLVEPNP_IPPE)
    best: tuple[float, Array] | None = None
    for rotation, translation in zip(rotations[:count], translations[:count]):
        rotation, translation = cv2.solvePnPRefineLM(points, pixels, camera.K, distortion, rotation, translation)
        if not (np.isfinite(rotation).all() and np.isfinite(translation).all() and translation[2] > 0):
            continue
        seen = cv2.projectPoints(points, rotation, translation, camera.K, distortion)[0].reshape(-1, 2)
        error = float(((seen - pixels) ** 2).sum())
        if best is None or error < best[0]:
            best = error, make(rotation_from_vector(rotation.ravel()), translation.ravel())
    return None if best is None else best[1]


def mount_from_fixture(views: Sequence[View], mode: Mode) -> Array:
    """(N, 4, 4), see the top of this module."""
    poses = np.stack([view.base_from_gripper for view in views])
    return inverse(poses) if mode == "eye-in-hand" else poses


def measured_target_poses(views: Sequence[View]) -> Array:
    """`cam_from_target` (N, 4, 4) of each view alone."""
    return np.stack([view.cam_from_target for view in views])
