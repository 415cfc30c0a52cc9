"""Template matching: a crop compared with an object's renderings from all directions, by matrix products.

The crop's evidence is resampled to the templates' cells: as seen along the ray through the mask's centroid, at its
distance, rotated in the image plane by equal steps and shifted a little. How well they agree (silhouette by overlap,
depth and object coordinates by mean squared difference) is then a handful of matrix products for all templates.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import rays
from posebot.core.transforms import Array, rotation_from_vector
from posebot.stages.geometry.compiled import compiled
from posebot.stages.geometry.templates import CELLS, SPAN, Templates
from posebot.stages.observation.evidence import Evidence
from posebot.stages.settings.hypotheses import TemplateSettings

Map = NDArray[np.float32]
_SIZE = 32  # of the maps that are resampled


def match_templates(templates: Templates | None, evidence: Evidence, depth: bool) -> Array:
    """The best poses (H, 4, 4) that differ by more than 24 degrees, best first; H as in `TemplateSettings`, or less.

    With depth, the distance is that of the readings in the visible mask, otherwise the one that the network predicts.
    """
    assert templates is not None
    settings = evidence.settings.hypotheses.templates
    factor, diameter = len(evidence.visible) / _SIZE, evidence.model.diameter
    amodal, visible = (cv2.resize(mask, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
                       for mask in (evidence.amodal, evidence.visible))
    centroid = _centroid(amodal if amodal.sum() > 1 else visible)
    ray = rays(evidence.K, (centroid + 0.5) * factor - 0.5)
    cam_from_ray = _rotation_to_ray(ray)
    maps, distance = _maps(evidence, visible, amodal, cam_from_ray, depth)
    scales = (1.0,) if depth else settings.scales
    angles, shifts, places = _placements(scales, settings.rotations, settings.shift)
    cell_px = evidence.focal / factor * np.linalg.norm(ray) * diameter * SPAN / CELLS / distance
    total, offset = _agreement(templates, _columns(maps, places, float(cell_px), centroid), depth, settings)
    per_angle = len(scales) * 5
    # shift and scale for each view and rotation
    best = total.reshape(len(total), settings.rotations, per_angle).argmax(axis=2)
    column = np.arange(settings.rotations) * per_angle + best
    value = np.take_along_axis(total, column, axis=1)
    order = np.argsort(-value, axis=None)[:settings.ranked]
    view, rotation = np.unravel_index(order, value.shape)
    chosen = column[view, rotation]
    poses = _poses(templates, view, angles[chosen], shifts[chosen] * (SPAN / CELLS), offset[view, chosen], cam_from_ray,
                   distance, diameter)
    count = settings.with_depth if depth else settings.from_colour
    return poses[_distinct(poses[:, :3, :3], count, settings.min_angle_deg)]


@cache
def _placements(scales: tuple[float, ...], rotations: int, cells: float) -> tuple[Array, Array, Map]:
    """All rotations, scales and shifts (by `cells`) that are tried: angles (T,), shifts (T, 2) and places
    of the cells (T, C, 2)."""
    cell = np.arange(CELLS) - (CELLS - 1) / 2
    grid = np.stack(np.meshgrid(cell, cell), axis=-1).reshape(-1, 2)
    angles, shifts, places = [], [], []
    for angle in np.arange(rotations) * 2 * np.pi / rotations:
        cos, sin = np.cos(angle), np.sin(angle)
        rotated = grid @ np.array([[cos, sin], [-sin, cos]])  # rows: Rot(angle) @ cell
        for scale in scales:
            for shift in np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]]) * cells:
                angles.append(angle)
                shifts.append(shift)
                places.append(scale * rotated + shift)
    return np.array(angles), np.array(shifts), np.array(places, np.float32)


def _columns(maps: Map, places: Map, cell_px: float, centroid: Array) -> Map:
    """Channels (N, C, T) of maps (S, S, N), averaged over a cell, at the places of the cells (T, C, 2)."""
    width = max(1, round(cell_px))
    blurred = cv2.blur(maps, (width, width), borderType=cv2.BORDER_CONSTANT).reshape(*maps.shape)
    columns = np.zeros((maps.shape[-1], places.shape[1], len(places)), np.float32)
    _gather(blurred.astype(np.float32, copy=False), places, cell_px, centroid, columns)
    return columns


@compiled
def _gather(maps: Map, places: Map, pixel: float, centroid: Array, columns: Map) -> None:
    """Fill columns (N, C, T) from maps (S, S, N) at the nearest pixels to `centroid + pixel * places` (T, C, 2)."""
    for t in range(places.shape[0]):
        for c in range(places.shape[1]):
            u = np.floor(places[t, c, 0] * pixel + centroid[0] + 0.5)
            v = np.floor(places[t, c, 1] * pixel + centroid[1] + 0.5)
            if 0 <= u < len(maps) and 0 <= v < len(maps):
                for n in range(len(columns)):
                    columns[n, c, t] = maps[int(v), int(u), n]


def _maps(evidence: Evidence, visible: Map, amodal: Map, cam_from_ray: Array, depth: bool) -> tuple[Map, float]:
    """Channels (S, S, N) of the evidence, and the distance along the ray, metres."""
    size, diameter, settings = len(visible), evidence.model.diameter, evidence.settings.hypotheses.templates
    weight, points = np.zeros((size, size), np.float32), np.zeros((size, size, 3), np.float32)
    at = np.rint((evidence.pixels + 0.5) * (size / len(evidence.visible)) - 0.5).astype(int).clip(0, size - 1)
    error = evidence.sigma / diameter
    weight[at[:, 1], at[:, 0]] = evidence.weight / (error**2 + settings.coordinate_error**2)
    points[at[:, 1], at[:, 0]] = evidence.coordinates / diameter
    channels = [amodal, weight, *np.moveaxis(weight[..., None] * points, 2, 0), weight * (points**2).sum(axis=-1)]
    if not depth:
        return np.stack(channels, axis=-1).astype(np.float32), float(np.linalg.norm(evidence.origin))
    relative, trust, distance = _relative_depth(evidence, visible, cam_from_ray)
    channels += [trust, trust * relative, trust * relative**2]
    return np.stack(channels, axis=-1).astype(np.float32), distance


def _relative_depth(evidence: Evidence, visible: Map, cam_from_ray: Array) -> tuple[Map, Map, float]:
    """Depth along the ray relative to its median (S, S), diameters; its weight (S, S); and the median, metres."""
    assert evidence.points is not None
    z = (evidence.points[1::2, 1::2] @ cam_from_ray[:, 2].astype(np.float32))
    read = (z > 0) & (visible > 0.5)
    if not read.any():
        read = z > 0
    distance = float(np.median(z[read]))
    limit = evidence.settings.hypotheses.templates.max_depth
    relative = np.clip((z - distance) / evidence.model.diameter, -limit, limit)
    return relative, visible**2 * (z > 0), distance


def _agreement(templates: Templates, columns: Map, depth: bool, settings: TemplateSettings) -> tuple[Map, Map]:
    """Score (V, T) of each template and column, and how much farther (V, T) the object is than assumed, diameters."""
    amodal, weight = columns[:2]
    common, covered, error = (templates.mask @ np.concatenate([amodal, weight, columns[5]], axis=1)).reshape(
        len(templates.mask), 3, -1).transpose(1, 0, 2)
    area = templates.mask.sum(axis=1, keepdims=True)
    overlap = common / (area + amodal.sum(axis=0) - common)
    covered = np.maximum(covered, 1e-6)
    # squares of differences: those of either side, and twice the product, in one sum
    error = error + templates.squares @ columns[1:5].reshape(-1, columns.shape[-1])
    # weights are 1 / variance, so that this is the mean of squared errors in units of their own variance
    trusted = np.maximum(weight.sum(axis=0), 1e-6)
    fit = 1 / (1 + error / covered / settings.coordinate_error**2 / 4)
    total = settings.mask_weight * overlap + settings.coordinate_weight * fit * covered / trusted
    if not depth:
        return total, np.zeros_like(total)
    agree, offset = _depth_agreement(templates, columns[6:], settings.depth_error)
    return total + settings.depth_weight * agree, offset


def _depth_agreement(templates: Templates, columns: Map, depth_error: float) -> tuple[Map, Map]:
    """Agreement (V, T) of depth, 0..1, and the mean difference (V, T), diameters. columns: trust, it times z, z^2."""
    trust, first, second = columns
    count = np.maximum(templates.mask @ trust, 1e-6)
    measured, drawn = (templates.mask @ first) / count, (templates.depth @ trust) / count
    square = (templates.mask @ second + templates.depth2 @ trust - 2 * templates.depth @ first) / count
    variance = np.maximum(square - (measured - drawn) ** 2, 0)
    agree = np.exp(-0.5 * variance / depth_error**2) * count / np.maximum(trust.sum(axis=0), 1e-6)
    return agree, measured - drawn


def _poses(templates: Templates, view: NDArray[np.int64], angles: Array, shifts: Array, offsets: Map,
           cam_from_ray: Array, distance: float, diameter: float) -> Array:
    rotation = rotation_from_vector(angles[:, None] * np.array([0, 0, 1.0]))
    place = np.zeros((len(view), 3))
    place[:, :2] = shifts - (rotation[:, :2, :2] @ templates.middles[view][..., None])[..., 0]
    place[:, 2] = offsets
    poses = np.tile(np.eye(4), (len(view), 1, 1))
    poses[:, :3, :3] = cam_from_ray @ rotation @ templates.rotations[view]
    poses[:, :3, 3] = (place * diameter + [0, 0, distance]) @ cam_from_ray.T
    return poses


def _rotation_to_ray(ray: Array) -> Array:
    """The smallest rotation that takes z to the direction of a ray."""
    direction = ray / np.linalg.norm(ray)
    axis = np.cross([0, 0, 1.0], direction)
    sine = np.linalg.norm(axis)
    return rotation_from_vector(axis / max(float(sine), 1e-12) * np.arctan2(sine, direction[2]))


def _centroid(mask: Map) -> Array:
    steps = np.arange(len(mask))
    return np.array([mask.sum(axis=0) @ steps, mask.sum(axis=1) @ steps]) / max(float(mask.sum()), 1e-6)


def _distinct(rotations: Array, count: int, min_angle_deg: float) -> list[int]:
    """Indices of the first `count` rotations, in order, without those near an earlier one."""
    flat = rotations.reshape(-1, 9).astype(np.float32)
    same = (flat @ flat.T - 1) / 2 > np.cos(np.radians(min_angle_deg))
    kept: list[int] = []
    free = np.ones(len(flat), bool)
    while free.any() and len(kept) < count:
        first = int(np.argmax(free))
        kept.append(first)
        free &= ~same[first]
    return kept
