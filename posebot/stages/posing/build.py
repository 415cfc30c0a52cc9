"""What the pose stage wants to know of an object beforehand, from its mesh: done once, when a pipeline starts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, rotation_from_vector
from posebot.objects.baking import surface_colors
from posebot.objects.geometry import face_area_vectors, sample_surface
from posebot.stages.posing.ambiguity import ambiguities
from posebot.stages.posing.creases import creases
from posebot.stages.posing.surface import Surface, Table
from posebot.stages.posing.templates import build_templates

_MARGIN = 0.3  # of the diameter, around the bounding box: how far the table reaches
_CLOSED = 0.97  # share of a silhouette that the faces towards the viewer must cover


def build_surface(model: ObjectModel, count: int = 6000, cells: int = 48) -> Surface:
    """A surface of `count` points with its table (`cells` along the longest side), templates and ambiguities."""
    surface = sampled(model, count, cells)
    templates = build_templates(model, surface.points, surface.normals, surface.closed)
    return replace(surface, templates=templates, ambiguities=ambiguities(surface))


def sampled(model: ObjectModel, count: int, cells: int) -> Surface:
    """Points of a mesh and the table of the nearest, without templates and ambiguities."""
    from scipy.spatial import cKDTree

    points, faces, weights = sample_surface(model.mesh, count)
    order = np.random.default_rng(0).permutation(count)
    points, faces, weights = points[order], faces[order], weights[order]
    vectors = face_area_vectors(model.mesh)[faces]
    normals = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-20)
    colors = surface_colors(model.mesh, faces, weights)
    margin = _MARGIN * model.diameter
    cell = (float(model.extents.max()) + 2 * margin) / cells
    origin = model.box_min - margin
    shape = np.ceil((model.extents + 2 * margin) / cell).astype(int)
    centers = origin + cell * (np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1) + 0.5)
    tree = cKDTree(points)
    table = tree.query(centers.reshape(-1, 3))[1].astype(np.int32).reshape(shape)
    return Surface(model, points.astype(np.float32), normals.astype(np.float32),
                   None if colors is None else colors.astype(np.float32), _closed(points, normals, model.diameter),
                   Table(origin.astype(np.float32), cell, table), creases(model.mesh))


def _closed(points: Array, normals: Array, diameter: float, views: int = 12, cells: int = 20) -> bool:
    """Whether the faces that look at the viewer cover as much of the picture as all do, seen from anywhere."""
    rotations = rotation_from_vector(np.random.default_rng(0).normal(size=(views, 3)) * 2)
    whole = front = 0
    for rotation in rotations:
        place = np.floor((points @ rotation[:2].T) * (cells / diameter)).astype(int) @ [4 * cells, 1]
        whole += len(np.unique(place))
        front += len(np.unique(place[normals @ rotation[2] < 0]))
    return front >= _CLOSED * whole
