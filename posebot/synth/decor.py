"""Looks by chance: materials, table covers, walls, backdrops, lamps, and the camera's exposure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from posebot.core.transforms import Array, make, rotation_from_vector
from posebot.objects.materials import SurfaceMaterial
from posebot.synth.library import Library
from posebot.synth.scene import Backdrop, Color, Item, Light, Material, Optics
from posebot.synth.textures import color

_SATURATION = (-0.5, 0.9)  # log of the factor on an object's own
_WORN = 0.6  # share of the objects without a print that have scratches, labels, dirt
SHAPES, PATTERNS = 400, 400  # how many distractor shapes and patterns there are


class Painter:
    """Gives things of a library their looks. `surfaces`: of the objects, where known."""

    def __init__(self, library: Library, surfaces: Mapping[int, SurfaceMaterial]) -> None:
        self.library, self.surfaces = library, surfaces
        self._hues = [hue for name in library.objects if (hue := self._hue(name)) is not None]

    def painted(self, item: Item, rng: np.random.Generator) -> Item:
        """The item with a material: an object in its own colours, a little off; a distractor in any."""
        if item.obj_id:
            return replace(item, material=self._object(item, rng))
        if item.shape.startswith("extra/"):
            mesh = self.library.mesh(item.shape)
            texture = item.shape if mesh.texture is not None else None
            if texture or mesh.colors is not None:
                return replace(item, material=Material(_tint(rng), texture, None, float(rng.uniform(0.2, 0.9))))
        return replace(item, material=self._anything(rng))

    def _object(self, item: Item, rng: np.random.Generator) -> Material:
        mesh, surface = self.library.mesh(item.shape), self.surfaces.get(item.obj_id)
        roughness, metallic = float(rng.uniform(0.12, 0.95)), 0.0
        if surface is not None:
            metallic = surface.metallic
            if rng.random() < 0.75:
                roughness = float(np.clip(surface.roughness + rng.normal(0, 0.15), 0.05, 1))
        # a mesh's colours are those of another camera and lamp: a scan of bright blue plastic is greyish
        tint = _tint(rng, 0.25, 0.1)
        saturation = float(np.exp(rng.uniform(*_SATURATION)))
        if mesh.texture is not None:
            return Material(tint, item.shape, None, roughness, metallic, saturation)
        if mesh.colors is None:  # a mesh of unknown colour may have any
            tint = _linear(color(rng))
        if rng.random() > _WORN:
            return Material(tint, None, None, roughness, metallic, saturation)
        tiling = float(np.exp(rng.uniform(np.log(2.0), np.log(20.0))))
        return Material(tint, self.texture(rng), tiling, roughness, metallic, saturation, float(rng.uniform(0.05, 0.6)))

    def _anything(self, rng: np.random.Generator) -> Material:
        roughness, metallic = float(rng.uniform(0.08, 1.0)), float(rng.random() < 0.12)
        kind = rng.random()
        if kind < 0.25 and self._hues:  # looks like one of the objects from afar
            hue = np.clip(self._hues[rng.integers(len(self._hues))] * np.exp(rng.normal(0, 0.12, 3)), 0, 1)
            return Material((float(hue[0]), float(hue[1]), float(hue[2])), None, None, roughness, metallic)
        if kind < 0.5:
            return Material(_linear(color(rng)), None, None, roughness, metallic)
        return Material(_tint(rng), self.texture(rng, 0.3), float(rng.uniform(2, 14)), roughness, metallic)

    def texture(self, rng: np.random.Generator, photo_share: float = 0.5) -> str:
        """Name of a photograph or a pattern."""
        if self.library.photos and rng.random() < photo_share:
            return f"photo/{rng.integers(len(self.library.photos))}"
        return f"pattern/{rng.integers(PATTERNS)}"

    def room(self, eye: Array, rng: np.random.Generator) -> list[Item]:
        """A table, and sometimes walls behind it, never between it and the eye."""
        side = np.exp(rng.uniform(np.log(0.7), np.log(4.0), 2))
        turn = make(rotation_from_vector([0, 0, rng.uniform(0, np.pi)]))
        tiling = float(np.exp(rng.uniform(np.log(0.3), np.log(4.0))))
        cover = Material(self._cover(rng), self.texture(rng, 0.6), tiling, float(rng.uniform(0.15, 1.0)))
        items = [Item("quad", turn, cover, scale=(float(side[0]), float(side[1]), 1.0))]
        for number in range(int(rng.choice([0, 0, 1, 2]))):
            upright = turn @ make(rotation_from_vector([0, 0, number * np.pi / 2])) @ make(
                rotation_from_vector([np.pi / 2, 0, 0]), [0, side[1 - number] / 2, 1.0])
            paint = Material(self._cover(rng), self.texture(rng), float(rng.uniform(0.3, 2.0)), 0.9)
            behind = upright[:3, 3] - [0, 0, 1]
            if eye @ behind > 0.95 * behind @ behind:
                continue
            items.append(Item("quad", upright, paint, scale=(float(side[number]), 2.0, 1.0)))
        return items

    def papers(self, count: int, around: Array, spread: float, rng: np.random.Generator) -> list[Item]:
        """Flat things on the table: sheets, cards, markers, magazines. A later one lies on those before it."""
        items = []
        for number in range(count):
            width, length = np.exp(rng.uniform(np.log(0.02), np.log(0.25), 2))
            place = [*(around[:2] + rng.normal(0, spread, 2)), 0.0004 * (number + 1)]
            pose = make(rotation_from_vector([0, 0, rng.uniform(-np.pi, np.pi)]), place)
            tiling, roughness = float(rng.uniform(1, 10)), float(rng.uniform(0.2, 1))
            cover = Material(self._cover(rng), self.texture(rng, 0.4), tiling, roughness)
            items.append(Item("quad", pose, cover, scale=(float(width), float(length), 1.0)))
        return items

    def wall(self, world_from_cam: Array, distance: float, rng: np.random.Generator) -> Item:
        """A slanted wall across the view."""
        lean = make(rotation_from_vector([*rng.normal(0, 0.35, 2), rng.uniform(-3, 3)]), [0, 0, distance])
        tiling, roughness = float(np.exp(rng.uniform(-1.2, 1.2))), float(rng.uniform(0.3, 1))
        cover = Material(self._cover(rng), self.texture(rng, 0.6), tiling, roughness)
        side = float(4.0 * distance)
        return Item("quad", world_from_cam @ lean, cover, scale=(side, side, 1.0))

    def backdrop(self, rng: np.random.Generator) -> Backdrop:
        """A cut of a photograph or pattern, and the light from all around."""
        size = rng.uniform(0.35, 1.0)
        x, y = rng.uniform(0, 1 - size, 2)
        left, right = (x, x + size) if rng.random() < 0.5 else (x + size, x)
        ambient = np.exp(rng.uniform(np.log(0.03), np.log(0.6)))
        sky = ambient * np.exp(rng.normal(0, 0.12, 3))
        ground = ambient * rng.uniform(0.1, 0.9) * np.exp(rng.normal(0, 0.25, 3))  # what the table throws back
        return Backdrop(self.texture(rng, 0.75), (float(left), float(y), float(right), float(y + size)),
                        float(rng.uniform(0.5, 1.3)), self.texture(rng, 0.8), _color(sky), _color(ground),
                        float(rng.uniform(0.4, 1.6)))

    def _cover(self, rng: np.random.Generator) -> Color:
        return _tint(rng) if rng.random() < 0.6 else _linear(0.3 + 0.7 * color(rng))

    def _hue(self, number: int) -> Array | None:
        colors = self.library.mesh(f"obj/{number}").colors
        return None if colors is None else (np.median(colors, axis=0) / 255.0) ** 2


def lights(rng: np.random.Generator, focus: Array) -> tuple[Light, ...]:
    """One to four lamps above; the first is usually the strongest."""
    strength = rng.uniform(0.35, 1.6)
    lamps = []
    for _ in range(int(rng.integers(1, 5))):
        turn, height = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 1.0)
        flat = np.sqrt(1 - height**2)
        place = focus + np.array([flat * np.cos(turn), flat * np.sin(turn), height]) * rng.uniform(0.9, 3.0)
        warm = rng.normal(0, 0.2)
        lamps.append(Light(place, _color(strength * np.exp([warm, 0, -warm])), float(rng.uniform(0.01, 0.25))))
        strength *= rng.uniform(0.2, 0.8)
    return tuple(lamps)


def optics(rng: np.random.Generator) -> Optics:
    """Exposure, white balance, contrast, vignette, blur, noise."""
    gains = np.exp(rng.normal(-0.05, 0.3)) * np.exp(rng.normal(0, 0.05, 3))
    motion = float(rng.uniform(2, 6)) if rng.random() < 0.12 else 0.0
    noise = float(np.exp(rng.uniform(np.log(0.003), np.log(0.025))))
    return Optics(_color(gains), float(np.exp(rng.uniform(np.log(0.8), np.log(1.5)))), float(rng.uniform(0, 0.4)),
                  float(rng.uniform(0.35, 1.0)), motion, float(rng.uniform(0, np.pi)), noise, int(rng.integers(2**31)))


def _tint(rng: np.random.Generator, brightness: float = 0.12, hue: float = 0.04) -> Color:
    return _color(np.exp(rng.normal(-0.05, brightness)) * np.exp(rng.normal(0, hue, 3)))


def _linear(stored: Array) -> Color:
    return _color(stored**2)


def _color(values: Array) -> Color:
    return float(values[0]), float(values[1]), float(values[2])
