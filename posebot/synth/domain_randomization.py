"""Domain randomisation: random materials, table surfaces, walls, backgrounds, lights and camera effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from posebot.core.transforms import Array, make, rotation_from_vector
from posebot.objects.materials import SurfaceMaterial
from posebot.synth.assets import AssetLibrary
from posebot.synth.procedural_textures import color
from posebot.synth.scene import Background, CameraEffects, Color, Item, Light, Material

_LOG_SATURATION = (-0.5, 0.9)  # range of the log saturation factor of objects
_MODULATION_SHARE = 0.6  # share of untextured objects with texture modulation (scratches, labels, dirt)
SHAPES, PATTERNS = 400, 400  # number of procedural meshes and textures in use


class AppearanceRandomizer:
    """Assigns random materials to the items of a library. `surfaces`: known materials, by object ID."""

    def __init__(self, library: AssetLibrary, surfaces: Mapping[int, SurfaceMaterial]) -> None:
        self.library, self.surfaces = library, surfaces
        medians = (self._median_color(obj_id) for obj_id in library.objects)
        self._object_colors = [median for median in medians if median is not None]

    def randomize(self, item: Item, rng: np.random.Generator) -> Item:
        """The item with a random material: an object near its own colours, a distractor any."""
        if item.obj_id:
            return replace(item, material=self._object_material(item, rng))
        if item.shape.startswith("distractor/"):
            mesh = self.library.mesh(item.shape)
            texture = item.shape if mesh.texture is not None else None
            if texture or mesh.colors is not None:
                return replace(item, material=Material(_tint(rng), texture, None, float(rng.uniform(0.2, 0.9))))
        return replace(item, material=self._distractor_material(rng))

    def _object_material(self, item: Item, rng: np.random.Generator) -> Material:
        """A material near the object's own."""
        mesh, surface = self.library.mesh(item.shape), self.surfaces.get(item.obj_id)
        roughness, metallic = float(rng.uniform(0.12, 0.95)), 0.0
        if surface is not None:
            metallic = surface.metallic
            if rng.random() < 0.75:
                roughness = float(np.clip(surface.roughness + rng.normal(0, 0.15), 0.05, 1))
        # vertex colours depend on the scanner's camera and light: saturated colours come out greyish
        tint = _tint(rng, 0.25, 0.1)
        saturation = float(np.exp(rng.uniform(*_LOG_SATURATION)))
        if mesh.texture is not None:
            return Material(tint, item.shape, None, roughness, metallic, saturation)
        if mesh.colors is None:  # no known colour: any
            tint = _linear(color(rng))
        if rng.random() > _MODULATION_SHARE:
            return Material(tint, None, None, roughness, metallic, saturation)
        tiling = float(np.exp(rng.uniform(np.log(2.0), np.log(20.0))))
        return Material(tint, self.texture(rng), tiling, roughness, metallic, saturation, float(rng.uniform(0.05, 0.6)))

    def _distractor_material(self, rng: np.random.Generator) -> Material:
        """A random material of any kind."""
        roughness, metallic = float(rng.uniform(0.08, 1.0)), float(rng.random() < 0.12)
        kind = rng.random()
        if kind < 0.25 and self._object_colors:  # camouflage: the colour of one of the objects
            median = self._object_colors[rng.integers(len(self._object_colors))]
            similar = np.clip(median * np.exp(rng.normal(0, 0.12, 3)), 0, 1)
            return Material(_color(similar), None, None, roughness, metallic)
        if kind < 0.5:
            return Material(_linear(color(rng)), None, None, roughness, metallic)
        return Material(_tint(rng), self.texture(rng, 0.3), float(rng.uniform(2, 14)), roughness, metallic)

    def texture(self, rng: np.random.Generator, photo_share: float = 0.5) -> str:
        """Name of a random background image or pattern."""
        if self.library.photos and rng.random() < photo_share:
            return f"photo/{rng.integers(len(self.library.photos))}"
        return f"pattern/{rng.integers(PATTERNS)}"

    def table_and_walls(self, eye: Array, rng: np.random.Generator) -> list[Item]:
        """A table top, and sometimes walls foot it, never between it and the eye."""
        side = np.exp(rng.uniform(np.log(0.7), np.log(4.0), 2))
        rotation = make(rotation_from_vector([0, 0, rng.uniform(0, np.pi)]))
        tiling = float(np.exp(rng.uniform(np.log(0.3), np.log(4.0))))
        material = Material(self._surface_color(rng), self.texture(rng, 0.6), tiling, float(rng.uniform(0.15, 1.0)))
        items = [Item("quad", rotation, material, scale=(float(side[0]), float(side[1]), 1.0))]
        for number in range(int(rng.choice([0, 0, 1, 2]))):
            upright = rotation @ make(rotation_from_vector([0, 0, number * np.pi / 2])) @ make(
                rotation_from_vector([np.pi / 2, 0, 0]), [0, side[1 - number] / 2, 1.0])
            paint = Material(self._surface_color(rng), self.texture(rng), float(rng.uniform(0.3, 2.0)), 0.9)
            foot = upright[:3, 3] - [0, 0, 1]
            if eye @ foot > 0.95 * foot @ foot:
                continue
            items.append(Item("quad", upright, paint, scale=(float(side[number]), 2.0, 1.0)))
        return items

    def flat_clutter(self, count: int, center: Array, spread: float, rng: np.random.Generator) -> list[Item]:
        """Flat objects on the table, such as paper, cards and magazines, stacked in order."""
        items = []
        for number in range(count):
            width, length = np.exp(rng.uniform(np.log(0.02), np.log(0.25), 2))
            position = [*(center[:2] + rng.normal(0, spread, 2)), 0.0004 * (number + 1)]
            pose = make(rotation_from_vector([0, 0, rng.uniform(-np.pi, np.pi)]), position)
            tiling, roughness = float(rng.uniform(1, 10)), float(rng.uniform(0.2, 1))
            material = Material(self._surface_color(rng), self.texture(rng, 0.4), tiling, roughness)
            items.append(Item("quad", pose, material, scale=(float(width), float(length), 1.0)))
        return items

    def wall(self, world_from_cam: Array, distance: float, rng: np.random.Generator) -> Item:
        """A slanted wall foot the scene."""
        lean = make(rotation_from_vector([*rng.normal(0, 0.35, 2), rng.uniform(-3, 3)]), [0, 0, distance])
        tiling, roughness = float(np.exp(rng.uniform(-1.2, 1.2))), float(rng.uniform(0.3, 1))
        material = Material(self._surface_color(rng), self.texture(rng, 0.6), tiling, roughness)
        side = float(4.0 * distance)
        return Item("quad", world_from_cam @ lean, material, scale=(side, side, 1.0))

    def background(self, rng: np.random.Generator) -> Background:
        """A random crop of an image or pattern, and ambient light."""
        size = rng.uniform(0.35, 1.0)
        x, y = rng.uniform(0, 1 - size, 2)
        left, right = (x, x + size) if rng.random() < 0.5 else (x + size, x)
        ambient = np.exp(rng.uniform(np.log(0.03), np.log(0.6)))
        sky = ambient * np.exp(rng.normal(0, 0.12, 3))
        ground = ambient * rng.uniform(0.1, 0.9) * np.exp(rng.normal(0, 0.25, 3))  # indirect light from the table
        return Background(self.texture(rng, 0.75), (float(left), float(y), float(right), float(y + size)),
                        float(rng.uniform(0.5, 1.3)), self.texture(rng, 0.8), _color(sky), _color(ground),
                        float(rng.uniform(0.4, 1.6)))

    def _surface_color(self, rng: np.random.Generator) -> Color:
        return _tint(rng) if rng.random() < 0.6 else _linear(0.3 + 0.7 * color(rng))

    def _median_color(self, number: int) -> Array | None:
        colors = self.library.mesh(f"obj/{number}").colors
        return None if colors is None else (np.median(colors, axis=0) / 255.0) ** 2


def lights(rng: np.random.Generator, focus: Array) -> tuple[Light, ...]:
    """One to four lights above the scene, usually in descending order of intensity."""
    strength = rng.uniform(0.35, 1.6)
    result = []
    for _ in range(int(rng.integers(1, 5))):
        azimuth, height = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 1.0)
        flat = np.sqrt(1 - height**2)
        position = focus + np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), height]) * rng.uniform(0.9, 3.0)
        warmth = rng.normal(0, 0.2)
        result.append(Light(position, _color(strength * np.exp([warmth, 0, -warmth])), float(rng.uniform(0.01, 0.25))))
        strength *= rng.uniform(0.2, 0.8)
    return tuple(result)


def camera_effects(rng: np.random.Generator) -> CameraEffects:
    """Random exposure, white balance, contrast, vignetting, blur and noise."""
    gains = np.exp(rng.normal(-0.05, 0.3)) * np.exp(rng.normal(0, 0.05, 3))
    motion = float(rng.uniform(2, 6)) if rng.random() < 0.12 else 0.0
    noise = float(np.exp(rng.uniform(np.log(0.003), np.log(0.025))))
    contrast = float(np.exp(rng.uniform(np.log(0.8), np.log(1.5))))
    vignette, blur, angle = float(rng.uniform(0, 0.4)), float(rng.uniform(0.35, 1.0)), float(rng.uniform(0, np.pi))
    return CameraEffects(_color(gains), contrast, vignette, blur, motion, angle, noise, int(rng.integers(2**31)))


def _tint(rng: np.random.Generator, brightness: float = 0.12, color_value: float = 0.04) -> Color:
    return _color(np.exp(rng.normal(-0.05, brightness)) * np.exp(rng.normal(0, color_value, 3)))


def _linear(stored: Array) -> Color:
    return _color(stored**2)


def _color(values: Array) -> Color:
    return float(values[0]), float(values[1]), float(values[2])
