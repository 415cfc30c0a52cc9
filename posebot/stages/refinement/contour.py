"""Contour refinement by region-based tracking: what makes poses from colour alone accurate.

The network's masks and coordinates are coarse and share its errors. The image itself shows to a pixel where the object
ends: the colours along short lines across the rendered contour measure its offset (`observation.contour_lines`). All
lines together, with the network's coordinates, are a least-squares problem for the pose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import resize_K
from posebot.core.transforms import Array
from posebot.stages.geometry.compiled import compiled
from posebot.stages.geometry.mesh_edges import MeshEdges
from posebot.stages.geometry.normal_equations import (
    add_residual,
    perturb_pose,
    pixel_jacobian,
    rotate_point,
    solve_cholesky,
    symmetrize,
)
from posebot.stages.geometry.splat import draw_coverage
from posebot.stages.geometry.surface import Surface
from posebot.stages.observation.contour_lines import (
    ContourLines,
    LineOptions,
    contour_lines,
    draw_lines,
    measure,
    measure_lines,
    no_lines,
    silhouettes,
)
from posebot.stages.observation.evidence import Evidence
from posebot.stages.observation.upright import UNKNOWN, Upright
from posebot.stages.refinement.pnp import (
    Correspondences,
    OriginPrior,
    Tolerance,
    correspondences,
    linearise,
    linearise_pose,
    prior_arrays,
)
from posebot.stages.refinement.upright import add_upright

Map = NDArray[np.float32]


class _Options(NamedTuple):
    """Settings, for compiled loops; see `ContourSettings`."""

    coordinate_weight: float
    max_rotation: float
    lines: LineOptions


class _Cameras(NamedTuple):
    """Cameras (3, 3): of the crop, of the crop at half resolution, of the working image that coordinates are in."""

    full: Array
    halved: Array
    coordinates: Array


def refine(poses: Array, evidence: Evidence, surface: Surface, widths: Sequence[int] | None = None) -> Array:
    """Move poses (H, 4, 4) so that their contours fit the image, constrained by the coordinates and, where the up
    direction is known, by the upright prior (Gauss-Newton).

    widths: half lengths of the lines, step by step, pixels; default: coarse, then fine.
    """
    region, settings = evidence.region, evidence.settings.refinement.contour
    assert region is not None
    poses, half = np.array(poses, float), len(region.hidden) // 2
    origins, tolerance = prior_arrays(OriginPrior.of(evidence), len(poses), evidence.settings.refinement)
    cameras = _Cameras(region.K, resize_K(region.K, 0.5, 0.5), evidence.K)
    points = np.ascontiguousarray(surface.points[:settings.silhouette_points].T)
    cover = np.empty((len(poses), half, half), np.float32)
    options = _Options(float(settings.coordinate_weight), float(settings.max_rotation_rad), LineOptions.of(settings))
    steps = np.array(settings.coarse + settings.fine if widths is None else widths)
    _refine(poses, cameras, correspondences(evidence), origins, tolerance, surface.mesh_edges, points, region.odds,
            region.hidden, steps, surface.model.diameter / 4, cover, no_lines(len(poses)), surface.up_axes,
            evidence.upright or UNKNOWN, options)
    return poses


@compiled
def _refine(poses: Array, cameras: _Cameras, pairs: Correspondences, origins: Array, tolerance: Tolerance,
            edges: MeshEdges, points: Map, odds: Map, hidden: Map, widths: NDArray[np.int64], nearest: float,
            cover: Map, lines: ContourLines, up_axes: Array, upright: Upright,
            options: _Options) -> None:
    """Move the poses in place. nearest: least z of a pose, metres: a step that falls below is not taken."""
    count = len(poses)
    offset, certainty = np.empty(lines.trust.shape), np.empty(lines.trust.shape)
    matrices, rights = np.empty((count, 6, 6)), np.empty((count, 6))
    step, trial, projections = np.empty(6), np.empty((4, 4)), np.empty((count, 3, 4), np.float32)
    for width in widths:
        _projections(cameras.halved, poses, projections)
        draw_coverage(projections, points, cover)
        lines.trust[:], offset[:], certainty[:] = 0, 0, 0
        draw_lines(poses, cameras.full, edges, cover, hidden, options.lines, lines)
        measure_lines(lines, odds, width, options.lines, offset, certainty)
        for h in range(count):
            linearise_pose(poses[h], cameras.coordinates, pairs, origins[h], tolerance, matrices[h], rights[h])
            for i in range(6):
                rights[h, i] *= options.coordinate_weight
                for k in range(6):
                    matrices[h, i, k] *= options.coordinate_weight
        _add(poses, cameras.full, lines, offset, certainty, matrices, rights)
        for h in range(count):
            add_upright(poses[h], up_axes, upright, matrices[h], rights[h])
            for i in range(6):
                matrices[h, i, i] += 1e-3 * max(matrices[h, i, i], 1e-9)
            solve_cholesky(matrices[h], rights[h], step)
            share = min(1.0, options.max_rotation / max(np.sqrt(step[3] ** 2 + step[4] ** 2 + step[5] ** 2), 1e-9))
            for i in range(6):
                step[i] *= share
            perturb_pose(poses[h], step, trial)
            if trial[2, 3] >= nearest:
                for i in range(3):
                    for k in range(4):
                        poses[h, i, k] = trial[i, k]


@compiled
def _projections(K: Array, poses: Array, projections: Map) -> None:
    """Fill projection matrices (H, 3, 4): pixel from object."""
    for h in range(len(poses)):
        for i in range(3):
            for k in range(4):
                projections[h, i, k] = K[i, 0] * poses[h, 0, k] + K[i, 1] * poses[h, 1, k] + K[i, 2] * poses[h, 2, k]


def refine_own_colours(poses: Array, evidence: Evidence, surface: Surface) -> Array:
    """Refine nearly correct poses (H, 4, 4), each by the colours inside its own silhouette."""
    region, settings = evidence.region, evidence.settings.refinement.contour
    assert region is not None
    for _ in range(settings.rounds):
        own = region.from_silhouettes([_full_size(cover, len(region.hidden))
                                       for cover in silhouettes(poses, region, surface, settings.silhouette_points)])
        poses = refine(poses, replace(evidence, region=own), surface, settings.fine)
    return poses


def _full_size(cover: Map, size: int) -> Map:
    return np.asarray(cv2.resize(cover, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


def information(pose: Array, evidence: Evidence, surface: Surface) -> Array:
    """Gauss-Newton Hessian (6, 6) of contour, coordinates and upright prior at a pose, as in `refine`."""
    region, settings = evidence.region, evidence.settings.refinement.contour
    assert region is not None
    lines = contour_lines(pose[None], region, surface, settings)
    _, matrices, rights = linearise(pose[None], evidence, OriginPrior.of(evidence))
    matrices *= settings.coordinate_weight
    _add(pose[None], region.K, lines, *measure(lines, region, settings.fine[-1], settings), matrices, rights)
    add_upright(pose, surface.up_axes, evidence.upright or UNKNOWN, matrices[0], rights[0])
    return np.asarray(matrices[0])


@compiled
def _add(poses: Array, K: Array, lines: ContourLines, offset: Array, certainty: Array, matrices: Array,
         rights: Array) -> None:
    """Add the lines' terms to Hessians (H, 6, 6) and descent directions (H, 6)."""
    rows = np.empty((2, 6))
    for h in range(len(poses)):
        for n in range(offset.shape[1]):
            arm = rotate_point(poses[h], lines.points[h, n])
            point = (arm[0] + poses[h, 0, 3], arm[1] + poses[h, 1, 3], arm[2] + poses[h, 2, 3])
            pixel_jacobian(K, point, arm, rows)
            for i in range(6):
                rows[0, i] = rows[0, i] * lines.normals[h, n, 0] + rows[1, i] * lines.normals[h, n, 1]
            add_residual(rows[0], lines.trust[h, n] * certainty[h, n], offset[h, n], matrices[h], rights[h])
        symmetrize(matrices[h])
