"""Random scenes: object arrangement, appearance and camera pose, all determined by (seed, frame index).

Most frames show a tabletop scene: objects dropped on a table (physics simulation), seen from `VIEWS` camera poses, each
with another table surface, lighting and background. The others show floating objects in arbitrary orientations.

Scenes are made in the kit's size: `load_assets` scales objects to it, `FrameRenderer` scales the labels back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from posebot.core.camera import Camera
from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, apply, make, rotation_from_quaternion
from posebot.objects.materials import SurfaceMaterial
from posebot.synth import domain_randomization
from posebot.synth.assets import AssetLibrary
from posebot.synth.config import SynthConfig
from posebot.synth.physics import Body, drop_bodies
from posebot.synth.placement import (
    bounding_radius,
    free_position,
    item_depth,
    place_upright_first,
    random_camera,
    random_direction,
    random_distance,
    random_upright_rotation,
    rescaled,
)
from posebot.synth.scene import Item, Scene, look_at

VIEWS = 6
_TABLETOP_SHARE = 0.7  # of the scenes
_CLUTTER_SHARE = 0.7  # share of the scenes with additional clutter
_CROWDED_SHARE = 0.6  # share of the tabletop scenes with many objects close together
_NO_ROLL_SHARE = 0.75  # share of the images with little camera roll
_MAX_TARGETS = 8


@dataclass(frozen=True)
class _TabletopLayout:
    """Items at rest, without materials, and the end points of the camera path, or None."""

    items: tuple[Item, ...]
    path: tuple[Array, Array] | None


class SceneSampler:
    """Samples the scenes of a dataset. `surfaces`: known materials, by object ID."""

    def __init__(
        self, config: SynthConfig, library: AssetLibrary, surfaces: Mapping[int, SurfaceMaterial] | None = None
    ) -> None:
        self.config, self.library = config, library
        self.appearance = domain_randomization.AppearanceRandomizer(library, surfaces or {})
        self._layout = lru_cache(maxsize=2)(self._simulate_layout)

    def scene(self, index: int) -> Scene:
        """The scene of frame `index`; independent of the scenes sampled before."""
        group = index // VIEWS
        rng = np.random.default_rng([self.config.seed, 2, index])
        camera = random_camera(self.config, rng)
        if np.random.default_rng([self.config.seed, 1, group]).random() < _TABLETOP_SHARE:
            scene = self._tabletop_scene(self._layout(group), camera, index % VIEWS, rng)
        else:
            scene = self._floating_scene(camera, rng)
        items = (*scene.items, *self._occluders(scene, rng))
        return replace(scene, items=items, camera_effects=domain_randomization.camera_effects(rng))

    def _simulate_layout(self, group: int) -> _TabletopLayout:
        """Drop objects and distractors on the table."""
        rng = np.random.default_rng([self.config.seed, 3, group])
        crowded = rng.random() < _CROWDED_SHARE
        distractor_count = rng.integers(10, 25) if crowded else rng.integers(2, 11)
        items = [*self._targets(rng), *self._distractors(rng, int(distractor_count))]
        rng.shuffle(items)
        upright = rng.choice([0.5, 0.7, 0.9] if crowded else [0.1, 0.5, 0.9])
        bodies = [Body(self.library.mesh(item.shape).vertices * item.scale, bool(rng.random() < upright))
                  for item in items]
        if self.config.upright is not None:
            items, bodies = place_upright_first(items, bodies, self.config.upright, rng)
        widest = float(np.sum([np.ptp(body.vertices, axis=0).max() ** 2 for body in bodies])) ** 0.5
        radius = widest * (rng.uniform(0.26, 0.42) if crowded else rng.uniform(0.45, 0.9))
        poses = drop_bodies(bodies, rng, radius)
        placed = tuple(replace(item, world_from_item=pose) for item, pose in zip(items, poses) if pose is not None)
        path = (random_direction(rng, 0.3), random_direction(rng, 0.3)) if rng.random() < 0.5 else None
        return _TabletopLayout(placed, path)

    def _tabletop_scene(self, layout: _TabletopLayout, camera: Camera, view: int, rng: np.random.Generator) -> Scene:
        """A tabletop scene, seen from a random camera pose or along the camera path."""
        items = [self.appearance.randomize(item, rng) for item in layout.items]
        positions = np.array([item.world_from_item[:3, 3] for item in items if item.obj_id] or [np.array([0, 0, 0.05])])
        aim = positions[rng.integers(len(positions))] * rng.uniform(0.2, 1.0) + rng.normal(0, 0.03, 3)
        if layout.path is None:
            direction = random_direction(rng, 0.12)
        else:  # along an arc, as a wrist camera
            direction = layout.path[0] + (view + rng.uniform(0, 0.5)) / VIEWS * (layout.path[1] - layout.path[0])
            direction /= np.linalg.norm(direction)
        distance = random_distance(self.config, rng)
        eye = aim + direction * distance
        eye[2] = max(eye[2], 0.08)
        world_from_cam = look_at(eye, aim, self._roll(rng))
        scenery = self.appearance.table_and_walls(eye, rng)
        focus = positions.mean(axis=0)
        radius = float(np.linalg.norm(positions - focus, axis=1).max()) + 0.25
        scenery += self._clutter(items, focus, radius, eye, rng)
        return Scene(camera, world_from_cam, (*items, *scenery), domain_randomization.lights(rng, focus),
                     self.appearance.background(rng), focus=focus, radius=radius)

    def _clutter(self, items: list[Item], focus: Array, radius: float, eye: Array, rng: np.random.Generator
                ) -> list[Item]:
        """Clutter on and around the table: flat objects below, distractors around; none in an uncluttered scene."""
        flat_count = int(rng.integers(1, 21)) if rng.random() < _CLUTTER_SHARE else 0
        flat = self.appearance.flat_clutter(flat_count, focus, radius, rng)
        occupied = [(item.world_from_item[:3, 3], bounding_radius(self.library, item)) for item in items]
        clutter = []
        for item in self._distractors(rng, int(rng.integers(3, 26)) if rng.random() < _CLUTTER_SHARE else 0):
            item = rescaled(item, rng.uniform(-0.3, 0.8))
            rotation = make(rotation_from_quaternion(rng.normal(size=4)))
            extent = bounding_radius(self.library, item)
            distance, angle = rng.uniform(0.3, 1.0) * (radius + 0.4), rng.uniform(0, 2 * np.pi)
            low = apply(rotation, self.library.mesh(item.shape).vertices * item.scale)[:, 2].min()
            at = np.array([focus[0] + distance * np.cos(angle), focus[1] + distance * np.sin(angle), -low])
            if np.linalg.norm(at - eye) < 0.2 + extent or any(
                    np.linalg.norm(at - other) < 0.8 * (extent + other_extent) for other, other_extent in occupied):
                continue
            occupied.append((at, extent))
            pose = make(rotation[:3, :3], at)
            clutter.append(self.appearance.randomize(replace(item, world_from_item=pose), rng))
        return flat + clutter

    def _floating_scene(self, camera: Camera, rng: np.random.Generator) -> Scene:
        """Objects and distractors at random positions in the view, in random orientations."""
        upright_share = self.config.upright
        upright = upright_share is not None and rng.random() < upright_share  # all are upright, with a slight tilt
        direction = random_direction(rng, 0.0 if upright else -0.8)
        world_from_cam = look_at(direction * 1.0, np.zeros(3), self._roll(rng))
        base = random_distance(self.config, rng)
        placed: list[tuple[Array, float]] = []
        items: list[Item] = []
        for item in [*self._targets(rng), *self._distractors(rng, int(rng.integers(1, 9)))]:
            extent = bounding_radius(self.library, item)
            at = free_position(camera, base, self.config.scene_distance, placed, extent, rng)
            placed.append((at, extent))
            rotation = world_from_cam[:3, :3] @ rotation_from_quaternion(rng.normal(size=4))
            rotation = random_upright_rotation(rng) if upright and item.obj_id else rotation
            pose = make(rotation, apply(world_from_cam, at[None])[0])
            items.append(self.appearance.randomize(replace(item, world_from_item=pose), rng))
        far = max(float(at[2]) for at, _ in placed) + rng.uniform(0.2, 1.0)
        items += self._background_clutter(camera, world_from_cam, far, rng)
        wall = [self.appearance.wall(world_from_cam, far, rng)] if rng.random() < 0.45 else []
        focus = (world_from_cam @ [0, 0, base, 1.0])[:3]
        return Scene(camera, world_from_cam, (*items, *wall), domain_randomization.lights(rng, focus),
                     self.appearance.background(rng), focus=focus, radius=0.35 + 0.3 * base)

    def _background_clutter(
        self, camera: Camera, world_from_cam: Array, far: float, rng: np.random.Generator
    ) -> list[Item]:
        """Distractors behind all objects; none in an uncluttered scene."""
        items = []
        for item in self._distractors(rng, int(rng.integers(3, 16)) if rng.random() < _CLUTTER_SHARE else 0):
            item = rescaled(item, rng.uniform(0, 1.2))
            pixel = rng.uniform(-0.05, 1.05, 2) * [camera.width, camera.height]
            at = np.append((pixel - camera.K[:2, 2]) / np.diag(camera.K)[:2], 1.0) * (far - rng.uniform(0.0, 0.1))
            pose = world_from_cam @ make(rotation_from_quaternion(rng.normal(size=4)), at)
            items.append(self.appearance.randomize(replace(item, world_from_item=pose), rng))
        return items

    def _targets(self, rng: np.random.Generator) -> list[Item]:
        """4 to 8 objects (all of a small set), some of them twice; always including the required ones."""
        obj_ids = list(self.library.objects)
        count = min(int(rng.integers(4, _MAX_TARGETS + 1)), max(2 * len(obj_ids) - 1, 1))
        pool = rng.permutation(obj_ids * 2 if rng.random() < 0.3 or len(obj_ids) < 4 else obj_ids)
        required = self.config.required_objects
        chosen = [*required, *(number for number in pool if number not in required)][:max(count, len(required))]
        return [Item(f"obj/{number}", np.eye(4), obj_id=int(number)) for number in chosen]

    def _distractors(self, rng: np.random.Generator, count: int) -> list[Item]:
        """Random distractors at the origin."""
        items = []
        for _ in range(count):
            if self.library.distractors and rng.random() < 0.35:
                items.append(Item(f"distractor/{rng.integers(len(self.library.distractors))}", np.eye(4)))
            else:
                size = float(np.exp(rng.uniform(-0.5, 0.3)))
                shape = f"shape/{rng.integers(domain_randomization.SHAPES)}"
                items.append(Item(shape, np.eye(4), scale=(size, size, size)))
        return items

    def _roll(self, rng: np.random.Generator) -> float:
        """Random camera roll, radians."""
        no_roll = max(_NO_ROLL_SHARE, self.config.upright or 0.0)
        return float(rng.normal(0, 0.25) if rng.random() < no_roll else rng.uniform(-np.pi, np.pi))

    def _occluders(self, scene: Scene, rng: np.random.Generator) -> list[Item]:
        """Distractors between the camera and some of the objects."""
        targets = [item for item in scene.targets if item_depth(scene, item) > 0.25]
        if not targets or rng.random() > 0.35:
            return []
        occluders = []
        for item in self._distractors(rng, int(rng.integers(1, 3))):
            target = targets[rng.integers(len(targets))]
            model: ObjectModel = self.library.objects[target.obj_id]
            at = (scene.cam_from_world @ target.world_from_item)[:3, 3]
            depth_ratio = rng.uniform(0.45, 0.85)
            extent = bounding_radius(self.library, item)
            size = float(model.diameter * rng.uniform(0.3, 0.7) * depth_ratio / extent / 2)
            at = at * depth_ratio + np.append(rng.normal(0, 0.45, 2) * model.diameter * depth_ratio, 0)
            pose = scene.world_from_cam @ make(rotation_from_quaternion(rng.normal(size=4)), at)
            x, y, z = item.scale
            sized = replace(item, world_from_item=pose, scale=(x * size, y * size, z * size))
            occluders.append(self.appearance.randomize(sized, rng))
        return occluders
