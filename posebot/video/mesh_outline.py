"""Line drawing of a mesh at a pose: silhouette and visible sharp edges, on the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import project, resize_K
from posebot.core.transforms import Array, apply
from posebot.objects.geometry import edge_adjacency, face_area_vectors, merge_vertices

if TYPE_CHECKING:
    from posebot.core.objects import Mesh

MAX_FACES = 1200  # one to two microseconds each
_MAX_SHARP_EDGES = 600  # scanned surfaces have many small sharp edges without meaning
_SHARP_ANGLE = np.deg2rad(40.0)
_SAMPLES = 9  # points per edge for the visibility test
_NEAR = 0.01  # metres
_SUBPIXEL = 4  # bits of cv2's fixed-point coordinates
_UPSAMPLE_BELOW = 400  # pixels; smaller silhouettes are traced at twice the resolution


@dataclass(frozen=True)
class OutlineLines:
    """Lines in pixels. contours: closed polygons (N, 2). sharp_edges: line segments (M, 2, 2)."""

    contours: list[Array]
    sharp_edges: Array


class MeshOutline:
    """A mesh prepared for drawing; `lines` takes a few milliseconds."""

    def __init__(self, mesh: Mesh) -> None:
        self.vertices, self.faces = merge_vertices(mesh)
        self.sharp_edges = _sharp_edges(self.vertices, self.faces)
        self.vertices, self.faces = _decimated(self.vertices, self.faces)
        ends = self.sharp_edges[:, 0], self.sharp_edges[:, 1]
        self.edge_points = np.linspace(*ends, _SAMPLES, axis=1)  # (M, _SAMPLES, 3)

    def lines(self, K: Array, cam_from_obj: Array, width: int, height: int) -> OutlineLines:
        """Lines at a pose (4x4) in an image of this size; none if the object is outside or behind the camera."""
        points = apply(cam_from_obj, self.vertices)
        faces = self.faces[(points[self.faces, 2] > _NEAR).all(axis=1)]
        window = _window(project(K, points[np.unique(faces)]), width, height) if len(faces) else None
        if window is None:
            return OutlineLines([], np.zeros((0, 2, 2)))
        x0, y0, x1, y1 = window
        zoom = 2 if max(x1 - x0, y1 - y0) < _UPSAMPLE_BELOW else 1
        local_K = resize_K(np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1.0]]) @ K, zoom, zoom)
        depth = _render_depth(project(local_K, points[faces]), points[faces, 2], zoom * (x1 - x0), zoom * (y1 - y0))
        sharp_edges = self._visible_edges(local_K, cam_from_obj, depth)
        shift, half = np.array([x0, y0]), (1 - 1 / zoom) / 2
        contours = [contour / zoom - half + shift for contour in _contours(depth > 0)]
        return OutlineLines(contours, sharp_edges / zoom - half + shift)

    def _visible_edges(self, K: Array, cam_from_obj: Array, depth: NDArray[np.float32]) -> Array:
        """Visible segments (M, 2, 2) of the sharp edges, pixels of the depth image."""
        points = apply(cam_from_obj, self.edge_points.reshape(-1, 3)).reshape(-1, _SAMPLES, 3)
        points = points[(points[..., 2] > _NEAR).all(axis=1)]
        pixels = project(K, points)
        columns, rows = np.rint(pixels).astype(int).transpose(2, 0, 1)
        inside = (columns >= 0) & (rows >= 0) & (columns < depth.shape[1]) & (rows < depth.shape[0])
        surface = depth[np.clip(rows, 0, depth.shape[0] - 1), np.clip(columns, 0, depth.shape[1] - 1)]
        slack = 0.03 * float(np.ptp(self.vertices, axis=0).max())  # faces are rendered at their mean depth
        visible = inside & (surface > 0) & (points[..., 2] < surface + slack)
        both = visible[:, :-1] & visible[:, 1:]
        return np.stack([pixels[:, :-1][both], pixels[:, 1:][both]], axis=1)


def _window(pixels: Array, width: int, height: int) -> tuple[int, int, int, int] | None:
    """x0, y0, x1, y1 (integer pixels, end excluded) around the points, clipped to the image; None if outside."""
    low = np.maximum(np.floor(pixels.min(axis=0)) - 2, 0)
    high = np.minimum(np.ceil(pixels.max(axis=0)) + 3, [width, height])
    if (high - low < 2).any():
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _render_depth(corners: Array, depths: Array, width: int, height: int) -> NDArray[np.float32]:
    """Depth (H, W) by the painter's algorithm: triangles (F, 3, 2) from far to near at mean depth; 0 = background."""
    import cv2

    image = np.zeros((height, width), np.float32)
    mean_depth = depths.mean(axis=1)
    fixed = np.rint(np.clip(corners, -4e3, 4e4) * (1 << _SUBPIXEL)).astype(np.int32)
    for index in np.argsort(-mean_depth):
        cv2.fillConvexPoly(image, fixed[index], float(mean_depth[index]), shift=_SUBPIXEL)
    return image


def _contours(mask: NDArray[np.bool_]) -> list[Array]:
    import cv2

    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    large = [contour for contour in found if len(contour) > 8]
    return [cv2.approxPolyDP(contour, 0.7, closed=True)[:, 0].astype(float) for contour in large]


def _sharp_edges(vertices: Array, faces: NDArray[np.int64]) -> Array:
    """End points (M, 2, 3) of edges with a large dihedral angle and of boundary edges; none if there are too many."""
    from posebot.core.objects import Mesh

    normals = face_area_vectors(Mesh(vertices, faces.astype(np.int32)))
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    ends, beside = edge_adjacency(faces)
    cosine = np.einsum("ij,ij->i", normals[beside[:, 0]], normals[beside[:, 1]])
    sharp = ends[(beside[:, 1] < 0) | (cosine < np.cos(_SHARP_ANGLE))]
    return vertices[sharp] if len(sharp) <= _MAX_SHARP_EDGES else np.zeros((0, 2, 3))


def _decimated(vertices: Array, faces: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
    """At most MAX_FACES faces by vertex clustering on a grid (Rossignac and Borrel, 1993)."""
    cells, low, fine_vertices, fine_faces = 96, vertices.min(axis=0), vertices, faces
    while len(faces) > MAX_FACES and cells > 8:
        cell = np.floor((fine_vertices - low) * (cells / np.ptp(fine_vertices, axis=0).max())).astype(np.int64)
        _, group = np.unique(cell @ [1, 1 << 10, 1 << 20], return_inverse=True)
        count = np.bincount(group)
        vertices = np.stack([np.bincount(group, fine_vertices[:, axis]) / count for axis in range(3)], axis=1)
        a, b, c = np.sort(group[fine_faces], axis=1).T
        real = (a != b) & (b != c)
        codes = np.unique((a[real] << 40) | (b[real] << 20) | c[real])
        faces = np.stack([codes >> 40, (codes >> 20) & 0xFFFFF, codes & 0xFFFFF], axis=1)
        cells = int(cells * 0.8)
    return vertices, faces
