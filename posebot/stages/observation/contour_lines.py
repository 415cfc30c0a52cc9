"""Correspondence lines across an object's contour: how far off the drawn contour is, by the colours along each line.

As in region-based tracking: Stoiber et al., "SRT3D: A sparse region-based 3D object tracking approach for the real
world", 2022; the colours as in `colour_posterior`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import resize_K
from posebot.core.transforms import Array
from posebot.stages.geometry.compiled import compiled
from posebot.stages.geometry.mesh_edges import MeshEdges, contour_edges
from posebot.stages.geometry.normal_equations import rotate_point
from posebot.stages.geometry.splat import coverage
from posebot.stages.geometry.surface import Surface
from posebot.stages.observation.region import Region
from posebot.stages.settings.refinement import ContourSettings

Map = NDArray[np.float32]
_COUNT = 160  # lines across one contour
_MAX_LENGTH = 1e6  # pixels: a longer contour extends behind the camera


class LineOptions(NamedTuple):
    """Settings of the lines, for compiled loops; see `ContourSettings`."""

    rim_offset: float
    min_rim_points: int
    hidden_weight: float
    pixel_weight: float
    prior_sigma: float

    @classmethod
    def of(cls, settings: ContourSettings) -> LineOptions:
        """Those of the settings."""
        return cls(float(settings.rim_offset_px), settings.min_rim_points, float(settings.hidden_weight),
                   float(settings.pixel_weight), float(settings.prior_sigma))


class ContourLines(NamedTuple):
    """N lines across the contours of H poses.

    points: (H, N, 3) of the object. places: (H, N, 2) their pixels in the crop. normals: (H, N, 2) outward.
    trust: (H, N) weight, 0 for missing lines.
    """

    points: Array
    places: Array
    normals: Array
    trust: Array


def silhouettes(poses: Array, region: Region, surface: Surface, count: int) -> Map:
    """Coverage (H, S/2, S/2) of the crop by poses (H, 4, 4), at half resolution. count: surface points to draw."""
    return coverage(poses, surface, resize_K(region.K, 0.5, 0.5), len(region.hidden) // 2, count)


def contour_lines(poses: Array, region: Region, surface: Surface, settings: ContourSettings) -> ContourLines:
    """Lines across the contours of poses (H, 4, 4)."""
    lines = no_lines(len(poses))
    cover = silhouettes(poses, region, surface, settings.silhouette_points)
    draw_lines(poses, region.K, surface.mesh_edges, cover, region.hidden, LineOptions.of(settings), lines)
    return lines


def no_lines(count: int) -> ContourLines:
    """Room for the lines of `count` poses."""
    shape = (count, _COUNT)
    return ContourLines(np.zeros((*shape, 3)), np.zeros((*shape, 2)), np.zeros((*shape, 2)), np.zeros(shape))


def measure(lines: ContourLines, region: Region, width: int, settings: ContourSettings) -> tuple[Array, Array]:
    """Offset (H, N) of the object's edge along each line, pixels outwards, and its inverse variance (H, N).

    width: half length of the lines, pixels.
    """
    offset, certainty = np.zeros(lines.trust.shape), np.zeros(lines.trust.shape)
    measure_lines(lines, region.odds, width, LineOptions.of(settings), offset, certainty)
    return offset, certainty


@compiled
def measure_lines(lines: ContourLines, odds: Map, width: int, options: LineOptions, offset: Array, certainty: Array
                  ) -> None:
    """Fill offset and certainty (H, N), see `measure`. odds: as in `Region`."""
    last, support = odds.shape[1] - 1, np.empty(2 * width + 1)
    for h in range(len(offset)):
        own = odds[min(h, len(odds) - 1)]
        for n in range(offset.shape[1]):
            if lines.trust[h, n] == 0:
                continue
            so_far, best = 0.0, -np.inf
            for i in range(len(support)):
                step = i - width
                x = min(max(lines.places[h, n, 0] + step * lines.normals[h, n, 0], 0.0), float(last))
                y = min(max(lines.places[h, n, 1] + step * lines.normals[h, n, 1], 0.0), float(last))
                column, row = min(int(x), last - 1), min(int(y), last - 1)
                x, y = x - column, y - row
                value = ((own[row, column] * (1 - x) + own[row, column + 1] * x) * (1 - y)
                         + (own[row + 1, column] * (1 - x) + own[row + 1, column + 1] * x) * y)
                # an edge here has the object up to this step and the surroundings beyond: the sum of odds so far
                prior = step * step / (2 * (options.prior_sigma * width) ** 2)
                support[i] = options.pixel_weight * (so_far + value / 2) - prior
                so_far += value
                best = max(best, support[i])
            whole = mean = square = 0.0
            for i in range(len(support)):
                step, share = i - width, np.exp(support[i] - best)
                whole, mean, square = whole + share, mean + share * step, square + share * step * step
            offset[h, n] = mean / whole
            certainty[h, n] = 1 / (1 + max(square / whole - offset[h, n] ** 2, 0.0))


@compiled
def draw_lines(poses: Array, K: Array, edges: MeshEdges, cover: Map, hidden: Map, options: LineOptions,
               lines: ContourLines) -> None:
    """Fill `lines` evenly from the points of each contour that lie on the rim of its coverage (H, S/2, S/2)."""
    size, many, aside = len(hidden), 3 * _COUNT, options.rim_offset
    points, places, normals = np.empty((many, 3)), np.empty((many, 2)), np.empty((many, 2))
    rim, chosen = np.empty(many, np.int64), np.empty(len(edges.ends), np.int64)
    scratch = np.empty((len(edges.ends), 5))
    for h in range(len(poses)):
        if not _sample_contour(poses[h], K, edges, chosen, scratch, points, places, normals):
            continue
        count = 0
        for i in range(many):
            x, y, across, down = places[i, 0], places[i, 1], normals[i, 0], normals[i, 1]
            ahead = _value_at(cover[h], (x + aside * across - 0.5) / 2, (y + aside * down - 0.5) / 2)
            behind = _value_at(cover[h], (x - aside * across - 0.5) / 2, (y - aside * down - 0.5) / 2)
            if ahead > behind:
                normals[i, 0], normals[i, 1] = -across, -down
            inside = 1 < x < size - 2 and 1 < y < size - 2
            if inside and min(ahead, behind) < 0.25 < max(ahead, behind):
                rim[count] = i
                count += 1
        if count < options.min_rim_points:
            continue
        share = min(1.0, count / _COUNT)  # repeated lines count once
        for n in range(_COUNT):
            i = rim[int(n * (count - 1) / (_COUNT - 1))]
            for axis in range(3):
                lines.points[h, n, axis] = points[i, axis]
            for axis in range(2):
                lines.places[h, n, axis], lines.normals[h, n, axis] = places[i, axis], normals[i, axis]
            x, y = places[i, 0] - aside * normals[i, 0], places[i, 1] - aside * normals[i, 1]
            lines.trust[h, n] = share * min(max(1 - options.hidden_weight * _value_at(hidden, x, y), 0.0), 1.0)


@compiled
def _sample_contour(pose: Array, K: Array, edges: MeshEdges, chosen: NDArray[np.int64], scratch: Array,
                    points: Array, places: Array, normals: Array) -> bool:
    """Fill points (M, 3) evenly along the contour of a pose, hidden parts included, their pixels (M, 2) and normals
    (M, 2), of either sign. False if there is no contour. chosen (E,), scratch (E, 5): work space."""
    eye, ends = np.empty(3), edges.ends
    for axis in range(3):
        eye[axis] = -(pose[0, axis] * pose[0, 3] + pose[1, axis] * pose[1, 3] + pose[2, axis] * pose[2, 3])
    seen = contour_edges(edges, eye)
    begin, step, behind = scratch[:, :2], scratch[:, 2:4], scratch[:, 4]
    count, whole = 0, 0.0
    for e in range(len(ends)):
        if seen[e]:
            x, y = _pixel(pose, K, edges.vertices[ends[e, 0]])
            to_x, to_y = _pixel(pose, K, edges.vertices[ends[e, 1]])
            begin[count, 0], begin[count, 1], step[count, 0], step[count, 1] = x, y, to_x - x, to_y - y
            whole += np.sqrt((to_x - x) ** 2 + (to_y - y) ** 2)
            chosen[count], behind[count] = e, whole
            count += 1
    if not 0 < whole < _MAX_LENGTH:
        return False
    e = 0
    for i in range(len(points)):
        at = (i + 0.5) * whole / len(points)
        while behind[e] < at and e < count - 1:
            e += 1
        length = max(np.sqrt(step[e, 0] ** 2 + step[e, 1] ** 2), 1e-9)
        share = 1 - (behind[e] - at) / length
        for axis in range(3):
            start, end = edges.vertices[ends[chosen[e], 0], axis], edges.vertices[ends[chosen[e], 1], axis]
            points[i, axis] = start + share * (end - start)
        for axis in range(2):
            places[i, axis] = begin[e, axis] + share * step[e, axis]
        normals[i, 0], normals[i, 1] = step[e, 1] / length, -step[e, 0] / length
    return True


@compiled
def _pixel(pose: Array, K: Array, point: Array) -> tuple[float, float]:
    """The pixel of a point of the object."""
    x, y, z = rotate_point(pose, point)
    near = 1 / max(z + pose[2, 3], 1e-3)
    return (x + pose[0, 3]) * near * K[0, 0] + K[0, 2], (y + pose[1, 3]) * near * K[1, 1] + K[1, 2]


@compiled
def _value_at(image: Map, x: float, y: float) -> float:
    """Value of an image (S, S) at the nearest pixel to a place; 0 outside."""
    last = len(image) - 0.5
    if not (-0.5 <= x < last and -0.5 <= y < last):
        return 0.0
    return image[int(y + 0.5), int(x + 0.5)]
