"""Texture baking to vertex colours, and mesh decimation that preserves textures."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Mesh
from posebot.core.transforms import Array
from posebot.objects.geometry import face_area_vectors, merge_vertices, sample_surface, vertex_normals
from posebot.objects.subdivision import bisect_faces, edge_lengths

DEFAULT_COLOR = (160, 160, 160)
_COLOR_TOLERANCE = 20.0  # of 255: error of the interpolated vertex colours below which a face is not subdivided
_MAX_EDGE, _MIN_EDGE = 48.0, 2.0  # texels: longer edges are always split, shorter ones never
_SAMPLE_GRID = np.array([(i, j, 6 - i - j) for i in range(7) for j in range(7 - i)]) / 6.0


class _ColorSource(Protocol):
    """Surface colours at points given by face and barycentric weights, and their resolution."""

    def at(self, mesh: Mesh, faces: NDArray[np.int64], weights: Array) -> Array: ...

    def edge_lengths_in_detail(self, mesh: Mesh) -> Array: ...


def bake_vertex_colors(mesh: Mesh, max_faces: int = 60_000) -> Mesh:
    """Bake the texture to vertex colours; a plain mesh becomes grey.

    Faces are subdivided in descending order of colour error, until the interpolated colours are within 20 of 255 of
    the texture or `max_faces` is reached.
    """
    if mesh.texture is None or mesh.uv is None:
        colors = mesh.colors
        if colors is None:
            colors = np.tile(np.array(DEFAULT_COLOR, np.uint8), (len(mesh.vertices), 1))
        return Mesh(mesh.vertices, mesh.faces, colors)
    refined = _subdivide_by_color(mesh, _TextureColors(mesh.texture), max_faces)
    assert refined.uv is not None
    colors = sample_texture(mesh.texture, refined.uv).round().astype(np.uint8)
    return Mesh(refined.vertices, refined.faces, colors)


def decimate(mesh: Mesh, faces: int) -> Mesh:
    """Decimate a mesh to about `faces` faces, with vertex colours (none if it had no colour).

    The shape is simplified by quadric error metrics (package fast-simplification). A coloured mesh spends at most half
    of its faces on the shape, and the rest on texture detail. A mesh with few enough faces keeps its shape. Coincident
    vertices are merged, so hard edges are shaded smooth (`geometry.split_sharp_edges` splits them again).
    """
    colored = mesh.texture is not None or mesh.colors is not None
    shape = _simplify(mesh, faces // 2 if colored else faces)
    if not colored:
        return shape
    colors = _SurfaceColors(mesh)
    refined = _subdivide_by_color(shape, colors, faces)
    values = colors.nearest(refined.vertices, vertex_normals(refined))
    return replace(refined, colors=values.round().astype(np.uint8))


def sample_texture(texture: NDArray[np.uint8], uv: Array) -> Array:
    """Bilinear texture lookup: colours (N, 3), 0..255, at texture coordinates (N, 2), v up; repeats outside 0..1."""
    height, width = texture.shape[:2]
    x, y = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = (x - x0)[:, None], (y - y0)[:, None]
    rows, columns = (y0 % height, (y0 + 1) % height), (x0 % width, (x0 + 1) % width)
    upper = texture[rows[0], columns[0]] * (1 - fx) + texture[rows[0], columns[1]] * fx
    lower = texture[rows[1], columns[0]] * (1 - fx) + texture[rows[1], columns[1]] * fx
    return upper * (1 - fy) + lower * fy


def surface_colors(mesh: Mesh, faces: NDArray[np.int64], weights: Array) -> Array | None:
    """Colours (N, 3), 0..255, of surface points given by face (N,) and barycentric weights (N, 3); None if plain."""
    if mesh.texture is not None and mesh.uv is not None:
        return sample_texture(mesh.texture, np.einsum("nk,nkd->nd", weights, mesh.uv[mesh.faces[faces]]))
    if mesh.colors is not None:
        return np.einsum("nk,nkd->nd", weights, mesh.colors[mesh.faces[faces]].astype(float))
    return None


class _TextureColors:
    def __init__(self, texture: NDArray[np.uint8]) -> None:
        self.texture, self.size = texture, np.array([texture.shape[1], texture.shape[0]])

    def at(self, mesh: Mesh, faces: NDArray[np.int64], weights: Array) -> Array:
        assert mesh.uv is not None
        return sample_texture(self.texture, np.einsum("nk,nkd->nd", weights, mesh.uv[mesh.faces[faces]]))

    def edge_lengths_in_detail(self, mesh: Mesh) -> Array:
        """Lengths (F, 3) of the edges in texels."""
        assert mesh.uv is not None
        corners = mesh.uv[mesh.faces] * self.size
        return np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)


class _SurfaceColors:
    """Colours of the nearest surface sample with a similar normal, so that both sides of a thin wall keep theirs."""

    def __init__(self, mesh: Mesh, count: int = 200_000) -> None:
        from scipy.spatial import cKDTree

        points, faces, weights = sample_surface(mesh, count)
        colors = surface_colors(mesh, faces, weights)
        assert colors is not None
        self.colors = colors
        area = np.linalg.norm(face_area_vectors(mesh), axis=1).sum() / 2
        self.spacing = float(np.sqrt(area / count))
        self.normal_weight = 0.1 * float(np.ptp(mesh.vertices, axis=0).max())  # metres per radian between normals
        self.tree = cKDTree(np.hstack([points, self.normal_weight * _unit(face_area_vectors(mesh)[faces])]))

    def nearest(self, points: Array, normals: Array) -> Array:
        """Colours (N, 3) at points (N, 3) with unit normals (N, 3)."""
        return self.colors[self.tree.query(np.hstack([points, self.normal_weight * normals]))[1]]

    def at(self, mesh: Mesh, faces: NDArray[np.int64], weights: Array) -> Array:
        points = np.einsum("nk,nkd->nd", weights, mesh.vertices[mesh.faces[faces]])
        return self.nearest(points, _unit(face_area_vectors(mesh)[faces]))

    def edge_lengths_in_detail(self, mesh: Mesh) -> Array:
        """Lengths (F, 3) of the edges in units of the sample spacing."""
        return edge_lengths(mesh) / self.spacing


def _subdivide_by_color(mesh: Mesh, colors: _ColorSource, max_faces: int) -> Mesh:
    """Subdivide first the faces much larger than the texture detail, then those with the largest colour error."""
    while True:
        priority = _split_priority(mesh, colors)
        finer, budget = mesh, max(0, max_faces - len(mesh.faces))
        while budget and (finer is mesh or len(finer.faces) > max_faces):  # a split propagates to neighbours
            budget //= 4
            finer = bisect_faces(mesh, _highest(priority, budget))
        if len(finer.faces) == len(mesh.faces) or len(finer.faces) > max_faces:
            return mesh
        mesh = finer


def _split_priority(mesh: Mesh, colors: _ColorSource) -> Array:
    """Priority (F,) with which each face is split; 0: not at all."""
    detail = colors.edge_lengths_in_detail(mesh).max(axis=1)
    error = np.where(detail > _MAX_EDGE, 255.0, _color_error(mesh, colors))
    return np.where((detail > _MIN_EDGE) & (error > _COLOR_TOLERANCE), error * detail, 0.0)


def _highest(priority: Array, count: int) -> NDArray[np.bool_]:
    selected = np.zeros(len(priority), dtype=bool)
    selected[np.argsort(-priority, kind="stable")[:count]] = True
    return selected & (priority > 0)


def _color_error(mesh: Mesh, colors: _ColorSource) -> Array:
    """Largest difference (F,), channel mean, between the colours in a face and those interpolated from its corners."""
    count = len(mesh.faces)
    faces, weights = np.repeat(np.arange(count), len(_SAMPLE_GRID)), np.tile(_SAMPLE_GRID, (count, 1))
    values = colors.at(mesh, faces, weights).reshape(count, len(_SAMPLE_GRID), 3)
    corners = values[:, [int(np.flatnonzero(_SAMPLE_GRID[:, i] == 1.0)[0]) for i in range(3)]]
    interpolated = np.einsum("gk,fkc->fgc", _SAMPLE_GRID, corners)
    return np.abs(values - interpolated).mean(axis=2).max(axis=1)


def _simplify(mesh: Mesh, faces: int) -> Mesh:
    """Simplify the shape to at most `faces` faces; more if it has needle triangles, which the package keeps."""
    vertices, triangles = merge_vertices(mesh)
    shape = Mesh(vertices, triangles.astype(np.int32))
    for aggressiveness in (3.0, 7.0):  # low preserves the surface better, but may stop above the target
        if len(shape.faces) > faces:
            shape = _collapse_edges(shape, faces, aggressiveness)
    return shape


def _collapse_edges(mesh: Mesh, faces: int, aggressiveness: float) -> Mesh:
    import fast_simplification

    points = mesh.vertices.astype(np.float32)
    vertices, triangles = fast_simplification.simplify(points, mesh.faces, target_count=faces, agg=aggressiveness)
    return Mesh(np.asarray(vertices, dtype=float), np.asarray(triangles, dtype=np.int32))


def _unit(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
