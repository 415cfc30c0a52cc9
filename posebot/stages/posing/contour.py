"""The object's outline against the picture's own colours: what makes poses from colour alone exact.

The network's masks and coordinates are coarse and err as the network errs. The picture itself shows to a pixel where
the object ends: along short lines across the drawn outline, the colours of the object and of its surroundings tell how
far off the outline is. All lines together, with the network's coordinates, are a least squares problem for the pose.

As in region-based tracking: Stoiber et al., "SRT3D: A sparse region-based 3D object tracking approach for the real
world", 2022; the colours as in `sharpen`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import resize_K
from posebot.core.transforms import Array, perturb
from posebot.stages.posing.creases import Creases
from posebot.stages.posing.evidence import Evidence
from posebot.stages.posing.pnp import Prior, linearise, pixel_rows
from posebot.stages.posing.region import Region
from posebot.stages.posing.splat import splat
from posebot.stages.posing.surface import Surface

Map = NDArray[np.float32]
_LINES = 160  # across one outline
_FEWEST = 12  # lines that say anything about a pose
_DRAWN = 2500  # surface points of a silhouette
_BESIDE = 3.0  # pixels to either side, where an outline has the object on one and nothing of it on the other
_TRUST = 0.35  # of a pixel's evidence: neighbours on a line are not independent
_REACH = 0.7  # of a line's half length: sigma of how far off an outline is expected to be
_HIDDEN = 1.5  # lines end at this share of what the masks say is hidden, times as much
_TOLERANCE = 2.0  # pixels: sigma of an outline that fits
_PRIOR = 0.3  # of the coordinates' evidence: their errors have much in common
_TURN = 0.35  # radians: most in one step
_WIDTHS = (16, 12, 9, 6, 5, 4, 3, 3)
FINE = (5, 4, 3)
"""Half lengths of the lines, round by round, in pixels: from the start, and for poses that are nearly right."""


@dataclass(frozen=True)
class _Lines:
    """Lines across the outlines of H poses: points (H, N, 3) of the object, where they lie in the crop (H, N, 2), their
    outward normals (H, N, 2), and trust (H, N), 0 for those that are missing."""

    points: Array
    places: Array
    normals: Array
    trust: Array


def refine(poses: Array, evidence: Evidence, surface: Surface, widths: Sequence[int] = _WIDTHS) -> Array:
    """Move poses (H, 4, 4) to where their outlines lie in the picture, held by the coordinates (Gauss-Newton)."""
    for width in widths:
        matrix, right = _joint(poses, evidence, surface, width)
        matrix = matrix + 1e-3 * np.maximum(matrix, 1e-9) * np.eye(6)
        step = np.linalg.solve(matrix, right[..., None])[..., 0]
        turn = np.linalg.norm(step[:, 3:], axis=1, keepdims=True)
        moved = perturb(poses, step * np.minimum(1, _TURN / np.maximum(turn, 1e-9)))
        near = moved[:, 2, 3] < surface.model.diameter / 4  # nonsense: better to stay
        poses = np.where(near[:, None, None], poses, moved)
    return poses


def information(pose: Array, evidence: Evidence, surface: Surface) -> Array:
    """Gauss-Newton Hessian (6, 6) at a pose, as in `refine`."""
    return np.asarray(_joint(pose[None], evidence, surface, _WIDTHS[-1])[0][0])


def agreement(poses: Array, region: Region, surface: Surface) -> Array:
    """Share (H,) of the lines, hidden ones left out, that find the outline where it is drawn, 0..1."""
    lines = _lines(poses, region, surface)
    offset, _ = _measured(lines, region, 6)
    fits = np.exp(-0.5 * (offset / _TOLERANCE) ** 2)
    return np.asarray((lines.trust * fits).sum(axis=1) / np.maximum(lines.trust.sum(axis=1), 1e-6))


def _joint(poses: Array, evidence: Evidence, surface: Surface, width: int) -> tuple[Array, Array]:
    """Hessians (H, 6, 6) and downhill directions (H, 6) of outlines and coordinates together."""
    region = evidence.region
    assert region is not None
    lines = _lines(poses, region, surface)
    offset, certainty = _measured(lines, region, width)
    arms = np.moveaxis(poses[:, :3, :3] @ np.swapaxes(lines.points, 1, 2), 1, 0)  # (3, H, N)
    rows = pixel_rows(region.K, arms + poses[:, :3, 3].T[..., None], arms)
    across = (rows[:, 0] * lines.normals[..., 0] + rows[:, 1] * lines.normals[..., 1]).transpose(1, 0, 2)  # (H, 6, N)
    weighted = across * (lines.trust * certainty)[:, None]
    _, by_coordinates, downhill = linearise(poses, evidence, Prior(evidence.origin))
    matrix = weighted @ np.swapaxes(across, 1, 2) + _PRIOR * by_coordinates
    return matrix, (weighted @ offset[..., None])[..., 0] + _PRIOR * downhill


def _measured(lines: _Lines, region: Region, width: int) -> tuple[Array, Array]:
    """How far outwards (H, N), pixels, each line finds the object's edge, and one over the variance of that (H, N)."""
    steps = np.arange(-width, width + 1)
    along = (lines.places[:, :, None] + steps[:, None] * lines.normals[:, :, None]).astype(np.float32)
    along = along.reshape(-1, len(steps), 2)
    odds = cv2.remap(region.odds, along[..., 0], along[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # an edge at step d has the object up to there and the surroundings behind: all odds up to d speak for it
    support = _TRUST * (np.cumsum(odds, axis=1) - odds / 2) - steps**2 / (2 * (_REACH * width) ** 2)
    share = np.exp(support - support.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    mean = share @ steps
    variance = np.maximum(share @ steps**2 - mean**2, 0)
    return mean.reshape(lines.trust.shape), (1 / (1 + variance)).reshape(lines.trust.shape)


def _lines(poses: Array, region: Region, surface: Surface) -> _Lines:
    size = len(region.odds)
    cover = splat(poses, surface, resize_K(region.K, 0.5, 0.5), size // 2, _DRAWN).cover
    points, places, normals, told = _along(poses, surface.creases, region.K)
    ahead, behind = (_at(cover, (places + side * normals - 0.5) / 2) for side in (_BESIDE, -_BESIDE))
    normals = np.where((ahead > behind)[..., None], -normals, normals)
    rim = told[:, None] & (np.minimum(ahead, behind) < 0.25) & (np.maximum(ahead, behind) > 0.25)
    rim &= ((places > 1) & (places < size - 2)).all(axis=2)
    count = rim.sum(axis=1)
    rank = np.linspace(0, np.maximum(count - 1, 0), _LINES, axis=1).astype(int)
    chosen = np.take_along_axis(np.argsort(~rim, axis=1, kind="stable"), rank, axis=1)[..., None]
    points, places, normals = (np.take_along_axis(each, chosen, axis=1) for each in (points, places, normals))
    hidden = _at(region.hidden[None], places - _BESIDE * normals)
    share = np.where(count < _FEWEST, 0, np.minimum(1.0, count / _LINES))  # few lines told often count as few
    return _Lines(points, places, normals, share[:, None] * np.clip(1 - _HIDDEN * hidden, 0, 1))


def _along(poses: Array, creases: Creases, K: Array) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
    """Points (H, M, 3) evenly along all outlines of each pose, hidden ones too; their pixels (H, M, 2) and normals
    (H, M, 2), of any sign; and which poses (H,) have an outline."""
    rotations, shifts = poses[:, :3, :3], poses[:, :3, 3]
    eyes = -np.einsum("hij,hi->hj", rotations, shifts)
    owner, number = np.nonzero(creases.outlines(eyes))
    first, second = creases.ends[number].T
    camera = rotations @ creases.vertices.T + shifts[..., None]  # (H, 3, V)
    pixels = np.swapaxes((K @ camera)[:, :2] / np.maximum(camera[:, 2:], 1e-3), 1, 2)
    begin = pixels[owner, first]
    step = pixels[owner, second] - begin
    length = np.linalg.norm(step, axis=1)
    behind = np.cumsum(length)
    bounds = np.searchsorted(owner, np.arange(len(poses) + 1))
    ends = np.append(0.0, behind)[bounds]
    whole = np.diff(ends)
    told = (whole > 0) & (whole < 1e6)
    if not told.any():
        nothing = np.zeros((len(poses), 3 * _LINES, 3))
        return nothing, nothing[..., :2], nothing[..., :2], told
    at = ends[:-1, None] + (np.arange(3 * _LINES) + 0.5) * (whole[:, None] / (3 * _LINES))
    edge = np.clip(np.searchsorted(behind, at), bounds[:-1, None], np.maximum(bounds[1:, None] - 1, 0))
    edge = np.minimum(edge, len(length) - 1)  # of poses without an outline: anything
    share = (1 - (behind[edge] - at) / np.maximum(length[edge], 1e-9))[..., None]
    normals = np.stack([step[edge, 1], -step[edge, 0]], axis=-1) / np.maximum(length[edge], 1e-9)[..., None]
    start = creases.vertices[first[edge]]
    return start + share * (creases.vertices[second[edge]] - start), begin[edge] + share * step[edge], normals, told


def _at(pictures: Map, places: Array) -> Map:
    """Values of pictures (H or 1, S, S) at the nearest pixels to places (H, N, 2); 0 outside."""
    nearest = np.rint(np.clip(places, -2, pictures.shape[1] + 1)).astype(int)
    inside = ((nearest >= 0) & (nearest < pictures.shape[1])).all(axis=2)
    nearest = nearest.clip(0, pictures.shape[1] - 1)
    which = np.arange(len(pictures))[:, None]
    return np.where(inside, pictures[which, nearest[..., 1], nearest[..., 0]], np.float32(0))
