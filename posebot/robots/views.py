"""What hand-eye calibration starts from: views, each a robot pose with what the camera saw of the target.

The names serve both modes. The camera is fixed to its *mount* (the gripper for eye-in-hand, the base for eye-to-hand),
the target to its *stand* (the base for eye-in-hand, the gripper for eye-to-hand). With the robot's pose giving
`mount_from_fixture`, every view i says

    cam_from_target_i = inverse(mount_from_cam) @ mount_from_stand_i @ fixture_from_target

and `mount_from_cam` and `fixture_from_target` are the two unknowns.
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
    """One robot pose and what the camera saw.

    Attributes:
        name: of the image. base_from_gripper: 4x4, what the robot reported.
        points: (N, 3) of the target, target frame, metres.
        seen: (N, 2) their pixels; or (N, 3) their positions in the camera frame, where there are no pixels.
        cam_from_target: 4x4, the target's pose from this view alone.
    """

    name: str
    base_from_gripper: Array
    points: Array
    seen: Array
    cam_from_target: Array


def view_from_pixels(name: str, base_from_gripper: Array, points: Array, pixels: Array, camera: Camera) -> View:
    """A view whose target pose is found from its pixels.

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
    """`cam_from_target` of a flat target: the better of the two solutions of IPPE (Collins and Bartoli, 2014), then
    Levenberg-Marquardt on the reprojection error. None where OpenCV finds none in front of the camera."""
    import cv2

    distortion = camera.distortion if camera.distortion.size else None
    found, turns, shifts, _ = cv2.solvePnPGeneric(points, pixels, camera.K, distortion, flags=cv2.SOLVEPNP_IPPE)
    best: tuple[float, Array] | None = None
    for turn, shift in zip(turns[:found], shifts[:found]):
        turn, shift = cv2.solvePnPRefineLM(points, pixels, camera.K, distortion, turn, shift)
        if not (np.isfinite(turn).all() and np.isfinite(shift).all() and shift[2] > 0):
            continue
        seen = cv2.projectPoints(points, turn, shift, camera.K, distortion)[0].reshape(-1, 2)
        error = float(((seen - pixels) ** 2).sum())
        if best is None or error < best[0]:
            best = error, make(rotation_from_vector(turn.ravel()), shift.ravel())
    return None if best is None else best[1]


def mount_from_fixture(views: Sequence[View], mode: Mode) -> Array:
    """(N, 4, 4), see the head of this file."""
    poses = np.stack([view.base_from_gripper for view in views])
    return inverse(poses) if mode == "eye-in-hand" else poses


def measured_target_poses(views: Sequence[View]) -> Array:
    """`cam_from_target` (N, 4, 4) of each view by itself."""
    return np.stack([view.cam_from_target for view in views])
