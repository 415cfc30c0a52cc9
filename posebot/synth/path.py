"""The path renderer: photographic pictures by Mitsuba 3, about a second each on two cores, faster with CUDA.

It takes the same scenes as the raster renderer. All is set up in the camera's frame, y stretched by fy / fx, because
Mitsuba's camera has square pixels: any K is met exactly, and 1 % of stretch does not show in the shading.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import UnavailableError
from posebot.core.transforms import Array, apply
from posebot.synth.gl import vertices
from posebot.synth.library import Library
from posebot.synth.optics import develop, expose
from posebot.synth.scene import Item, Light, Material, Scene

_LLVM_PLACES = ("/usr/lib/*/libLLVM*{0}*.so*", "/usr/lib/llvm-{0}/lib/libLLVM*.so*", "/usr/lib64/libLLVM*{0}*.so*")
_LLVM_VERSIONS = (19, 20, 18, 17)  # 14 to 16 fail with "Cannot select"


class PathRenderer:
    """Pictures of scenes by light transport.

    Args:
        library: meshes and textures. samples: light paths a pixel. depth: most bounces. threads: of the CPU; 0: all.
    Raises:
        InputError: Mitsuba finds neither a GPU nor a working LLVM.
    """

    def __init__(self, library: Library, samples: int = 16, depth: int = 4, threads: int = 0) -> None:
        self.library, self.samples, self.depth = library, samples, depth
        self.mi = load_mitsuba(threads)
        self._corners: dict[str, NDArray[np.float32]] = {}

    def picture(self, scene: Scene) -> NDArray[np.uint8]:
        """uint8 (H, W, 3), red first, with the optics' blur and noise. Deterministic on one machine."""
        mi, camera = self.mi, scene.camera
        cam_from_world = np.diag([1, camera.K[1, 1] / camera.K[0, 0], 1, 1]) @ scene.cam_from_world
        parts: dict[str, Any] = {"type": "scene", "sensor": self._sensor(scene), "surroundings": self._around(scene),
                                 "integrator": {"type": "path", "max_depth": self.depth, "hide_emitters": True}}
        for number, light in enumerate(scene.lights):
            parts[f"light{number}"] = _lamp(light, cam_from_world, scene.focus)
        for number, item in enumerate(scene.items):
            parts[f"item{number}"] = self._mesh(item, cam_from_world, number)
        image = mi.render(mi.load_dict(parts), spp=self.samples, seed=scene.optics.noise_seed % 2**31)
        pixels = np.array(image, dtype=np.float32)
        cover = np.clip(pixels[..., 3:], 0, 1)
        light = np.maximum(pixels[..., :3], 0) + (1 - cover) * self._backdrop(scene)
        return expose(develop(light, scene.optics), scene.optics)

    def _sensor(self, scene: Scene) -> dict[str, Any]:
        camera = scene.camera
        K, width, height = camera.K, camera.width, camera.height
        offset = 0.5 - (K[:2, 2] + 0.5) / [width, height]  # Mitsuba counts from the principal point to the middle
        turn = self.mi.ScalarTransform4f(np.diag([-1.0, -1.0, 1.0, 1.0]))  # Mitsuba: x left, y up
        return {"type": "perspective", "fov_axis": "x", "fov": float(np.rad2deg(2 * np.arctan(width / 2 / K[0, 0]))),
                "principal_point_offset_x": float(offset[0]), "principal_point_offset_y": float(offset[1]),
                "near_clip": 0.01, "far_clip": 100.0, "to_world": turn,
                "film": {"type": "hdrfilm", "width": width, "height": height, "pixel_format": "rgba",
                         "rfilter": {"type": "box"}},
                "sampler": {"type": "multijitter"}}

    def _around(self, scene: Scene) -> dict[str, Any]:
        """Light from all around: the surroundings' picture, blurred, as bright as sky and ground are to be."""
        import cv2

        name = scene.backdrop.surroundings or scene.backdrop.picture
        picture = cv2.resize(self.library.texture(name), (64, 32), interpolation=cv2.INTER_AREA)
        light = (picture.astype(np.float32) / 255) ** 2
        tint = light.mean(axis=(0, 1))
        light /= np.maximum(0.9 * tint + 0.1 * tint.mean(), 0.02)  # a red room does not paint all things red
        height = np.cos(np.linspace(0, np.pi, 32))[:, None, None] * 0.5 + 0.5
        light *= np.asarray(scene.backdrop.ground) * (1 - height) + np.asarray(scene.backdrop.sky) * height
        world_from_map = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])  # the map's up is y
        turn = self.mi.ScalarTransform4f(_rotation(scene.cam_from_world) @ world_from_map)
        bitmap = self.mi.Bitmap(np.ascontiguousarray(light, dtype=np.float32))
        return {"type": "envmap", "bitmap": bitmap, "to_world": turn}

    def _mesh(self, item: Item, cam_from_world: Array, number: int) -> Any:
        mi = self.mi
        corners = self._corner_table(item.shape)
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
        """Linear colours (N, 3) of a mesh without print; what wears it is as fine here as its corners lie."""
        material, colors = item.material, corners[:, 6:9]
        if material.wear:
            picture = self.library.texture(material.texture or "")
            size = np.array(picture.shape[1::-1])
            at = np.floor(_texcoords(item, corners) * size).astype(int) % size
            light = ((picture[at[:, 1], at[:, 0]] / 255.0) ** 2).mean(axis=1, keepdims=True)
            colors = colors * (1 + material.wear * (np.minimum(4 * light, 3) - 1))
        return np.asarray(_saturated(colors, material.saturation) * np.asarray(material.color), np.float32)

    def _corner_table(self, shape: str) -> NDArray[np.float32]:
        if shape not in self._corners:
            self._corners[shape] = vertices(self.library.mesh(shape))
        return self._corners[shape]

    def _surface(self, material: Material) -> dict[str, Any]:
        if material.texture is None or material.wear:
            color: dict[str, Any] = {"type": "mesh_attribute", "name": "vertex_color"}
        else:
            stored = self.library.texture(material.texture).astype(np.float32) / 255
            linear = _saturated(stored**2, material.saturation) * np.asarray(material.color, np.float32)
            bitmap = self.mi.Bitmap(np.ascontiguousarray(np.minimum(linear, 1.0), dtype=np.float32))
            color = {"type": "bitmap", "bitmap": bitmap, "raw": True}
        return {"type": "twosided", "bsdf": {"type": "principled", "base_color": color, "specular": 0.5,
                                             "roughness": max(material.roughness, 0.08), "metallic": material.metallic}}

    def _backdrop(self, scene: Scene) -> NDArray[np.float32]:
        """The backdrop's picture, cut and stretched over the view, linear (H, W, 3)."""
        import cv2

        picture = self.library.texture(scene.backdrop.picture)
        height, width = picture.shape[:2]
        x0, y0, x1, y1 = scene.backdrop.window
        across = (x0 + (np.arange(scene.camera.width) + 0.5) / scene.camera.width * (x1 - x0)) * width - 0.5
        down = (y0 + (np.arange(scene.camera.height) + 0.5) / scene.camera.height * (y1 - y0)) * height - 0.5
        columns, rows = np.meshgrid(across.astype(np.float32), down.astype(np.float32))
        seen = cv2.remap(picture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        return np.asarray((seen / np.float32(255)) ** 2 * np.float32(scene.backdrop.gain), np.float32)


def _lamp(light: Light, cam_from_world: Array, focus: Array) -> dict[str, Any]:
    """A glowing ball that gives `light.color` at the focus, as the raster renderer's lamp does."""
    radius = max(light.size, 0.03)
    distance = float(np.linalg.norm(light.position - focus))
    radiance = np.asarray(light.color) * (distance / radius) ** 2
    return {"type": "sphere", "center": apply(cam_from_world, light.position[None])[0].tolist(), "radius": radius,
            "emitter": {"type": "area", "radiance": {"type": "rgb", "value": radiance.tolist()}}}


def _texcoords(item: Item, corners: NDArray[np.float32]) -> NDArray[np.float32]:
    """Texture coordinates (N, 2): the mesh's own, or each face's corners projected along its steepest axis."""
    if item.material.tiling is None:
        return corners[:, 9:11]
    local = corners[:, :3] * np.asarray(item.scale, np.float32) * np.float32(item.material.tiling)
    faces = corners[:, :3].reshape(-1, 3, 3)
    axis = np.argmax(np.abs(np.cross(faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0])), axis=1).repeat(3)
    pairs = np.array([[1, 2], [0, 2], [0, 1]])[axis]
    return np.asarray(np.take_along_axis(local, pairs, axis=1), np.float32)


def _saturated(linear: NDArray[np.floating[Any]], factor: float) -> NDArray[np.floating[Any]]:
    """Linear colours (..., 3), so many times as far from grey."""
    grey = linear.mean(axis=-1, keepdims=True)
    return np.asarray(np.maximum(grey + factor * (linear - grey), 0))


def _rotation(transform: Array) -> Array:
    turn = np.eye(4)
    turn[:3, :3] = transform[:3, :3]
    return turn


def load_mitsuba(threads: int = 0) -> Any:
    """The module, with a GPU variant where there is a GPU, else the CPU's. Raises InputError where neither can work.

    Without a path Dr.Jit takes any LLVM that it finds, and one that is too old ends the process in the first picture.
    """
    library = find_llvm()
    if library is not None:
        os.environ.setdefault("DRJIT_LIBLLVM_PATH", str(library))
    import mitsuba as mi

    problem = "no CUDA driver and no LLVM 17 or newer"
    possible = {"cuda_ad_rgb": _has_cuda(), "llvm_ad_rgb": library is not None}
    for variant in (name for name, here in possible.items() if here):
        try:
            mi.set_variant(variant)
            mi.Float(1.0) + mi.Float([1.0, 2.0])
        except Exception as error:  # Dr.Jit raises bare exceptions
            problem = f"{variant}: {error}"
            continue
        if threads:
            import drjit

            drjit.set_thread_count(threads)
        return mi
    raise UnavailableError("path renderer", f"Mitsuba cannot run ({problem})",
                           "apt-get install libllvm19, or DRJIT_LIBLLVM_PATH=/path/to/libLLVM.so, or --renderer raster")


def find_llvm() -> Path | None:
    """The LLVM library that Dr.Jit can work with: the one the user names, else the best one installed."""
    named = os.environ.get("DRJIT_LIBLLVM_PATH")
    if named:
        return Path(named)
    for version in _LLVM_VERSIONS:
        for place in _LLVM_PLACES:
            found = sorted(Path("/").glob(place.format(version).lstrip("/")))
            if found:
                return found[0]
    return None


def _has_cuda() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True
