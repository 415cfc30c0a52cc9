"""Templates of an object: small orthographic renderings of it from all directions, made once when a pipeline starts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, sphere
from posebot.stages.geometry.symmetry import symmetries
from posebot.stages.settings.observation import SurfaceSettings

Map = NDArray[np.float32]
CELLS = 16
SPAN = 1.15  # side of a rendering, in diameters


@dataclass(frozen=True)
class Templates:
    """Renderings of an object from V directions; in each, z points away from the viewer and lengths are in diameters.

    Attributes:
        rotations: (V, 3, 3), object to view. middles: (V, 2) centroid of the silhouette, seen from the origin.
        mask: (V, C) share of each cell that is covered; depth, depth2: (V, C) it times z, z squared.
        squares: (V, 4 C) it times p.p, then -2 x, -2 y, -2 z, of the object's points p.
    """

    rotations: Array
    middles: Array
    mask: Map
    depth: Map
    depth2: Map
    squares: Map


def build_templates(model: ObjectModel, points: Map, normals: Map, closed: bool, settings: SurfaceSettings
                    ) -> Templates:
    """Draw an object's surface points (P, 3) from all directions, symmetric views once. Some hundredths of a second."""
    rotations = _views(model, settings.template_views)
    count = settings.template_points
    points, normals = points[:count] / np.float32(model.diameter), normals[:count]
    view_points = np.einsum("vij,pj->vpi", rotations, points).astype(np.float32)
    front = (np.einsum("vj,pj->vp", rotations[:, 2], normals) < 0) if closed else np.ones(view_points.shape[:2], bool)
    fine = 2 * CELLS  # drawn at twice the resolution, then averaged
    low, high = view_points[..., :2].min(axis=1), view_points[..., :2].max(axis=1)
    middles = ((low + high) / 2).astype(float)
    index = np.stack([_draw(view_points[view], np.flatnonzero(front[view]), middles[view], fine)
                      for view in range(len(rotations))])
    mask = (index >= 0).astype(np.float32)
    z = np.take_along_axis(view_points[..., 2], index.reshape(len(index), -1).clip(0), axis=1).reshape(index.shape)
    drawn = points[index.clip(0)]
    cells = np.arange(fine) - (fine - 1) / 2
    area = np.maximum(mask.sum(axis=(1, 2)), 1)
    centroid = np.stack([mask.sum(axis=1) @ cells, mask.sum(axis=2) @ cells], axis=1) / area[:, None]
    middles += centroid * (SPAN / fine)
    shift = np.rint(centroid).astype(int)  # renderings are centered on the centroid
    middles -= (centroid - shift) * (SPAN / fine)
    squares = [_coarse(mask * (drawn**2).sum(axis=-1), shift),
               *(_coarse(-2 * mask * drawn[..., axis], shift) for axis in range(3))]
    return Templates(rotations, middles, _coarse(mask, shift), _coarse(mask * z, shift), _coarse(mask * z * z, shift),
                     np.concatenate(squares, axis=1))


def _draw(view_points: Map, front: NDArray[np.int64], middle: Array, size: int) -> NDArray[np.int64]:
    """Indices (size, size) of the nearest of the points (P, 3) in each cell; -1 = none. front: those to draw."""
    order = front[np.argsort(-view_points[front, 2])]  # the nearest is written last
    at = np.rint((view_points[order, :2] - middle) * (size / SPAN) + (size - 1) / 2).astype(int)
    at = np.clip(at, 0, size - 1)
    index = np.full((size, size), -1)
    index[at[:, 1], at[:, 0]] = order
    return _filled(index, view_points[:, 2])


def _filled(index: NDArray[np.int64], z: Map) -> NDArray[np.int64]:
    """Fill cells without a point, most of whose neighbours have one, with the nearest neighbour's."""
    padded = np.pad(index, 1, constant_values=-1)
    size = len(index)
    around = np.stack([padded[dy:dy + size, dx:dx + size] for dy in range(3) for dx in range(3)])
    holes = (index < 0) & ((around >= 0).sum(axis=0) >= 5)
    nearest = np.take_along_axis(around, np.argmin(np.where(around >= 0, z[around], np.inf), axis=0)[None], 0)[0]
    return np.where(holes, nearest, index)


def _coarse(image: Map, shift: NDArray[np.int64]) -> Map:
    """Renderings (V, 2 C, 2 C), each moved by its shift (V, 2), at half the resolution, flat (V, C * C)."""
    image = np.stack([np.roll(one, (-s[1], -s[0]), (0, 1)) for one, s in zip(image, shift)])
    return image.reshape(-1, CELLS, 2, CELLS, 2).mean(axis=(2, 4)).reshape(-1, CELLS * CELLS).astype(np.float32)


def _views(model: ObjectModel, count: int) -> Array:
    """Rotations (V, 3, 3), object to view, from all directions; of symmetric views, one."""
    same = symmetries(model)[:, :3, :3]
    near = np.cos(np.sqrt(4 * np.pi / count) * 0.6)
    kept: list[Array] = []
    for direction in sphere(count):
        if len(same) == 1 or not kept or (np.stack(kept) @ (same @ direction).T).max() < near:
            kept.append(direction)
    z = -np.stack(kept)  # the camera looks along -direction
    side = np.cross(np.eye(3)[np.argmin(np.abs(z), axis=1)], z)
    x = side / np.linalg.norm(side, axis=1, keepdims=True)
    return np.stack([x, np.cross(z, x), z], axis=1)
