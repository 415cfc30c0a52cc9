"""Scene description for renderers, as plain data. World frame: z up, metres; the table top is z = 0.

Meshes and textures are referenced by name; an `AssetLibrary` (`assets.py`) resolves them. A scene is independent of the
renderer and is determined by a seed.
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
    """Material of a surface (metallic-roughness).

    Attributes:
        color: linear RGB, multiplied with vertex colours and texture. texture: name, or None.
        tiling: None: the texture is mapped by the mesh's uv. Otherwise repeats per metre of a triplanar projection.
        roughness: 0 (mirror) .. 1 (matte). metallic: 0 or 1. saturation: factor on the saturation of the own colours.
        modulation: 0: `texture` is the surface texture. Above: strength, up to 1, with which luminance of the projected
        texture modulates the own colours (scratches, dirt).
    """

    color: Color = WHITE
    texture: str | None = None
    tiling: float | None = None
    roughness: float = 0.6
    metallic: float = 0.0
    saturation: float = 1.0
    modulation: float = 0.0


@dataclass(frozen=True)
class Item:
    """A mesh instance in the scene.

    Attributes:
        shape: mesh name. world_from_item: 4x4. scale: (3,), applied in the item frame.
        obj_id: object ID to be labelled; 0: scenery or distractor.
    """

    shape: str
    world_from_item: Array
    material: Material = field(default_factory=Material)
    obj_id: int = 0
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def world_from_mesh(self) -> Array:
        """4x4, including the scale; not rigid unless the scale is 1."""
        return self.world_from_item @ np.diag([*self.scale, 1.0])


@dataclass(frozen=True)
class Light:
    """A spherical light.

    Attributes:
        position: world, metres. color: linear RGB irradiance at the focus. size: radius, metres.
    """

    position: Array
    color: Color
    size: float = 0.05


@dataclass(frozen=True)
class Background:
    """Background image and image-based ambient light.

    Attributes:
        texture: background image. window: its visible part (x0, y0, x1, y1), 0..1 (x1 < x0: mirrored). gain: linear.
        environment_map: texture for reflections. sky, ground: linear ambient light from above and below.
        ao_strength: exponent on the ambient occlusion (raster renderer); 0: none, 1: physical, 2: darker.
    """

    texture: str
    window: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    gain: float = 1.0
    environment_map: str = ""
    sky: Color = (0.35, 0.35, 0.35)
    ground: Color = (0.2, 0.2, 0.2)
    ao_strength: float = 0.0


@dataclass(frozen=True)
class CameraEffects:
    """Effects of camera and image processing.

    Attributes:
        gains: exposure and white balance, linear. contrast: about `camera_effects.CONTRAST_PIVOT`. vignette: 0..1.
        blur_px: sigma of the defocus blur. motion_px, motion_angle: motion blur, pixels and radians.
        noise: standard deviation, 0..1. noise_seed: of the noise.
    """

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
    """A scene and the camera that renders it.

    Attributes:
        camera: intrinsics. world_from_cam: 4x4. items, lights: the first light casts shadows.
        focus, radius: bounding sphere of the region of interest, for shadow maps.
    """

    camera: Camera
    world_from_cam: Array
    items: tuple[Item, ...]
    lights: tuple[Light, ...]
    background: Background
    camera_effects: CameraEffects = field(default_factory=CameraEffects)
    focus: Array = field(default_factory=lambda: np.zeros(3))
    radius: float = 0.5

    @property
    def cam_from_world(self) -> Array:
        """4x4, inverse of world_from_cam."""
        return inverse(self.world_from_cam)

    @property
    def targets(self) -> list[Item]:
        """The items to be labelled, in the order of their labels."""
        return [item for item in self.items if item.obj_id > 0]

    def with_camera_pose(self, world_from_cam: Array) -> Scene:
        """The same scene from another camera pose."""
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
