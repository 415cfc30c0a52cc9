"""OpenGL without a window (moderngl, EGL): meshes, textures, the camera's projection; for pictures and labels alike."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.errors import UnavailableError
from posebot.core.objects import Mesh
from posebot.core.transforms import Array
from posebot.synth.openness import openness

if TYPE_CHECKING:
    from posebot.synth.library import Library

NEAR, FAR = 0.02, 50.0
_CREASE = np.cos(np.deg2rad(40.0))


class Gl:
    """A context, with the library's meshes and textures uploaded as they are asked for. One per process and thread."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.context = _context()
        self._meshes: dict[str, Any] = {}
        self._open: dict[str, Any] = {}
        self._arrays: dict[tuple[int, str], Any] = {}
        self._textures: dict[str, Any] = {}

    def activate(self) -> None:
        """Make this context the current one: a process may have several, of several cameras."""
        self.context.__enter__()

    def program(self, vertex: str, fragment: str) -> Any:
        return self.context.program(vertex_shader=vertex, fragment_shader=fragment)

    def mesh(self, shape: str, program: Any) -> Any:
        """Vertex array of a shape for a program."""
        key = (program.glo, shape)
        if key not in self._arrays:
            if shape not in self._meshes:
                corners = vertices(self.library.mesh(shape))
                first, faces = indexed(corners)
                buffers = self.context.buffer(corners[first].tobytes()), self.context.buffer(faces.tobytes())
                self._meshes[shape] = *buffers, first
            attributes = [("3f", "in_position"), ("3f", "in_normal"), ("3f", "in_color"), ("2f", "in_uv")]
            layout = " ".join(size if name in program else f"{4 * int(size[0])}x" for size, name in attributes)
            names = [name for _, name in attributes if name in program]
            data, faces, _ = self._meshes[shape]
            parts = [(data, layout, *names)]
            if "in_open" in program:
                parts.append((self._openness(shape), "2f", "in_open"))
            self._arrays[key] = self.context.vertex_array(program, parts, faces)
        return self._arrays[key]

    def _openness(self, shape: str) -> Any:
        """Openness of a shape's corners, found when a scene first asks for dark hollows: it is what takes longest."""
        if shape not in self._open:
            mesh, first = self.library.mesh(shape), self._meshes[shape][2]
            self._open[shape] = self.context.buffer(openness(mesh)[mesh.faces.ravel()[first]].tobytes())
        return self._open[shape]

    def texture(self, name: str) -> Any:
        """Texture with mipmaps, repeating."""
        if name not in self._textures:
            if len(self._textures) > 600:
                self._textures.pop(next(iter(self._textures))).release()
            pixels = np.ascontiguousarray(self.library.texture(name))
            texture = self.context.texture(pixels.shape[1::-1], 3, pixels.tobytes(), alignment=1)
            texture.build_mipmaps()
            texture.filter = (self.context.LINEAR_MIPMAP_NEAREST, self.context.LINEAR)  # half the cost of blending two
            self._textures[name] = texture
        return self._textures[name]

    def release(self) -> None:
        self.context.release()


def _context() -> Any:
    os.environ.setdefault("LP_NUM_THREADS", "1")  # software GL: one thread a process; there are several processes
    import moderngl

    choices: tuple[dict[str, Any], ...] = (
        {"backend": "egl"}, {"backend": "egl", "libegl": "libEGL.so.1", "libgl": "libGL.so.1"}, {})
    for options in choices:
        try:
            return moderngl.create_context(standalone=True, require=330, **options)
        except Exception as error:  # moderngl raises bare Exception
            problem = error
    raise UnavailableError("OpenGL", f"no context without a window ({problem})",
                           "install a driver, or software OpenGL: apt-get install "
                           "libegl1 libegl-mesa0 libgl1-mesa-dri libgl1")


def projection(K: Array, width: int, height: int) -> Array:
    """Clip space from the OpenCV camera frame, 4x4; row 0 of what is read back is the top of the picture.

    Pixel centres lie at whole numbers, so that u = -0.5 is the left border (NDC -1).
    """
    return np.array([[2 * K[0, 0] / width, 2 * K[0, 1] / width, 2 * (K[0, 2] + 0.5) / width - 1, 0],
                     [0, 2 * K[1, 1] / height, 2 * (K[1, 2] + 0.5) / height - 1, 0],
                     [0, 0, (FAR + NEAR) / (FAR - NEAR), -2 * FAR * NEAR / (FAR - NEAR)], [0, 0, 1, 0.0]])


def matrix(value: Array) -> bytes:
    """A matrix as a GL uniform (columns first, float32)."""
    return np.ascontiguousarray(value.T, dtype=np.float32).tobytes()


def vertices(mesh: Mesh) -> NDArray[np.float32]:
    """Corners (3F, 11) of all triangles: position, normal, linear colour, uv with v down."""
    corners = mesh.faces.ravel()
    count = len(corners)
    color = np.ones((count, 3)) if mesh.colors is None else (mesh.colors[corners] / 255.0) ** 2
    uv = np.zeros((count, 2)) if mesh.uv is None else mesh.uv[corners] * [1, -1] + [0, 1]
    return np.hstack([mesh.vertices[corners], corner_normals(mesh), color, uv]).astype(np.float32)


def indexed(corners: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Equal corners (3F, 11) merged: which of them (V,) are kept, and for each corner (3F,) which of the kept it is."""
    rows = np.ascontiguousarray(corners.round(5) + 0.0)
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    return first, place.astype(np.int32)


def corner_normals(mesh: Mesh) -> Array:
    """Normals (3F, 3) of all corners: smooth where faces meet at less than 40 degrees, sharp elsewhere."""
    from scipy.sparse import csr_array

    triangles = mesh.vertices[mesh.faces]
    area_normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals = area_normals / np.maximum(np.linalg.norm(area_normals, axis=1, keepdims=True), 1e-20)
    _, place = np.unique(mesh.vertices.round(7), axis=0, return_inverse=True)  # corners on a uv seam are one place
    corners = place.ravel()[mesh.faces.ravel()]
    count = len(corners)
    touch = csr_array((np.ones(count), (np.arange(count), corners)), shape=(count, int(corners.max()) + 1))
    near = (touch @ touch.T).tocoo()
    mine, other = near.row // 3, near.col // 3
    smooth = np.einsum("ij,ij->i", normals[mine], normals[other]) > _CREASE
    total = np.zeros((count, 3))
    np.add.at(total, near.row[smooth], area_normals[other[smooth]])
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-20)
