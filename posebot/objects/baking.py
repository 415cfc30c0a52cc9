"""Colours at vertices instead of a texture, and fewer faces, without losing the print."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Mesh
from posebot.core.transforms import Array
from posebot.objects.geometry import face_vectors, merged, sample_surface, vertex_normals
from posebot.objects.refinement import edge_lengths, split_faces

PLAIN_COLOR = (160, 160, 160)
_TOLERANCE = 20.0  # of 255: a colour closer than this to the blend of its face's corners needs no vertex of its own
_COARSE, _FINEST = 48.0, 2.0  # texels: longer edges are split in any case, shorter ones never
_GRID = np.array([(i, j, 6 - i - j) for i in range(7) for j in range(7 - i)]) / 6.0


class _Colors(Protocol):
    """Where colours come from: at points given by face and barycentric weights, with the size of its finest detail."""

    def at(self, mesh: Mesh, faces: NDArray[np.int64], weights: Array) -> Array: ...

    def edge_details(self, mesh: Mesh) -> Array: ...


def with_vertex_colors(mesh: Mesh, max_faces: int = 60_000) -> Mesh:
    """The mesh with colours at its vertices and no texture.

    Faces are split where the print is finer than they are, the worst first, until the colours between vertices are
    right within 20 of 255 or `max_faces` is reached. A mesh without any colour becomes grey.
    """
    if mesh.texture is None or mesh.uv is None:
        colors = mesh.colors
        if colors is None:
            colors = np.tile(np.array(PLAIN_COLOR, np.uint8), (len(mesh.vertices), 1))
        return Mesh(mesh.vertices, mesh.faces, colors)
    refined = _refined(mesh, _TextureColors(mesh.texture), max_faces)
    assert refined.uv is not None
    colors = sample_texture(mesh.texture, refined.uv).round().astype(np.uint8)
    return Mesh(refined.vertices, refined.faces, colors)


def decimate(mesh: Mesh, faces: int) -> Mesh:
    """A mesh of about `faces` faces, hardly ever more, with colours at its vertices (none if it had none).

    The shape is simplified by quadric error (package fast-simplification). A coloured mesh spends at most half of its
    faces on the shape; the rest goes where the print has detail. A mesh that is small enough keeps its shape. Vertices
    at one place are joined, so hard edges are shaded round (`geometry.with_sharp_edges` doubles them again).
    """
    colored = mesh.texture is not None or mesh.colors is not None
    shape = _simplified(mesh, faces // 2 if colored else faces)
    if not colored:
        return shape
    colors = _SurfaceColors(mesh)
    refined = _refined(shape, colors, faces)
    values = colors.near(refined.vertices, vertex_normals(refined))
    return replace(refined, colors=values.round().astype(np.uint8))


def sample_texture(texture: NDArray[np.uint8], uv: Array) -> Array:
    """Colours (N, 3), 0..255, bilinear, at texture coordinates (N, 2) with v up; the texture repeats outside 0..1."""
    height, width = texture.shape[:2]
    x, y = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = (x - x0)[:, None], (y - y0)[:, None]
    rows, columns = (y0 % height, (y0 + 1) % height), (x0 % width, (x0 + 1) % width)
    upper = texture[rows[0], columns[0]] * (1 - fx) + texture[rows[0], columns[1]] * fx
    lower = texture[rows[1], columns[0]] * (1 - fx) + texture[rows[1], columns[1]] * fx
    return upper * (1 - fy) + lower * fy


def point_colors(mesh: Mesh, faces: NDArray[np.int64], weights: Array) -> Array | None:
    """Colours (N, 3), 0..255, at surface points given by face (N,) and barycentric weights (N, 3); None if plain."""
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

    def edge_details(self, mesh: Mesh) -> Array:
        """Length (F, 3) of the edges in texels."""
        assert mesh.uv is not None
        corners = mesh.uv[mesh.faces] * self.size
        return np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)


class _SurfaceColors:
    """Colours of the nearest of many points of a coloured surface that look the same way (walls have two sides)."""

    def __init__(self, mesh: Mesh, count: int = 200_000) -> None:
        from scipy.spatial import cKDTree

        points, faces, weights = sample_surface(mesh, count)
        colors = point_colors(mesh, faces, weights)
        assert colors is not None
        self.colors = colors
        area = np.linalg.norm(face_vectors(mesh), axis=1).sum() / 2
        self.spacing = float(np.sqrt(area / count))
        self.turn = 0.1 * float(np.ptp(mesh.vertices, axis=0).max())  # metres that a normal off by a radian counts
        self.tree = cKDTree(np.hstack([points, self.turn * _unit(face_vectors(mesh)[faces])]))

    def near(self, points: Array, normals: Array) -> Array:
        return self.colors[self.tree.query(np.hstack([points, self.turn * normals]))[1]]

    def at(self, mesh: Mesh, faces: NDArray[np.int64], weights: Array) -> Array:
        points = np.einsum("nk,nkd->nd", weights, mesh.vertices[mesh.faces[faces]])
        return self.near(points, _unit(face_vectors(mesh)[faces]))

    def edge_details(self, mesh: Mesh) -> Array:
        """Length (F, 3) of the edges in distances between the stored points."""
        return edge_lengths(mesh) / self.spacing


def _refined(mesh: Mesh, colors: _Colors, max_faces: int) -> Mesh:
    """Split faces, first those much larger than the print's detail, then those whose colours are most wrong."""
    while True:
        loss = _loss(mesh, colors)
        finer, room = mesh, max(0, max_faces - len(mesh.faces))
        while room and (finer is mesh or len(finer.faces) > max_faces):  # each split brings others with it
            room //= 4
            finer = split_faces(mesh, _worst(loss, room))
        if len(finer.faces) == len(mesh.faces) or len(finer.faces) > max_faces:
            return mesh
        mesh = finer


def _loss(mesh: Mesh, colors: _Colors) -> Array:
    """How badly each face (F,) needs splitting; 0 where it does not."""
    detail = colors.edge_details(mesh).max(axis=1)
    error = np.where(detail > _COARSE, 255.0, _color_error(mesh, colors))
    return np.where((detail > _FINEST) & (error > _TOLERANCE), error * detail, 0.0)


def _worst(loss: Array, count: int) -> NDArray[np.bool_]:
    worst = np.zeros(len(loss), dtype=bool)
    worst[np.argsort(-loss, kind="stable")[:count]] = True
    return worst & (loss > 0)


def _color_error(mesh: Mesh, colors: _Colors) -> Array:
    """Largest difference (F,), mean of the channels, between the colours inside a face and the blend of its corners."""
    count = len(mesh.faces)
    faces, weights = np.repeat(np.arange(count), len(_GRID)), np.tile(_GRID, (count, 1))
    values = colors.at(mesh, faces, weights).reshape(count, len(_GRID), 3)
    corners = values[:, [int(np.flatnonzero(_GRID[:, i] == 1.0)[0]) for i in range(3)]]
    blend = np.einsum("gk,fkc->fgc", _GRID, corners)
    return np.abs(values - blend).mean(axis=2).max(axis=1)


def _simplified(mesh: Mesh, faces: int) -> Mesh:
    """The shape with `faces` faces or fewer, more where it is made of needles, which the package does not collapse."""
    vertices, triangles = merged(mesh)
    shape = Mesh(vertices, triangles.astype(np.int32))
    for haste in (3.0, 7.0):  # slow keeps the surface better, but may end before the target is reached
        if len(shape.faces) > faces:
            shape = _collapsed(shape, faces, haste)
    return shape


def _collapsed(mesh: Mesh, faces: int, haste: float) -> Mesh:
    import fast_simplification

    points = mesh.vertices.astype(np.float32)
    vertices, triangles = fast_simplification.simplify(points, mesh.faces, target_count=faces, agg=haste)
    return Mesh(np.asarray(vertices, dtype=float), np.asarray(triangles, dtype=np.int32))


def _unit(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
