"""A table with objects that were dropped on it: the scene that the simulated wrist camera looks at.

    scene = table_scene(objects, seed=3)          # poses in scene.targets[i].world_from_item, table top z = 0
    view = scene.seen_from(world_from_cam)        # any number of views, none of them needs physics again
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from posebot.core.camera import Camera
from posebot.core.objects import ObjectModel
from posebot.core.transforms import make
from posebot.objects.materials import SurfaceMaterial
from posebot.synth.physics import Body, settle
from posebot.synth.scene import Backdrop, Item, Light, Material, Optics, Scene, look_at
from posebot.synth.shapes import distractor

CAMERA = Camera(np.array([[615.0, 0, 319.5], [0, 615.0, 239.5], [0, 0, 1]]), 640, 480)
_SMALL = 0.6  # distractors must not hide what the table is for
_EYE, _FOCUS = np.array([0.0, -0.55, 0.5]), np.array([0.0, 0.0, 0.03])


def table_scene(objects: Mapping[int, ObjectModel], seed: int, radius: float = 0.22, distractors: int = 3,
                surfaces: Mapping[int, SurfaceMaterial] | None = None) -> Scene:
    """One of each object and a few other things, dropped within `radius` metres of the origin. A seed gives a scene."""
    rng = np.random.default_rng([seed, 101])
    shapes = [int(number) for number in rng.integers(0, 300, distractors)]
    items = [object_item(model, (surfaces or {}).get(model.obj_id), rng) for model in objects.values()]
    items += [Item(f"shape/{number}", np.eye(4), _painted(rng), scale=(_SMALL, _SMALL, _SMALL)) for number in shapes]
    meshes = [model.mesh.vertices for model in objects.values()]
    meshes += [distractor(number).vertices * _SMALL for number in shapes]
    poses = settle([Body(vertices, bool(rng.random() < 0.5)) for vertices in meshes], rng, radius)
    placed = [replace(item, world_from_item=pose) for item, pose in zip(items, poses) if pose is not None]
    wood = Material((0.9, 0.85, 0.8), f"pattern/{rng.integers(1000)}", float(rng.uniform(0.8, 2.0)), 0.6)
    table = Item("quad", make(), wood, scale=(1.6, 1.2, 1.0))
    grey = Material((0.35, 0.35, 0.36), None, None, 0.9)
    floor = Item("quad", make(translation=[0, 0, -0.75]), grey, scale=(12.0, 12.0, 1.0))
    lights = (Light(np.array([rng.uniform(-0.8, 0.8), -0.4, 1.6]), (0.9, 0.87, 0.82), 0.12),
              Light(np.array([-1.2, 0.9, 1.5]), (0.35, 0.37, 0.4)))
    backdrop = Backdrop("pattern/5", (0.0, 0.0, 0.3, 0.3), 0.8, "pattern/8", (0.45, 0.45, 0.47), (0.25, 0.24, 0.23))
    return Scene(CAMERA, look_at(_EYE, _FOCUS), (table, floor, *placed), lights, backdrop,
                 Optics(blur_px=0.45, noise=0.008, vignette=0.1), np.array([0, 0, 0.05]), radius + 0.25)


def object_item(model: ObjectModel, surface: SurfaceMaterial | None, rng: np.random.Generator) -> Item:
    """An object model as an item at the origin, in its own colours, as shiny as `surface` says (or by chance)."""
    look = surface or SurfaceMaterial(float(rng.uniform(0.35, 0.8)), 0.0)
    texture = None if model.mesh.texture is None else f"obj/{model.obj_id}"
    return Item(f"obj/{model.obj_id}", make(), Material((1.0, 1.0, 1.0), texture, None, look.roughness, look.metallic),
                model.obj_id)


def _painted(rng: np.random.Generator) -> Material:
    red, green, blue = rng.uniform(0.05, 0.9, 3)
    return Material((red, green, blue), None, None, float(rng.uniform(0.3, 0.9)))
