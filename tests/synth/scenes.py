"""Scenes made by hand, with a camera whose two focal lengths and whose principal point are all different."""

from __future__ import annotations

import numpy as np

from posebot.core.camera import Camera
from posebot.core.transforms import Array, make
from posebot.synth.scene import Background, Item, Light, Material, Scene

CAMERA = Camera(np.array([[171.0, 0, 81.5], [0, 174.0, 58.0], [0, 0, 1]]), 160, 120)
BOX = (0.08, 0.05, 0.12)
ROD = (0.03, 0.1)  # radius, height


def box_item(pose: Array) -> Item:
    return Item("obj/2", pose, Material(roughness=0.9), obj_id=2)


def rod_item(pose: Array) -> Item:
    return Item("obj/5", pose, Material(roughness=0.9), obj_id=5)


def scene(*items: Item, camera: Camera = CAMERA) -> Scene:
    """Seen from the world's origin along z, one lamp beside the camera, plain grey behind."""
    lights = (Light(np.array([0.3, -0.4, -0.5]), (0.8, 0.8, 0.8), 0.05),)
    return Scene(camera, make(), items, lights, Background("pattern/3", gain=0.0), focus=np.array([0, 0, 0.6]))
