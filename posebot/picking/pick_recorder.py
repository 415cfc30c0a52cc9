"""Recording of a pick: one image per stage, concatenated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import Camera
from posebot.core.objects import Mesh, ObjectModel
from posebot.core.transforms import make
from posebot.objects.geometry import split_sharp_edges
from posebot.picking.simulation import FINGER, PALM, PickSimulation
from posebot.synth.scene import Item, Material, Scene, look_at

_CAMERA = Camera(np.array([[560.0, 0, 239.5], [0, 560.0, 239.5], [0, 0, 1]]), 480, 480)
_STEEL, _RUBBER = Material((0.55, 0.57, 0.6), roughness=0.35, metallic=1.0), Material((0.05, 0.05, 0.06), roughness=0.8)


class PickRecorder:
    """Stage callback of `execute_grasp` that renders the simulation."""

    def __init__(self, simulation: PickSimulation, scene: Scene, objects: Mapping[int, ObjectModel]) -> None:
        self._simulation, self._scene, self._objects = simulation, scene, objects
        self.images: list[NDArray[np.uint8]] = []

    def __call__(self, stage: str) -> None:
        """Render the current state; `stage`: see `execute_grasp`."""
        from posebot.synth.assets import AssetLibrary
        from posebot.synth.opengl import OpenGLContext
        from posebot.synth.raster_renderer import RasterRenderer

        gl = OpenGLContext(AssetLibrary(self._objects, [unit_box()]))
        with gl.context:
            self.images.append(RasterRenderer(gl, samples=4).render(self._current_scene()))
        gl.release()

    def save(self, path: Path) -> None:
        """Write the images as one JPEG, left to right."""
        import cv2

        strip = np.concatenate(self.images, axis=1)
        cv2.imwrite(str(path), strip[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])

    def _current_scene(self) -> Scene:
        poses = (self._simulation.object_pose(index) for index in range(len(self._simulation.placed)))
        items = [item if item.shape == "quad" else replace(item, world_from_item=next(poses))
                 for item in self._scene.items]
        world_from_gripper, _ = self._simulation.gripper
        target = world_from_gripper[:3, 3] * [1, 1, 0] + [0, 0, 0.09]
        scene = self._scene.with_camera_pose(look_at(target + np.array([0.36, -0.42, 0.24]), target))
        return replace(scene, camera=_CAMERA, items=(*items, *self._gripper()), focus=target, radius=0.45)

    def _gripper(self) -> list[Item]:
        world_from_gripper, opening = self._simulation.gripper
        thick, _, long = FINGER
        parts = [([side * (opening + thick) / 2, 0, -long / 2], FINGER, _RUBBER) for side in (-1, 1)]
        parts.append(([0, 0, -long - PALM[2] / 2], PALM, _STEEL))
        return [Item("distractor/0", world_from_gripper @ make(translation=position), material, scale=size)
                for position, size, material in parts]


def unit_box() -> Mesh:
    """A cube of side 1 about the origin, with sharp edges."""
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))]
    return split_sharp_edges(Mesh(corners, np.array(faces, np.int32)))
