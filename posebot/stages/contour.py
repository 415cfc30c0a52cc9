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

from posebot.core.camera import project, resize_K
from posebot.core.transforms import Array, apply, perturb
from posebot.stages.creases import Creases
from posebot.stages.evidence import Evidence
from posebot.stages.pnp import Prior, linearise, projection_jacobian
from posebot.stages.region import Region
from posebot.stages.splat import splat
from posebot.stages.surface import Surface

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
    places = np.einsum("hij,hnj->hni", poses[:, :3, :3], lines.points)
    by_pose = projection_jacobian(region.K, (places + poses[:, None, :3, 3]).reshape(-1, 3), places.reshape(-1, 3))
    across = np.einsum("ni,nij->nj", lines.normals.reshape(-1, 2), by_pose).reshape(*offset.shape, 6)
    weighted = across * (lines.trust * certainty)[..., None]
    matrix = np.swapaxes(weighted, 1, 2) @ across
    right = np.einsum("hni,hn->hi", weighted, offset)
    prior = Prior(evidence.origin)
    for number, pose in enumerate(poses):
        _, by_coordinates, downhill = linearise(pose, evidence, prior)
        matrix[number] += _PRIOR * by_coordinates
        right[number] += _PRIOR * downhill
    return matrix, right


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
    size = len(region.odds) // 2
    drawn = splat(poses, surface, resize_K(region.K, 0.5, 0.5), size, _DRAWN).cover
    found = [_outline(pose, cover, region, surface.creases) for pose, cover in zip(poses, drawn, strict=True)]
    return _Lines(*(np.stack(parts) for parts in zip(*found, strict=True)))


def _outline(pose: Array, cover: Map, region: Region, creases: Creases) -> tuple[Array, Array, Array, Array]:
    """One pose's lines, see `_Lines`. `cover`: (S/2, S/2) its silhouette."""
    points, places, normals = _along(pose, creases, region.K)
    size = len(region.odds)
    ahead, behind = (_at(cover, (places + side * normals - 0.5) / 2) for side in (_BESIDE, -_BESIDE))
    normals = np.where((ahead > behind)[:, None], -normals, normals)
    rim = (np.minimum(ahead, behind) < 0.25) & (np.maximum(ahead, behind) > 0.25)
    rim &= ((places > 1) & (places < size - 2)).all(axis=1)
    chosen = np.flatnonzero(rim)
    if len(chosen) < _FEWEST:
        return np.tile([0.0, 0, 1], (_LINES, 1)), np.zeros((_LINES, 2)), np.zeros((_LINES, 2)), np.zeros(_LINES)
    chosen = chosen[np.linspace(0, len(chosen) - 1, _LINES).astype(int)]
    points, places, normals = points[chosen], places[chosen], normals[chosen]
    hidden = _at(region.hidden, places - _BESIDE * normals)
    share = min(1.0, rim.sum() / _LINES)  # few lines told often count as few
    return points, places, normals, share * np.clip(1 - _HIDDEN * hidden, 0, 1)


def _along(pose: Array, creases: Creases, K: Array) -> tuple[Array, Array, Array]:
    """Points (M, 3) evenly along all outlines, hidden ones too; their pixels (M, 2) and normals (M, 2), of any sign."""
    rotation, shift = pose[:3, :3], pose[:3, 3]
    ends = creases.vertices[creases.outlines(-rotation.T @ shift)]  # (E, 2, 3)
    camera = apply(pose, ends.reshape(-1, 3))
    camera[:, 2] = np.maximum(camera[:, 2], 1e-3)
    pixels = project(K, camera).reshape(-1, 2, 2)
    step = pixels[:, 1] - pixels[:, 0]
    length = np.linalg.norm(step, axis=1)
    behind = np.cumsum(length)
    whole = float(behind[-1]) if len(behind) else 0.0
    if not 0 < whole < 1e6:
        return np.zeros((0, 3)), np.zeros((0, 2)), np.zeros((0, 2))
    at = (np.arange(3 * _LINES) + 0.5) * (whole / (3 * _LINES))
    edge = np.minimum(np.searchsorted(behind, at), len(length) - 1)
    share = (1 - (behind[edge] - at) / np.maximum(length[edge], 1e-9))[:, None]
    normals = np.stack([step[edge, 1], -step[edge, 0]], axis=1) / np.maximum(length[edge], 1e-9)[:, None]
    return (ends[edge, 0] + share * (ends[edge, 1] - ends[edge, 0]), pixels[edge, 0] + share * step[edge], normals)


def _at(picture: Map, places: Array) -> Map:
    """Values of a picture (S, S) at the nearest pixels to places (N, 2); 0 outside."""
    nearest = np.rint(places).astype(int)
    inside = ((nearest >= 0) & (nearest < len(picture))).all(axis=1)
    nearest = nearest.clip(0, len(picture) - 1)
    return np.where(inside, picture[nearest[:, 1], nearest[:, 0]], np.float32(0))
