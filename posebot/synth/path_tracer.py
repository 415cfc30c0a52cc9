"""Path tracing: photorealistic images by Mitsuba 3, about a second each on two cores, faster with CUDA.

Renders the same scenes as the raster renderer. Everything is set up in the camera frame, with y stretched by fy / fx,
as Mitsuba's cameras have square pixels: any K is reproduced exactly, and 1 % of stretch is not visible in the shading.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array, apply
from posebot.synth.assets import AssetLibrary
from posebot.synth.camera_effects import apply_blur_and_noise, tone_map
from posebot.synth.mitsuba_runtime import load_mitsuba
from posebot.synth.opengl import triangle_corners
from posebot.synth.scene import Item, Light, Material, Scene


class PathTracer:
    """Renders scenes by light transport simulation.

    Args:
        library: meshes and textures. samples: paths per pixel. depth: maximum number of bounces.
        threads: CPU threads; 0: all.

    Raises:
        UnavailableError: Mitsuba finds neither a GPU nor a usable LLVM.
    """

    def __init__(self, library: AssetLibrary, samples: int = 16, depth: int = 4, threads: int = 0) -> None:
        self.library, self.samples, self.depth = library, samples, depth
        self.mi = load_mitsuba(threads)
        self._corners: dict[str, NDArray[np.float32]] = {}

    def render(self, scene: Scene) -> NDArray[np.uint8]:
        """RGB, uint8 (H, W, 3), with blur and noise of the camera. Deterministic on one machine."""
        mi, camera = self.mi, scene.camera
        cam_from_world = np.diag([1, camera.K[1, 1] / camera.K[0, 0], 1, 1]) @ scene.cam_from_world
        parts: dict[str, Any] = {"type": "scene", "sensor": self._sensor(scene),
                                 "environment": self._environment(scene),
                                 "integrator": {"type": "path", "max_depth": self.depth, "hide_emitters": True}}
        for number, light in enumerate(scene.lights):
            parts[f"light{number}"] = _area_light(light, cam_from_world, scene.focus)
        for number, item in enumerate(scene.items):
            parts[f"item{number}"] = self._mesh(item, cam_from_world, number)
        image = mi.render(mi.load_dict(parts), spp=self.samples, seed=scene.camera_effects.noise_seed % 2**31)
        pixels = np.array(image, dtype=np.float32)
        cover = np.clip(pixels[..., 3:], 0, 1)
        light = np.maximum(pixels[..., :3], 0) + (1 - cover) * self._background(scene)
        return apply_blur_and_noise(tone_map(light, scene.camera_effects), scene.camera_effects)

    def _sensor(self, scene: Scene) -> dict[str, Any]:
        camera = scene.camera
        K, width, height = camera.K, camera.width, camera.height
        offset = 0.5 - (K[:2, 2] + 0.5) / [width, height]  # from the principal point to the image centre
        rotation = self.mi.ScalarTransform4f(np.diag([-1.0, -1.0, 1.0, 1.0]))  # Mitsuba: x left, y up
        return {"type": "perspective", "fov_axis": "x", "fov": float(np.rad2deg(2 * np.arctan(width / 2 / K[0, 0]))),
                "principal_point_offset_x": float(offset[0]), "principal_point_offset_y": float(offset[1]),
                "near_clip": 0.01, "far_clip": 100.0, "to_world": rotation,
                "film": {"type": "hdrfilm", "width": width, "height": height, "pixel_format": "rgba",
                         "rfilter": {"type": "box"}},
                "sampler": {"type": "multijitter"}}

    def _environment(self, scene: Scene) -> dict[str, Any]:
        """Environment light: the blurred environment map, scaled to the brightness of sky and ground."""
        import cv2

        name = scene.background.environment_map or scene.background.texture
        image = cv2.resize(self.library.texture(name), (64, 32), interpolation=cv2.INTER_AREA)
        light = (image.astype(np.float32) / 255) ** 2
        tint = light.mean(axis=(0, 1))
        light /= np.maximum(0.9 * tint + 0.1 * tint.mean(), 0.02)  # limits the colour cast
        height = np.cos(np.linspace(0, np.pi, 32))[:, None, None] * 0.5 + 0.5
        light *= np.asarray(scene.background.ground) * (1 - height) + np.asarray(scene.background.sky) * height
        world_from_map = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])  # the map has y up
        rotation = self.mi.ScalarTransform4f(_rotation_only(scene.cam_from_world) @ world_from_map)
        bitmap = self.mi.Bitmap(np.ascontiguousarray(light, dtype=np.float32))
        return {"type": "envmap", "bitmap": bitmap, "to_world": rotation}

    def _mesh(self, item: Item, cam_from_world: Array, number: int) -> Any:
        mi = self.mi
        corners = self._triangle_corners(item.shape)
        count, material = len(corners), item.material
        points = apply(cam_from_world @ item.world_from_mesh, corners[:, :3])
        normals = corners[:, 3:6] / np.asarray(item.scale) @ (cam_from_world @ item.world_from_item)[:3, :3].T
        properties = mi.Properties()
        properties["bsdf"] = mi.load_dict(self._surface(material))
        mesh = mi.Mesh(f"item{number}", count, count // 3, has_vertex_normals=True, has_vertex_texcoords=True,
                       props=properties)
        colors = self._colors(item, corners)
        mesh.add_attribute("vertex_color", 3, np.ravel(colors).astype(np.float32))
        fields = mi.traverse(mesh)
        fields["faces"] = mi.UInt32(np.arange(count, dtype=np.uint32))
        fields["vertex_positions"] = mi.Float(np.ravel(points).astype(np.float32))
        fields["vertex_normals"] = mi.Float(np.ravel(normals).astype(np.float32))
        fields["vertex_texcoords"] = mi.Float(np.ravel(_texcoords(item, corners)).astype(np.float32))
        fields.update()
        return mesh

    def _colors(self, item: Item, corners: NDArray[np.float32]) -> NDArray[np.float32]:
        """Linear colours (N, 3) of an untextured mesh; a modulating texture is sampled at the corners."""
        material, colors = item.material, corners[:, 6:9]
        if material.modulation:
            image = self.library.texture(material.texture or "")
            size = np.array(image.shape[1::-1])
            at = np.floor(_texcoords(item, corners) * size).astype(int) % size
            light = ((image[at[:, 1], at[:, 0]] / 255.0) ** 2).mean(axis=1, keepdims=True)
            colors = colors * (1 + material.modulation * (np.minimum(4 * light, 3) - 1))
        return np.asarray(_scale_saturation(colors, material.saturation) * np.asarray(material.color), np.float32)

    def _triangle_corners(self, shape: str) -> NDArray[np.float32]:
        if shape not in self._corners:
            self._corners[shape] = triangle_corners(self.library.mesh(shape))
        return self._corners[shape]

    def _surface(self, material: Material) -> dict[str, Any]:
        if material.texture is None or material.modulation:
            color: dict[str, Any] = {"type": "mesh_attribute", "name": "vertex_color"}
        else:
            stored = self.library.texture(material.texture).astype(np.float32) / 255
            linear = _scale_saturation(stored**2, material.saturation) * np.asarray(material.color, np.float32)
            bitmap = self.mi.Bitmap(np.ascontiguousarray(np.minimum(linear, 1.0), dtype=np.float32))
            color = {"type": "bitmap", "bitmap": bitmap, "raw": True}
        return {"type": "twosided", "bsdf": {"type": "principled", "base_color": color, "specular": 0.5,
                                             "roughness": max(material.roughness, 0.08), "metallic": material.metallic}}

    def _background(self, scene: Scene) -> NDArray[np.float32]:
        """The background image, cropped to the view, linear (H, W, 3)."""
        import cv2

        image = self.library.texture(scene.background.texture)
        height, width = image.shape[:2]
        x0, y0, x1, y1 = scene.background.window
        across = (x0 + (np.arange(scene.camera.width) + 0.5) / scene.camera.width * (x1 - x0)) * width - 0.5
        down = (y0 + (np.arange(scene.camera.height) + 0.5) / scene.camera.height * (y1 - y0)) * height - 0.5
        columns, rows = np.meshgrid(across.astype(np.float32), down.astype(np.float32))
        sampled = cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        return np.asarray((sampled / np.float32(255)) ** 2 * np.float32(scene.background.gain), np.float32)


def _area_light(light: Light, cam_from_world: Array, focus: Array) -> dict[str, Any]:
    """A spherical area light with irradiance `light.color` at the focus, as in the raster renderer."""
    radius = max(light.size, 0.03)
    distance = float(np.linalg.norm(light.position - focus))
    radiance = np.asarray(light.color) * (distance / radius) ** 2
    return {"type": "sphere", "center": apply(cam_from_world, light.position[None])[0].tolist(), "radius": radius,
            "emitter": {"type": "area", "radiance": {"type": "rgb", "value": radiance.tolist()}}}


def _texcoords(item: Item, corners: NDArray[np.float32]) -> NDArray[np.float32]:
    """Texture coordinates (N, 2): by uv, or projected along the dominant axis of each face normal."""
    if item.material.tiling is None:
        return corners[:, 9:11]
    local = corners[:, :3] * np.asarray(item.scale, np.float32) * np.float32(item.material.tiling)
    faces = corners[:, :3].reshape(-1, 3, 3)
    axis = np.argmax(np.abs(np.cross(faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0])), axis=1).repeat(3)
    pairs = np.array([[1, 2], [0, 2], [0, 1]])[axis]
    return np.asarray(np.take_along_axis(local, pairs, axis=1), np.float32)


def _scale_saturation(linear: NDArray[np.floating[Any]], factor: float) -> NDArray[np.floating[Any]]:
    """Scale the saturation of linear colours (..., 3)."""
    grey = linear.mean(axis=-1, keepdims=True)
    return np.asarray(np.maximum(grey + factor * (linear - grey), 0))


def _rotation_only(transform: Array) -> Array:
    rotation = np.eye(4)
    rotation[:3, :3] = transform[:3, :3]
    return rotation
