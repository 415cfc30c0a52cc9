"""Headless OpenGL (moderngl, EGL): contexts, mesh and texture upload, projection; for images and labels."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import UnavailableError
from posebot.core.objects import Mesh
from posebot.core.transforms import Array
from posebot.synth.ambient_occlusion import bake_ambient_occlusion

if TYPE_CHECKING:
    from posebot.synth.assets import AssetLibrary

NEAR, FAR = 0.02, 50.0
_SMOOTH_COSINE = np.cos(np.deg2rad(40.0))


class OpenGLContext:
    """An OpenGL context that uploads meshes and textures of a library on demand. One per process and thread."""

    def __init__(self, library: AssetLibrary) -> None:
        self.library = library
        self.context = _context()
        self._meshes: dict[str, Any] = {}
        self._ambient_occlusion: dict[str, Any] = {}
        self._arrays: dict[tuple[int, str], Any] = {}
        self._textures: dict[str, Any] = {}

    def activate(self) -> None:
        """Make this context current; a process may have several."""
        self.context.__enter__()

    def program(self, vertex: str, fragment: str) -> Any:
        """Compile a shader program."""
        return self.context.program(vertex_shader=vertex, fragment_shader=fragment)

    def mesh(self, shape: str, program: Any) -> Any:
        """Vertex array of a mesh for a shader program."""
        key = (program.glo, shape)
        if key not in self._arrays:
            if shape not in self._meshes:
                corners = triangle_corners(self.library.mesh(shape))
                first, faces = deduplicate_corners(corners)
                buffers = self.context.buffer(corners[first].tobytes()), self.context.buffer(faces.tobytes())
                self._meshes[shape] = *buffers, first
            attributes = [("3f", "in_position"), ("3f", "in_normal"), ("3f", "in_color"), ("2f", "in_uv")]
            layout = " ".join(size if name in program else f"{4 * int(size[0])}x" for size, name in attributes)
            names = [name for _, name in attributes if name in program]
            data, faces, _ = self._meshes[shape]
            parts = [(data, layout, *names)]
            if "in_ao" in program:
                parts.append((self._ao_buffer(shape), "2f", "in_ao"))
            self._arrays[key] = self.context.vertex_array(program, parts, faces)
        return self._arrays[key]

    def _ao_buffer(self, shape: str) -> Any:
        """Ambient occlusion of the vertices of a mesh; computed on first use, as it is slow."""
        if shape not in self._ambient_occlusion:
            mesh, first = self.library.mesh(shape), self._meshes[shape][2]
            values = bake_ambient_occlusion(mesh)[mesh.faces.ravel()[first]]
            self._ambient_occlusion[shape] = self.context.buffer(values.tobytes())
        return self._ambient_occlusion[shape]

    def texture(self, name: str) -> Any:
        """A mipmapped, repeating texture."""
        if name not in self._textures:
            if len(self._textures) > 600:
                self._textures.pop(next(iter(self._textures))).release()
            pixels = np.ascontiguousarray(self.library.texture(name))
            texture = self.context.texture(pixels.shape[1::-1], 3, pixels.tobytes(), alignment=1)
            texture.build_mipmaps()
            texture.filter = (self.context.LINEAR_MIPMAP_NEAREST, self.context.LINEAR)  # cheap
            self._textures[name] = texture
        return self._textures[name]

    def release(self) -> None:
        """Release the context and its resources."""
        self.context.release()


def _context() -> Any:
    os.environ.setdefault("LP_NUM_THREADS", "1")  # software GL: one thread per process, as there are several
    import moderngl

    backends: tuple[dict[str, Any], ...] = (
        {"backend": "egl"}, {"backend": "egl", "libegl": "libEGL.so.1", "libgl": "libGL.so.1"}, {})
    for options in backends:
        try:
            return moderngl.create_context(standalone=True, require=330, **options)
        except Exception as error:  # moderngl raises bare Exception
            problem = error
    raise UnavailableError("OpenGL", f"no headless context ({problem})",
                           "install a driver, or software OpenGL: apt-get install "
                           "libegl1 libegl-mesa0 libgl1-mesa-dri libgl1")


def projection(K: Array, width: int, height: int) -> Array:
    """Projection matrix (4, 4) from the OpenCV camera frame to clip space; row 0 read back is the top of the image.

    Pixel centres are at integers, so u = -0.5 is the left border (NDC -1).
    """
    return np.array([[2 * K[0, 0] / width, 2 * K[0, 1] / width, 2 * (K[0, 2] + 0.5) / width - 1, 0],
                     [0, 2 * K[1, 1] / height, 2 * (K[1, 2] + 0.5) / height - 1, 0],
                     [0, 0, (FAR + NEAR) / (FAR - NEAR), -2 * FAR * NEAR / (FAR - NEAR)], [0, 0, 1, 0.0]])


def gl_matrix(value: Array) -> bytes:
    """A matrix as a GL uniform (column-major float32)."""
    return np.ascontiguousarray(value.T, dtype=np.float32).tobytes()


def triangle_corners(mesh: Mesh) -> NDArray[np.float32]:
    """Corners (3F, 11) of all triangles: position, normal, linear colour, texture coordinates with v down."""
    corners = mesh.faces.ravel()
    count = len(corners)
    color = np.ones((count, 3)) if mesh.colors is None else (mesh.colors[corners] / 255.0) ** 2
    uv = np.zeros((count, 2)) if mesh.uv is None else mesh.uv[corners] * [1, -1] + [0, 1]
    return np.hstack([mesh.vertices[corners], corner_normals(mesh), color, uv]).astype(np.float32)


def deduplicate_corners(corners: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Deduplicate corners (3F, 11): indices (V,) of the unique ones, and the unique index (3F,) of each corner."""
    rows = np.ascontiguousarray(corners.round(5) + 0.0)
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    return first, place.astype(np.int32)


def corner_normals(mesh: Mesh) -> Array:
    """Normals (3F, 3) per corner: smooth where faces meet at less than 40 degrees, sharp elsewhere."""
    from scipy.sparse import csr_array

    triangles = mesh.vertices[mesh.faces]
    area_normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals = area_normals / np.maximum(np.linalg.norm(area_normals, axis=1, keepdims=True), 1e-20)
    _, place = np.unique(mesh.vertices.round(7), axis=0, return_inverse=True)  # merges corners on texture seams
    corners = place.ravel()[mesh.faces.ravel()]
    count = len(corners)
    touch = csr_array((np.ones(count), (np.arange(count), corners)), shape=(count, int(corners.max()) + 1))
    near = (touch @ touch.T).tocoo()
    mine, other = near.row // 3, near.col // 3
    smooth = np.einsum("ij,ij->i", normals[mine], normals[other]) > _SMOOTH_COSINE
    total = np.zeros((count, 3))
    np.add.at(total, near.row[smooth], area_normals[other[smooth]])
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-20)
