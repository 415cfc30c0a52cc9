"""Scene: all that a renderer needs to know, as plain data. World frame: z up, metres; the table top is z = 0.

Shapes and textures are names; a `Library` (see `library.py`) turns them into arrays. The same scene can be given to any
renderer and to the labeller, and a scene follows from a seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from posebot.core.camera import Camera
from posebot.core.transforms import Array, inverse

Color = tuple[float, float, float]
WHITE: Color = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Material:
    """How a surface looks.

    Attributes:
        color: linear RGB, multiplied with vertex colours and texture. texture: name, or None.
        tiling: None: the texture lies at the mesh's own uv. Else repeats per metre, projected along the three axes.
        roughness: 0 mirror .. 1 dull. metallic: 0 or 1.
        saturation: factor on how far the surface's own colours are from grey. wear: 0: `texture` is the surface's
        print; above: what the texture's lights and darks, projected, do to the surface's own colours, 1 at most.
    """

    color: Color = WHITE
    texture: str | None = None
    tiling: float | None = None
    roughness: float = 0.6
    metallic: float = 0.0
    saturation: float = 1.0
    wear: float = 0.0


@dataclass(frozen=True)
class Item:
    """One thing in the scene.

    Attributes:
        shape: mesh name. world_from_item: 4x4. scale: (3,) applied in the item's frame.
        obj_id: number of the object model to be labelled; 0: scenery or distractor.
    """

    shape: str
    world_from_item: Array
    material: Material = field(default_factory=Material)
    obj_id: int = 0
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def world_from_mesh(self) -> Array:
        """4x4 with the scale inside: not rigid unless the scale is 1."""
        return self.world_from_item @ np.diag([*self.scale, 1.0])


@dataclass(frozen=True)
class Light:
    """A lamp. position: world, metres. color: linear RGB of the light that reaches the focus. size: radius, metres."""

    position: Array
    color: Color
    size: float = 0.05


@dataclass(frozen=True)
class Backdrop:
    """What lies behind everything: a picture cut to fill the view, and the light that comes from all around.

    Attributes:
        picture: texture behind all items. window: (x0, y0, x1, y1) of it that is seen, 0..1 (x1 < x0: mirrored).
        gain: linear factor on it. surroundings: texture that glossy things mirror. sky, ground: linear ambient light.
        occlusion: how dark it leaves hollows (raster renderer): 0 as bright as all else, 1 as they are, 2 darker.
    """

    picture: str
    window: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    gain: float = 1.0
    surroundings: str = ""
    sky: Color = (0.35, 0.35, 0.35)
    ground: Color = (0.2, 0.2, 0.2)
    occlusion: float = 0.0


@dataclass(frozen=True)
class Optics:
    """What the camera adds: exposure and white balance (linear gains), contrast (about `optics.PIVOT`), vignette
    0..1, blur and noise."""

    gains: Color = WHITE
    contrast: float = 1.0
    vignette: float = 0.0
    blur_px: float = 0.4
    motion_px: float = 0.0
    motion_angle: float = 0.0
    noise: float = 0.01
    noise_seed: int = 0


@dataclass(frozen=True)
class Scene:
    """One picture to be taken.

    Attributes:
        camera: intrinsics. world_from_cam: 4x4. items, lights: all of them; the first two lights cast shadows.
        focus, radius: sphere that holds what matters, for the lights' shadow maps.
    """

    camera: Camera
    world_from_cam: Array
    items: tuple[Item, ...]
    lights: tuple[Light, ...]
    backdrop: Backdrop
    optics: Optics = field(default_factory=Optics)
    focus: Array = field(default_factory=lambda: np.zeros(3))
    radius: float = 0.5

    @property
    def cam_from_world(self) -> Array:
        return inverse(self.world_from_cam)

    @property
    def targets(self) -> list[Item]:
        """The items to be labelled, in the order of their labels."""
        return [item for item in self.items if item.obj_id > 0]

    def seen_from(self, world_from_cam: Array) -> Scene:
        """The same scene from another place."""
        return replace(self, world_from_cam=world_from_cam)


def look_at(eye: Array, target: Array, roll: float = 0.0) -> Array:
    """world_from_cam (4x4) of a camera at `eye` that looks at `target`; `roll` in radians about the viewing axis."""
    forward = target - eye
    forward = forward / np.linalg.norm(forward)
    side = np.array([1.0, 0.0, 0.0]) if abs(forward[2]) > 0.999 else np.array([0.0, 0.0, 1.0])
    right = np.cross(forward, side)
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    cos, sin = np.cos(roll), np.sin(roll)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2] = cos * right + sin * down, cos * down - sin * right, forward
    pose[:3, 3] = eye
    return pose
