"""Random placement: cameras, directions, sizes and free positions of items in a scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from posebot.core.camera import Camera
from posebot.core.transforms import Array, apply, rotation_from_vector
from posebot.synth.assets import AssetLibrary
from posebot.synth.config import SynthConfig
from posebot.synth.physics import Body
from posebot.synth.scene import Item, Scene


def random_camera(config: SynthConfig, rng: np.random.Generator) -> Camera:
    """The configured camera with a random focal length and principal point."""
    K, width, height = config.camera.K.copy(), config.camera.width, config.camera.height
    focal_scale = np.exp(rng.uniform(-config.jitter, config.jitter))
    K[0, 0] *= focal_scale
    K[1, 1] *= focal_scale * (1 + 0.1 * config.jitter * rng.uniform(-1, 1))
    K[:2, 2] += 0.2 * config.jitter * rng.uniform(-1, 1, 2) * [width, height]
    return Camera(K, width, height)


def random_distance(config: SynthConfig, rng: np.random.Generator) -> float:
    """A random object distance, metres in a scene of the kit's size."""
    near, far = config.scene_distance
    return float(rng.uniform(near, far))


def place_upright_first(
    items: list[Item], bodies: list[Body], share: float, rng: np.random.Generator
) -> tuple[list[Item], list[Body]]:
    """Keep a random share of the objects upright; they are dropped first, so that they are on the table."""
    keep_upright = [item.obj_id > 0 and rng.random() < share for item in items]
    order = sorted(range(len(items)), key=lambda number: not keep_upright[number])
    return [items[number] for number in order], [
        replace(bodies[number], upright=True, keep_upright=True) if keep_upright[number] else bodies[number]
        for number in order]


def random_upright_rotation(rng: np.random.Generator) -> Array:
    """A random rotation (3, 3) about z, with a tilt of some degrees."""
    return rotation_from_vector([*rng.normal(0, 0.1, 2), 0]) @ rotation_from_vector([0, 0, rng.uniform(-np.pi, np.pi)])


def random_direction(rng: np.random.Generator, min_height: float) -> Array:
    """A random unit vector with z above `min_height`."""
    height, rotation = rng.uniform(min_height, 0.98), rng.uniform(0, 2 * np.pi)
    flat = np.sqrt(1 - height**2)
    return np.array([flat * np.cos(rotation), flat * np.sin(rotation), height])


def rescaled(item: Item, log_size: float) -> Item:
    """A procedural mesh in another size; scanned meshes keep theirs."""
    if not item.shape.startswith("shape/"):
        return item
    x, y, z = (float(np.exp(log_size)) * part for part in item.scale)
    return replace(item, scale=(x, y, z))


def bounding_radius(library: AssetLibrary, item: Item) -> float:
    """Radius of the bounding sphere about the origin of an item, metres."""
    return float(np.linalg.norm(library.mesh(item.shape).vertices * item.scale, axis=1).max())


def item_depth(scene: Scene, item: Item) -> float:
    """Depth (z in the camera frame) of the origin of an item, metres."""
    return float(apply(scene.cam_from_world, item.world_from_item[None, :3, 3])[0, 2])


def free_position(camera: Camera, base: float, limits: tuple[float, float], placed: list[tuple[Array, float]],
                extent: float, rng: np.random.Generator) -> Array:
    """A position (3,) in the camera frame, inside or near the view frustum, that is not inside another item."""
    at = np.zeros(3)
    for _ in range(12):
        near, far = max(limits[0], 1.5 * extent), max(limits[1], 1.5 * extent)
        z = float(np.clip(base * np.exp(rng.normal(0, 0.2)), near, far))
        pixel = rng.uniform(-0.06, 1.06, 2) * [camera.width, camera.height]
        at = np.append((pixel - camera.K[:2, 2]) / np.diag(camera.K)[:2], 1.0) * z
        if all(np.linalg.norm(at - other) > 0.6 * (extent + other_extent) for other, other_extent in placed):
            break
    return at
