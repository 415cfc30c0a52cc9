"""Scenes by chance: what lies where, how it looks, and from where it is seen. All follows from (seed, frame number).

More than half of the frames show a drop: things that fell on a table (physics), seen from `VIEWS` places with another
table cover, light and background each time. The rest show things in the air: attitudes that no resting thing has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from posebot.core.camera import Camera
from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, apply, make, rotation_from_quaternion, rotation_from_vector
from posebot.objects.materials import SurfaceMaterial
from posebot.synth import decor
from posebot.synth.config import SynthConfig
from posebot.synth.library import Library
from posebot.synth.physics import Body, settle
from posebot.synth.scene import Item, Scene, look_at

VIEWS = 6
_DROPPED = 0.7
_UNTIDY = 0.7  # share of the scenes in which more lies about than what is looked for
_CROWDED = 0.6  # share of the drops in which many things stand and lie close together, as on a desk
_LEVEL = 0.75  # share of the pictures taken by a camera held level
_MOST_TARGETS = 8


@dataclass(frozen=True)
class _Drop:
    """Placed items (their looks still to be chosen), and the camera's path: None, or its two ends."""

    items: tuple[Item, ...]
    path: tuple[Array, Array] | None


class Composer:
    """Makes the scenes of a data set. `surfaces`: how shiny the objects are, where that is known."""

    def __init__(
        self, config: SynthConfig, library: Library, surfaces: Mapping[int, SurfaceMaterial] | None = None
    ) -> None:
        self.config, self.library = config, library
        self.painter = decor.Painter(library, surfaces or {})
        self._drop = lru_cache(maxsize=2)(self._make_drop)

    def scene(self, index: int) -> Scene:
        """The scene of frame `index`; the same whatever was made before it."""
        group = index // VIEWS
        rng = np.random.default_rng([self.config.seed, 2, index])
        camera = _camera(self.config, rng)
        if np.random.default_rng([self.config.seed, 1, group]).random() < _DROPPED:
            scene = self._on_table(self._drop(group), camera, index % VIEWS, rng)
        else:
            scene = self._in_the_air(camera, rng)
        return replace(scene, items=(*scene.items, *self._in_front(scene, rng)), optics=decor.optics(rng))

    def _make_drop(self, group: int) -> _Drop:
        rng = np.random.default_rng([self.config.seed, 3, group])
        crowded = rng.random() < _CROWDED
        others = rng.integers(10, 25) if crowded else rng.integers(2, 11)
        things = [*self._targets(rng), *self._distractors(rng, int(others))]
        rng.shuffle(things)
        upright = rng.choice([0.5, 0.7, 0.9] if crowded else [0.1, 0.5, 0.9])
        bodies = [Body(self.library.mesh(item.shape).vertices * item.scale, bool(rng.random() < upright))
                  for item in things]
        if self.config.standing is not None:
            things, bodies = _stood(things, bodies, self.config.standing, rng)
        widest = float(np.sum([np.ptp(body.vertices, axis=0).max() ** 2 for body in bodies])) ** 0.5
        radius = widest * (rng.uniform(0.26, 0.42) if crowded else rng.uniform(0.45, 0.9))
        poses = settle(bodies, rng, radius)
        items = tuple(replace(item, world_from_item=pose) for item, pose in zip(things, poses) if pose is not None)
        path = (_direction(rng, 0.3), _direction(rng, 0.3)) if rng.random() < 0.5 else None
        return _Drop(items, path)

    def _on_table(self, drop: _Drop, camera: Camera, view: int, rng: np.random.Generator) -> Scene:
        items = [self.painter.painted(item, rng) for item in drop.items]
        places = np.array([item.world_from_item[:3, 3] for item in items if item.obj_id] or [np.array([0, 0, 0.05])])
        aim = places[rng.integers(len(places))] * rng.uniform(0.2, 1.0) + rng.normal(0, 0.03, 3)
        if drop.path is None:
            direction = _direction(rng, 0.12)
        else:  # along an arc, as a wrist moves
            direction = drop.path[0] + (view + rng.uniform(0, 0.5)) / VIEWS * (drop.path[1] - drop.path[0])
            direction /= np.linalg.norm(direction)
        distance = _distance(self.config, rng)
        eye = aim + direction * distance
        eye[2] = max(eye[2], 0.08)
        world_from_cam = look_at(eye, aim, self._roll(rng))
        scenery = self.painter.room(eye, rng)
        focus = places.mean(axis=0)
        radius = float(np.linalg.norm(places - focus, axis=1).max()) + 0.25
        scenery += self._litter(items, focus, radius, eye, rng)
        return Scene(camera, world_from_cam, (*items, *scenery), decor.lights(rng, focus), self.painter.backdrop(rng),
                     focus=focus, radius=radius)

    def _litter(self, items: list[Item], focus: Array, radius: float, eye: Array, rng: np.random.Generator
                ) -> list[Item]:
        """What else lies about on a table in use: flat things below, other things around. None on a tidy table."""
        papers = self.painter.papers(int(rng.integers(1, 21)) if rng.random() < _UNTIDY else 0, focus, radius, rng)
        taken = [(item.world_from_item[:3, 3], _reach(self.library, item)) for item in items]
        around = []
        for item in self._distractors(rng, int(rng.integers(3, 26)) if rng.random() < _UNTIDY else 0):
            item = _grown(item, rng.uniform(-0.3, 0.8))
            turn = make(rotation_from_quaternion(rng.normal(size=4)))
            reach = _reach(self.library, item)
            away, angle = rng.uniform(0.3, 1.0) * (radius + 0.4), rng.uniform(0, 2 * np.pi)
            low = apply(turn, self.library.mesh(item.shape).vertices * item.scale)[:, 2].min()
            at = np.array([focus[0] + away * np.cos(angle), focus[1] + away * np.sin(angle), -low])
            if np.linalg.norm(at - eye) < 0.2 + reach or any(np.linalg.norm(at - other) < 0.8 * (reach + its)
                                                             for other, its in taken):
                continue
            taken.append((at, reach))
            pose = make(turn[:3, :3], at)
            around.append(self.painter.painted(replace(item, world_from_item=pose), rng))
        return papers + around

    def _in_the_air(self, camera: Camera, rng: np.random.Generator) -> Scene:
        standing = self.config.standing
        level = standing is not None and rng.random() < standing  # all stand, each a little leaning
        direction = _direction(rng, 0.0 if level else -0.8)
        world_from_cam = look_at(direction * 1.0, np.zeros(3), self._roll(rng))
        base = _distance(self.config, rng)
        placed: list[tuple[Array, float]] = []
        items: list[Item] = []
        for item in [*self._targets(rng), *self._distractors(rng, int(rng.integers(1, 9)))]:
            reach = _reach(self.library, item)
            at = _free_place(camera, base, self.config.distance, placed, reach, rng)
            placed.append((at, reach))
            turn = world_from_cam[:3, :3] @ rotation_from_quaternion(rng.normal(size=4))
            pose = make(_upright(rng) if level and item.obj_id else turn, apply(world_from_cam, at[None])[0])
            items.append(self.painter.painted(replace(item, world_from_item=pose), rng))
        far = max(float(at[2]) for at, _ in placed) + rng.uniform(0.2, 1.0)
        items += self._behind(camera, world_from_cam, far, rng)
        wall = [self.painter.wall(world_from_cam, far, rng)] if rng.random() < 0.45 else []
        focus = (world_from_cam @ [0, 0, base, 1.0])[:3]
        return Scene(camera, world_from_cam, (*items, *wall), decor.lights(rng, focus), self.painter.backdrop(rng),
                     focus=focus, radius=0.35 + 0.3 * base)

    def _behind(self, camera: Camera, world_from_cam: Array, far: float, rng: np.random.Generator) -> list[Item]:
        """Things farther away than anything that is looked for, none in a tidy scene."""
        items = []
        for item in self._distractors(rng, int(rng.integers(3, 16)) if rng.random() < _UNTIDY else 0):
            item = _grown(item, rng.uniform(0, 1.2))
            pixel = rng.uniform(-0.05, 1.05, 2) * [camera.width, camera.height]
            at = np.append((pixel - camera.K[:2, 2]) / np.diag(camera.K)[:2], 1.0) * (far - rng.uniform(0.0, 0.1))
            pose = world_from_cam @ make(rotation_from_quaternion(rng.normal(size=4)), at)
            items.append(self.painter.painted(replace(item, world_from_item=pose), rng))
        return items

    def _targets(self, rng: np.random.Generator) -> list[Item]:
        """4 to 8 of the objects (all of a small set), some of them twice; those in focus always."""
        numbers = list(self.library.objects)
        count = min(int(rng.integers(4, _MOST_TARGETS + 1)), max(2 * len(numbers) - 1, 1))
        pool = rng.permutation(numbers * 2 if rng.random() < 0.3 or len(numbers) < 4 else numbers)
        focus = self.config.focus
        chosen = [*focus, *(number for number in pool if number not in focus)][:max(count, len(focus))]
        return [Item(f"obj/{number}", np.eye(4), obj_id=int(number)) for number in chosen]

    def _distractors(self, rng: np.random.Generator, count: int) -> list[Item]:
        items = []
        for _ in range(count):
            if self.library.extras and rng.random() < 0.35:
                items.append(Item(f"extra/{rng.integers(len(self.library.extras))}", np.eye(4)))
            else:
                size = float(np.exp(rng.uniform(-0.5, 0.3)))
                items.append(Item(f"shape/{rng.integers(decor.SHAPES)}", np.eye(4), scale=(size, size, size)))
        return items

    def _roll(self, rng: np.random.Generator) -> float:
        level = max(_LEVEL, self.config.standing or 0.0)
        return float(rng.normal(0, 0.25) if rng.random() < level else rng.uniform(-np.pi, np.pi))

    def _in_front(self, scene: Scene, rng: np.random.Generator) -> list[Item]:
        """Things between the camera and some of the objects."""
        targets = [item for item in scene.targets if _depth(scene, item) > 0.25]
        if not targets or rng.random() > 0.35:
            return []
        hiding = []
        for item in self._distractors(rng, int(rng.integers(1, 3))):
            target = targets[rng.integers(len(targets))]
            model: ObjectModel = self.library.objects[target.obj_id]
            at = (scene.cam_from_world @ target.world_from_item)[:3, 3]
            nearer = rng.uniform(0.45, 0.85)
            size = float(model.diameter * rng.uniform(0.3, 0.7) * nearer / _reach(self.library, item) / 2)
            at = at * nearer + np.append(rng.normal(0, 0.45, 2) * model.diameter * nearer, 0)
            pose = scene.world_from_cam @ make(rotation_from_quaternion(rng.normal(size=4)), at)
            x, y, z = item.scale
            sized = replace(item, world_from_item=pose, scale=(x * size, y * size, z * size))
            hiding.append(self.painter.painted(sized, rng))
        return hiding


def _camera(config: SynthConfig, rng: np.random.Generator) -> Camera:
    """The configured camera, its focal length and principal point shifted a little."""
    K, width, height = config.camera.K.copy(), config.camera.width, config.camera.height
    zoom = np.exp(rng.uniform(-config.jitter, config.jitter))
    K[0, 0] *= zoom
    K[1, 1] *= zoom * (1 + 0.1 * config.jitter * rng.uniform(-1, 1))
    K[:2, 2] += 0.2 * config.jitter * rng.uniform(-1, 1, 2) * [width, height]
    return Camera(K, width, height)


def _distance(config: SynthConfig, rng: np.random.Generator) -> float:
    near, far = config.distance
    return float(rng.uniform(near, far))


def _stood(things: list[Item], bodies: list[Body], share: float, rng: np.random.Generator
           ) -> tuple[list[Item], list[Body]]:
    """A share of the objects stands, whatever falls beside them; these come first, so that they stand on the table."""
    steady = [item.obj_id > 0 and rng.random() < share for item in things]
    order = sorted(range(len(things)), key=lambda number: not steady[number])
    return [things[number] for number in order], [
        replace(bodies[number], upright=True, steady=True) if steady[number] else bodies[number] for number in order]


def _upright(rng: np.random.Generator) -> Array:
    """A rotation (3x3) that leaves z upwards, but for some ten degrees."""
    return rotation_from_vector([*rng.normal(0, 0.1, 2), 0]) @ rotation_from_vector([0, 0, rng.uniform(-np.pi, np.pi)])


def _direction(rng: np.random.Generator, lowest: float) -> Array:
    """A direction on the sphere, its height above `lowest`."""
    height, turn = rng.uniform(lowest, 0.98), rng.uniform(0, 2 * np.pi)
    flat = np.sqrt(1 - height**2)
    return np.array([flat * np.cos(turn), flat * np.sin(turn), height])


def _grown(item: Item, log_size: float) -> Item:
    """A made shape in another size; a mesh of something real keeps its own."""
    if not item.shape.startswith("shape/"):
        return item
    x, y, z = (float(np.exp(log_size)) * part for part in item.scale)
    return replace(item, scale=(x, y, z))


def _reach(library: Library, item: Item) -> float:
    return float(np.linalg.norm(library.mesh(item.shape).vertices * item.scale, axis=1).max())


def _depth(scene: Scene, item: Item) -> float:
    return float(apply(scene.cam_from_world, item.world_from_item[None, :3, 3])[0, 2])


def _free_place(camera: Camera, base: float, limits: tuple[float, float], placed: list[tuple[Array, float]],
                reach: float, rng: np.random.Generator) -> Array:
    """A place in view (some way past the border too), in the camera frame, that does not lie inside another thing."""
    at = np.zeros(3)
    for _ in range(12):
        z = float(np.clip(base * np.exp(rng.normal(0, 0.2)), max(limits[0], 1.5 * reach), max(limits[1], 1.5 * reach)))
        pixel = rng.uniform(-0.06, 1.06, 2) * [camera.width, camera.height]
        at = np.append((pixel - camera.K[:2, 2]) / np.diag(camera.K)[:2], 1.0) * z
        if all(np.linalg.norm(at - other) > 0.6 * (reach + its) for other, its in placed):
            break
    return at
