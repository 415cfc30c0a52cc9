"""The surface model of an object, from its mesh: built once when a pipeline starts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, rotation_from_vector
from posebot.objects.baking import surface_colors
from posebot.objects.geometry import face_area_vectors, sample_surface
from posebot.stages.geometry.mesh_edges import mesh_edges
from posebot.stages.geometry.surface import NearestTable, Surface
from posebot.stages.geometry.templates import build_templates
from posebot.stages.hypotheses.near_symmetries import near_symmetries
from posebot.stages.settings import DEFAULTS, PoseSettings
from posebot.stages.settings.observation import SurfaceSettings


def build_surface(model: ObjectModel, settings: PoseSettings = DEFAULTS) -> Surface:
    """The surface model with its table, templates and near symmetries."""
    surface = sampled_surface(model, settings.surface)
    templates = build_templates(model, surface.points, surface.normals, surface.closed, settings.surface)
    return replace(surface, templates=templates, near_symmetries=near_symmetries(surface, settings))


def sampled_surface(model: ObjectModel, settings: SurfaceSettings) -> Surface:
    """Points of a mesh and the table of the nearest, without templates and near symmetries."""
    points, faces, weights = sample_surface(model.mesh, settings.points)
    order = np.random.default_rng(0).permutation(settings.points)
    points, faces, weights = points[order], faces[order], weights[order]
    vectors = face_area_vectors(model.mesh)[faces]
    normals = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-20)
    colors = surface_colors(model.mesh, faces, weights)
    return Surface(model, points.astype(np.float32), normals.astype(np.float32),
                   None if colors is None else colors.astype(np.float32),
                   _closed(points, normals, model.diameter, settings.closed_share),
                   _nearest_table(model, points, settings), mesh_edges(model.mesh))


def _nearest_table(model: ObjectModel, points: Array, settings: SurfaceSettings) -> NearestTable:
    from scipy.spatial import cKDTree

    margin = settings.table_margin * model.diameter
    cell = (float(model.extents.max()) + 2 * margin) / settings.table_cells
    origin = model.box_min - margin
    shape = np.ceil((model.extents + 2 * margin) / cell).astype(int)
    centers = origin + cell * (np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1) + 0.5)
    nearest = cKDTree(points).query(centers.reshape(-1, 3))[1].astype(np.int32).reshape(shape)
    return NearestTable(origin.astype(np.float32), cell, nearest)


def _closed(points: Array, normals: Array, diameter: float, share: float, views: int = 12, cells: int = 20) -> bool:
    """Whether front faces cover as much of the image as all faces do, from any direction."""
    rotations = rotation_from_vector(np.random.default_rng(0).normal(size=(views, 3)) * 2)
    covered = front = 0
    for rotation in rotations:
        place = np.floor((points @ rotation[:2].T) * (cells / diameter)).astype(int) @ [4 * cells, 1]
        covered += len(np.unique(place))
        front += len(np.unique(place[normals @ rotation[2] < 0]))
    return front >= share * covered
