"""A pick, drawn: a strip of pictures, one for each moment."""

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
from posebot.picking.world import FINGER, PALM, World
from posebot.synth.scene import Item, Material, Scene, look_at

_CAMERA = Camera(np.array([[560.0, 0, 239.5], [0, 560.0, 239.5], [0, 0, 1]]), 480, 480)
_STEEL, _RUBBER = Material((0.55, 0.57, 0.6), roughness=0.35, metallic=1.0), Material((0.05, 0.05, 0.06), roughness=0.8)


class Film:
    """Call it with a moment's name to take a picture of the world as it is."""

    def __init__(self, world: World, scene: Scene, objects: Mapping[int, ObjectModel]) -> None:
        self._world, self._scene, self._objects = world, scene, objects
        self.pictures: list[NDArray[np.uint8]] = []

    def __call__(self, moment: str) -> None:
        """moment: see `attempt.pick`."""
        from posebot.synth.assets import AssetLibrary
        from posebot.synth.opengl import OpenGLContext
        from posebot.synth.raster_renderer import RasterRenderer

        gl = OpenGLContext(AssetLibrary(self._objects, [unit_box()]))
        with gl.context:
            self.pictures.append(RasterRenderer(gl, samples=4).render(self._now()))
        gl.release()

    def save(self, path: Path) -> None:
        """The strip as a JPEG, left to right."""
        import cv2

        strip = np.concatenate(self.pictures, axis=1)
        cv2.imwrite(str(path), strip[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])

    def _now(self) -> Scene:
        things = iter(range(len(self._world.things)))
        items = [item if item.shape == "quad" else replace(item, world_from_item=self._world.pose(next(things)))
                 for item in self._scene.items]
        grip, _ = self._world.grip
        target = grip[:3, 3] * [1, 1, 0] + [0, 0, 0.09]
        seen = self._scene.with_camera_pose(look_at(target + np.array([0.36, -0.42, 0.24]), target))
        return replace(seen, camera=_CAMERA, items=(*items, *self._gripper()), focus=target, radius=0.45)

    def _gripper(self) -> list[Item]:
        grip, opening = self._world.grip
        thick, _, long = FINGER
        parts = [([side * (opening + thick) / 2, 0, -long / 2], FINGER, _RUBBER) for side in (-1, 1)]
        parts.append(([0, 0, -long - PALM[2] / 2], PALM, _STEEL))
        return [Item("distractor/0", grip @ make(translation=place), look, scale=size) for place, size, look in parts]


def unit_box() -> Mesh:
    """A cube of side 1 about the origin, with hard edges."""
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))]
    return split_sharp_edges(Mesh(corners, np.array(faces, np.int32)))
