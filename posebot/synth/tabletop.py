"""A table with objects dropped on it: the scene of the simulated wrist camera.

    scene = tabletop_scene(objects, seed=3)         # poses in scene.targets[i].world_from_item, table top z = 0
    view = scene.with_camera_pose(world_from_cam)   # any number of views, without further physics
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from posebot.core.camera import Camera
from posebot.core.objects import ObjectModel
from posebot.core.transforms import make
from posebot.objects.materials import SurfaceMaterial
from posebot.synth.physics import Body, drop_bodies
from posebot.synth.procedural_meshes import distractor_mesh
from posebot.synth.scene import Background, CameraEffects, Item, Light, Material, Scene, look_at

CAMERA = Camera(np.array([[615.0, 0, 319.5], [0, 615.0, 239.5], [0, 0, 1]]), 640, 480)
_DISTRACTOR_SCALE = 0.6  # smaller, to limit occlusion
_EYE, _FOCUS = np.array([0.0, -0.55, 0.5]), np.array([0.0, 0.0, 0.03])


def tabletop_scene(objects: Mapping[int, ObjectModel], seed: int, radius: float = 0.22, distractors: int = 3,
                surfaces: Mapping[int, SurfaceMaterial] | None = None) -> Scene:
    """One of each object and a few distractors, dropped within `radius` metres of the origin, by seed."""
    rng = np.random.default_rng([seed, 101])
    shapes = [int(number) for number in rng.integers(0, 300, distractors)]
    items = [object_item(model, (surfaces or {}).get(model.obj_id), rng) for model in objects.values()]
    scale = (_DISTRACTOR_SCALE, _DISTRACTOR_SCALE, _DISTRACTOR_SCALE)
    items += [Item(f"shape/{number}", np.eye(4), _random_paint(rng), scale=scale) for number in shapes]
    meshes = [model.mesh.vertices for model in objects.values()]
    meshes += [distractor_mesh(number).vertices * _DISTRACTOR_SCALE for number in shapes]
    poses = drop_bodies([Body(vertices, bool(rng.random() < 0.5)) for vertices in meshes], rng, radius)
    placed = [replace(item, world_from_item=pose) for item, pose in zip(items, poses) if pose is not None]
    wood = Material((0.9, 0.85, 0.8), f"pattern/{rng.integers(1000)}", float(rng.uniform(0.8, 2.0)), 0.6)
    table = Item("quad", make(), wood, scale=(1.6, 1.2, 1.0))
    grey = Material((0.35, 0.35, 0.36), None, None, 0.9)
    floor = Item("quad", make(translation=[0, 0, -0.75]), grey, scale=(12.0, 12.0, 1.0))
    lights = (Light(np.array([rng.uniform(-0.8, 0.8), -0.4, 1.6]), (0.9, 0.87, 0.82), 0.12),
              Light(np.array([-1.2, 0.9, 1.5]), (0.35, 0.37, 0.4)))
    background = Background("pattern/5", (0.0, 0.0, 0.3, 0.3), 0.8, "pattern/8", (0.45, 0.45, 0.47), (0.25, 0.24, 0.23))
    return Scene(CAMERA, look_at(_EYE, _FOCUS), (table, floor, *placed), lights, background,
                 CameraEffects(blur_px=0.45, noise=0.008, vignette=0.1), np.array([0, 0, 0.05]), radius + 0.25)


def object_item(model: ObjectModel, surface: SurfaceMaterial | None, rng: np.random.Generator) -> Item:
    """An object model as an item at the origin, in its own colours, with the material `surface` or a random one."""
    surface = surface or SurfaceMaterial(float(rng.uniform(0.35, 0.8)), 0.0)
    texture = None if model.mesh.texture is None else f"obj/{model.obj_id}"
    material = Material((1.0, 1.0, 1.0), texture, None, surface.roughness, surface.metallic)
    return Item(f"obj/{model.obj_id}", make(), material, model.obj_id)


def _random_paint(rng: np.random.Generator) -> Material:
    red, green, blue = rng.uniform(0.05, 0.9, 3)
    return Material((red, green, blue), None, None, float(rng.uniform(0.3, 0.9)))
