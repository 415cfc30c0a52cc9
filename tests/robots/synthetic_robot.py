"""Synthetic robots: known poses of camera and target, and what such a robot reports and such a camera sees."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from posebot.core.camera import Camera
from posebot.core.transforms import Array, apply, exp, inverse, make, perturb, rotation_from_vector
from posebot.robots.target_drawing import rasterize, target_shapes
from posebot.robots.targets import Target, parse_target
from posebot.robots.views import Mode, View, view_from_pixels

K = np.array([[620.0, 0, 322], [0, 618, 241], [0, 0, 1]])
CAMERA = Camera(K, 640, 480, np.array([-0.08, 0.05, 0.001, -0.0005]))
BOARD = parse_target("charuco:5x4:40mm:30mm:DICT_4X4_50")


@dataclass(frozen=True)
class Robot:
    """The truth (4x4 each; names as in `robots.views`) and the views."""

    mode: Mode
    mount_from_cam: Array
    fixture_from_target: Array
    views: list[View]


def look_at_board(random: np.random.Generator, tilt: float = 0.5, distance: tuple[float, float] = (0.35, 0.6)) -> Array:
    """`cam_from_target` of BOARD in front of the camera, its middle near the optical axis."""
    middle = BOARD.points().mean(axis=0)
    turn = rotation_from_vector(np.array([*random.uniform(-tilt, tilt, 2), random.uniform(-1, 1) * 2 * tilt]))
    place = np.array([*random.uniform(-0.06, 0.06, 2), random.uniform(*distance)])
    return make(turn, place - turn @ middle)


def make_robot(mode: Mode = "eye-in-hand", count: int = 14, seed: int = 0, pixels: float = 0.15, arm_mm: float = 0.0,
               arm_deg: float = 0.0, tilt: float = 0.5, target: Target = BOARD) -> Robot:
    """A robot with noise: `pixels` in each corner, `arm_mm` and `arm_deg` in each axis of each reported pose."""
    random = np.random.default_rng(seed)
    mount_from_cam = exp(np.concatenate([random.uniform(-0.1, 0.1, 3), random.uniform(-1, 1, 3)]))
    fixture_from_target = exp(np.concatenate([random.uniform(-0.5, 0.5, 3), random.uniform(-1, 1, 3)]))
    views = []
    for i in range(count):
        cam_from_target = look_at_board(random, tilt)
        link = mount_from_cam @ cam_from_target @ inverse(fixture_from_target)
        truth = inverse(link) if mode == "eye-in-hand" else link
        noise = np.concatenate([random.normal(0, arm_mm * 1e-3, 3), random.normal(0, np.radians(arm_deg), 3)])
        seen = pixels_of(target.points(), cam_from_target) + random.normal(0, pixels, (len(target.points()), 2))
        views.append(view_from_pixels(f"{i}.png", perturb(truth, noise), target.points(), seen, CAMERA))
    return Robot(mode, mount_from_cam, fixture_from_target, views)


def pixels_of(points: Array, cam_from_target: Array, camera: Camera = CAMERA) -> Array:
    """(N, 2), with distortion."""
    seen = cv2.projectPoints(apply(cam_from_target, points), np.zeros(3), np.zeros(3), camera.K, camera.distortion)[0]
    return seen.reshape(-1, 2).astype(float)


def photograph(target: Target, cam_from_target: Array, camera: Camera = CAMERA) -> np.ndarray:
    """Grey image of a printed target on a grey table, without distortion, four times oversampled."""
    drawing, density, margin, over = target_shapes(target), 4000.0, 0.02, 4
    print_ = rasterize(drawing, density, margin).astype(np.uint8)
    to_metres = np.array([[1 / density, 0, drawing.box[0] - margin + 0.5 / density],
                          [0, 1 / density, drawing.box[1] - margin + 0.5 / density], [0, 0, 1]])
    onto_image = camera.K @ cam_from_target[:3, [0, 1, 3]] @ to_metres
    finer = np.array([[over, 0, (over - 1) / 2], [0, over, (over - 1) / 2], [0, 0, 1]])
    size = (camera.width * over, camera.height * over)
    large = cv2.warpPerspective(print_, finer @ onto_image, size, flags=cv2.INTER_LINEAR, borderValue=(110,))
    return cv2.resize(large, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
