"""The object's outline against the picture's own colours: what makes poses from colour alone exact.

The network's masks and coordinates are coarse and err as the network errs. The picture itself shows to a pixel where
the object ends: along short lines across the drawn outline, the colours of the object and of its surroundings tell how
far off the outline is. All lines together, with the network's coordinates, are a least squares problem for the pose.

As in region-based tracking: Stoiber et al., "SRT3D: A sparse region-based 3D object tracking approach for the real
world", 2022; the colours as in `sharpen`.
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
from posebot.stages.posing.compiled import add_rows, compiled, mirror, moved, pixel_rows, solve, turned
from posebot.stages.posing.creases import Creases, outlines
from posebot.stages.posing.evidence import Evidence
from posebot.stages.posing.pnp import Firm, Prior, Spots, guessed, linear, linearise, spots_of
from posebot.stages.posing.region import Region
from posebot.stages.posing.splat import covered, draw_cover
from posebot.stages.posing.standing import NOTHING, Upright, add_upright
from posebot.stages.posing.surface import Surface

Map = NDArray[np.float32]
_LINES = 160  # across one outline
_FEWEST = 12  # lines that say anything about a pose
_DRAWN = 4000  # surface points of a silhouette: 1500 leave holes that cost five points of accuracy
_BESIDE = 3.0  # pixels to either side, where an outline has the object on one and nothing of it on the other
_TRUST = 0.35  # of a pixel's evidence: neighbours on a line are not independent
_REACH = 0.5  # of a line's half length: sigma of how far off an outline is expected to be
_HIDDEN = 1.5  # lines end at this share of what the masks say is hidden, times as much
_TOLERANCE = 1.4  # pixels: sigma of an outline that fits
_PRIOR = 0.3  # of the coordinates' evidence: their errors have much in common
_ENDLESS = 1e6  # pixels: an outline this long runs behind the camera
_TURN = 0.35  # radians: most in one step
COARSE, NEAR, FINE, FINEST = (16, 12, 9), (8, 6), (6, 5, 4, 3, 3), (5, 4, 3)
"""Half lengths of the lines, round by round, in pixels: for rough poses, for less rough ones, after either, and for
poses nearly right."""


class _Lines(NamedTuple):
    """Lines across the outlines of H poses: points (H, N, 3) of the object, where they lie in the crop (H, N, 2), their
    outward normals (H, N, 2), and trust (H, N), 0 for those that are missing."""

    points: Array
    places: Array
    normals: Array
    trust: Array


class _Views(NamedTuple):
    """Cameras (3, 3): of the crop, of the crop in half the pixels, of the working picture that coordinates are in."""

    full: Array
    halved: Array
    coordinates: Array


def refine(poses: Array, evidence: Evidence, surface: Surface, widths: Sequence[int] = COARSE + FINE) -> Array:
    """Move poses (H, 4, 4) to where their outlines lie in the picture, held by the coordinates and, where it is known
    which way is up, upright (Gauss-Newton)."""
    region = evidence.region
    assert region is not None
    poses, half = np.array(poses, float), len(region.hidden) // 2
    origins, firm = guessed(Prior(evidence.origin), len(poses))
    views = _Views(region.K, resize_K(region.K, 0.5, 0.5), evidence.K)
    cover = np.empty((len(poses), half, half), np.float32)
    _refine(poses, views, spots_of(evidence), origins, firm, surface.creases, _drawn(surface), region.odds,
            region.hidden, np.array(widths), surface.model.diameter / 4, cover, _no_lines(len(poses)), surface.uprights,
            evidence.upright or NOTHING)
    return poses


@compiled
def _refine(poses: Array, views: _Views, spots: Spots, origins: Array, firm: Firm, creases: Creases, points: Map,
            odds: Map, hidden: Map, widths: NDArray[np.int64], nearest: float, cover: Map, lines: _Lines,
            uprights: Array, upright: Upright) -> None:
    """Move the poses in place. nearest: metres from the camera, from which on a pose is nonsense: better to stay."""
    count = len(poses)
    offset, certainty = np.empty(lines.trust.shape), np.empty(lines.trust.shape)
    matrices, rights = np.empty((count, 6, 6)), np.empty((count, 6))
    step, trial, cameras = np.empty(6), np.empty((4, 4)), np.empty((count, 3, 4), np.float32)
    for width in widths:
        _look(views.halved, poses, cameras)
        draw_cover(cameras, points, cover)
        lines.trust[:], offset[:], certainty[:] = 0, 0, 0
        _draw(poses, views.full, creases, cover, hidden, lines)
        _measure(lines, odds, width, offset, certainty)
        for h in range(count):
            linear(poses[h], views.coordinates, spots, origins[h], firm, matrices[h], rights[h])
            for i in range(6):
                rights[h, i] *= _PRIOR
                for k in range(6):
                    matrices[h, i, k] *= _PRIOR
        _add(poses, views.full, lines, offset, certainty, matrices, rights)
        for h in range(count):
            add_upright(poses[h], uprights, upright, matrices[h], rights[h])
            for i in range(6):
                matrices[h, i, i] += 1e-3 * max(matrices[h, i, i], 1e-9)
            solve(matrices[h], rights[h], step)
            share = min(1.0, _TURN / max(np.sqrt(step[3] ** 2 + step[4] ** 2 + step[5] ** 2), 1e-9))
            for i in range(6):
                step[i] *= share
            moved(poses[h], step, trial)
            if trial[2, 3] >= nearest:
                for i in range(3):
                    for k in range(4):
                        poses[h, i, k] = trial[i, k]


@compiled
def _look(K: Array, poses: Array, cameras: Map) -> None:
    """Fill cameras (H, 3, 4): pixel from object."""
    for h in range(len(poses)):
        for i in range(3):
            for k in range(4):
                cameras[h, i, k] = K[i, 0] * poses[h, 0, k] + K[i, 1] * poses[h, 1, k] + K[i, 2] * poses[h, 2, k]


def settle(poses: Array, evidence: Evidence, surface: Surface, times: int = 2) -> Array:
    """Refine poses (H, 4, 4) that are roughly right, each by the colours inside its own silhouette."""
    region = evidence.region
    assert region is not None
    for _ in range(times):
        own = region.of_silhouettes(_silhouettes(poses, region, surface))
        poses = refine(poses, replace(evidence, region=own), surface, FINE)
    return poses


def _silhouettes(poses: Array, region: Region, surface: Surface) -> list[Map]:
    """What each pose covers of the crop (S, S), 0..1."""
    size = len(region.hidden)
    return [np.asarray(cv2.resize(cover, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
            for cover in _covered(poses, region, surface)]


def _covered(poses: Array, region: Region, surface: Surface) -> Map:
    """The same in half the pixels (H, S/2, S/2)."""
    return covered(poses, surface, resize_K(region.K, 0.5, 0.5), len(region.hidden) // 2, _DRAWN)


def _drawn(surface: Surface) -> Map:
    """The surface points (3, P) of a silhouette."""
    return np.ascontiguousarray(surface.points[:_DRAWN].T)


def information(pose: Array, evidence: Evidence, surface: Surface) -> Array:
    """Gauss-Newton Hessian (6, 6) of outline, coordinates and standing together at a pose, as in `refine`."""
    region = evidence.region
    assert region is not None
    lines = _lines(pose[None], region, surface)
    _, matrices, rights = linearise(pose[None], evidence, Prior(evidence.origin))
    matrices *= _PRIOR
    _add(pose[None], region.K, lines, *_measured(lines, region, FINE[-1]), matrices, rights)
    add_upright(pose, surface.uprights, evidence.upright or NOTHING, matrices[0], rights[0])
    return np.asarray(matrices[0])


def agreement(poses: Array, region: Region, surface: Surface) -> Array:
    """Share (H,) of the lines, hidden ones left out, that find the outline where it is drawn, 0..1."""
    lines = _lines(poses, region, surface)
    offset, _ = _measured(lines, region, 6)
    fits = np.exp(-0.5 * (offset / _TOLERANCE) ** 2)
    return np.asarray((lines.trust * fits).sum(axis=1) / np.maximum(lines.trust.sum(axis=1), 1e-6))


@compiled
def _add(poses: Array, K: Array, lines: _Lines, offset: Array, certainty: Array, matrices: Array, rights: Array
         ) -> None:
    """Add what the lines say to Hessians (H, 6, 6) and downhill directions (H, 6)."""
    rows = np.empty((2, 6))
    for h in range(len(poses)):
        for n in range(offset.shape[1]):
            arm = turned(poses[h], lines.points[h, n])
            point = (arm[0] + poses[h, 0, 3], arm[1] + poses[h, 1, 3], arm[2] + poses[h, 2, 3])
            pixel_rows(K, point, arm, rows)
            for i in range(6):
                rows[0, i] = rows[0, i] * lines.normals[h, n, 0] + rows[1, i] * lines.normals[h, n, 1]
            add_rows(rows[0], lines.trust[h, n] * certainty[h, n], offset[h, n], matrices[h], rights[h])
        mirror(matrices[h])


def _measured(lines: _Lines, region: Region, width: int) -> tuple[Array, Array]:
    """How far outwards (H, N), pixels, each line finds the object's edge, and one over the variance of that (H, N)."""
    offset, certainty = np.zeros(lines.trust.shape), np.zeros(lines.trust.shape)
    _measure(lines, region.odds, width, offset, certainty)
    return offset, certainty


@compiled
def _measure(lines: _Lines, odds: Map, width: int, offset: Array, certainty: Array) -> None:
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
                # an edge at this step has the object up to here and the surroundings behind: all odds so far speak
                # for it
                support[i] = _TRUST * (so_far + value / 2) - step * step / (2 * (_REACH * width) ** 2)
                so_far += value
                best = max(best, support[i])
            whole = mean = square = 0.0
            for i in range(len(support)):
                step, share = i - width, np.exp(support[i] - best)
                whole, mean, square = whole + share, mean + share * step, square + share * step * step
            offset[h, n] = mean / whole
            certainty[h, n] = 1 / (1 + max(square / whole - offset[h, n] ** 2, 0.0))


def _lines(poses: Array, region: Region, surface: Surface) -> _Lines:
    lines = _no_lines(len(poses))
    _draw(poses, region.K, surface.creases, _covered(poses, region, surface), region.hidden, lines)
    return lines


def _no_lines(count: int) -> _Lines:
    shape = (count, _LINES)
    return _Lines(np.zeros((*shape, 3)), np.zeros((*shape, 2)), np.zeros((*shape, 2)), np.zeros(shape))


@compiled
def _draw(poses: Array, K: Array, creases: Creases, cover: Map, hidden: Map, lines: _Lines) -> None:
    """Fill `lines` evenly from those points of each outline that lie on the rim of what is covered (H, S/2, S/2)."""
    size, many = len(hidden), 3 * _LINES
    points, places, normals = np.empty((many, 3)), np.empty((many, 2)), np.empty((many, 2))
    rim, edges = np.empty(many, np.int64), np.empty(len(creases.ends), np.int64)
    scratch = np.empty((len(creases.ends), 5))
    for h in range(len(poses)):
        if not _along(poses[h], K, creases, edges, scratch, points, places, normals):
            continue
        count = 0
        for i in range(many):
            x, y, across, down = places[i, 0], places[i, 1], normals[i, 0], normals[i, 1]
            ahead = _at(cover[h], (x + _BESIDE * across - 0.5) / 2, (y + _BESIDE * down - 0.5) / 2)
            behind = _at(cover[h], (x - _BESIDE * across - 0.5) / 2, (y - _BESIDE * down - 0.5) / 2)
            if ahead > behind:
                normals[i, 0], normals[i, 1] = -across, -down
            inside = 1 < x < size - 2 and 1 < y < size - 2
            if inside and min(ahead, behind) < 0.25 < max(ahead, behind):
                rim[count] = i
                count += 1
        if count < _FEWEST:
            continue
        share = min(1.0, count / _LINES)  # few lines told often count as few
        for n in range(_LINES):
            i = rim[int(n * (count - 1) / (_LINES - 1))]
            for axis in range(3):
                lines.points[h, n, axis] = points[i, axis]
            for axis in range(2):
                lines.places[h, n, axis], lines.normals[h, n, axis] = places[i, axis], normals[i, axis]
            unseen = _at(hidden, places[i, 0] - _BESIDE * normals[i, 0], places[i, 1] - _BESIDE * normals[i, 1])
            lines.trust[h, n] = share * min(max(1 - _HIDDEN * unseen, 0.0), 1.0)


@compiled
def _along(pose: Array, K: Array, creases: Creases, edges: NDArray[np.int64], scratch: Array, points: Array,
           places: Array, normals: Array) -> bool:
    """Fill points (M, 3) evenly along the outline of a pose, hidden parts too, their pixels (M, 2) and normals (M, 2),
    of any sign. False if there is no outline. edges (E,), scratch (E, 5): to work in."""
    eye, ends = np.empty(3), creases.ends
    for axis in range(3):
        eye[axis] = -(pose[0, axis] * pose[0, 3] + pose[1, axis] * pose[1, 3] + pose[2, axis] * pose[2, 3])
    seen = outlines(creases, eye)
    begin, step, behind = scratch[:, :2], scratch[:, 2:4], scratch[:, 4]
    count, whole = 0, 0.0
    for e in range(len(ends)):
        if seen[e]:
            x, y = _pixel(pose, K, creases.vertices[ends[e, 0]])
            to_x, to_y = _pixel(pose, K, creases.vertices[ends[e, 1]])
            begin[count, 0], begin[count, 1], step[count, 0], step[count, 1] = x, y, to_x - x, to_y - y
            whole += np.sqrt((to_x - x) ** 2 + (to_y - y) ** 2)
            edges[count], behind[count] = e, whole
            count += 1
    if not 0 < whole < _ENDLESS:
        return False
    e = 0
    for i in range(len(points)):
        at = (i + 0.5) * whole / len(points)
        while behind[e] < at and e < count - 1:
            e += 1
        length = max(np.sqrt(step[e, 0] ** 2 + step[e, 1] ** 2), 1e-9)
        share = 1 - (behind[e] - at) / length
        for axis in range(3):
            start, end = creases.vertices[ends[edges[e], 0], axis], creases.vertices[ends[edges[e], 1], axis]
            points[i, axis] = start + share * (end - start)
        for axis in range(2):
            places[i, axis] = begin[e, axis] + share * step[e, axis]
        normals[i, 0], normals[i, 1] = step[e, 1] / length, -step[e, 0] / length
    return True


@compiled
def _pixel(pose: Array, K: Array, point: Array) -> tuple[float, float]:
    """Where a point of the object is drawn."""
    x, y, z = turned(pose, point)
    near = 1 / max(z + pose[2, 3], 1e-3)
    return (x + pose[0, 3]) * near * K[0, 0] + K[0, 2], (y + pose[1, 3]) * near * K[1, 1] + K[1, 2]


@compiled
def _at(picture: Map, x: float, y: float) -> float:
    """Value of a picture (S, S) at the nearest pixel to a place; 0 outside."""
    last = len(picture) - 0.5
    if not (-0.5 <= x < last and -0.5 <= y < last):
        return 0.0
    return picture[int(y + 0.5), int(x + 0.5)]
