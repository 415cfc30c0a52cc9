"""A first guess at how an object is turned: its crop compared with thousands of small drawings, by matrix products.

Each object is drawn once from directions all round it, orthographically, in `CELLS` x `CELLS` cells. What a crop says
is brought to the same cells: as seen along the ray through the mask's middle, at its distance, turned in the picture
plane by equal steps and shifted a little. How well they agree, silhouette by overlap, depth and object coordinates by
mean squared difference, is then a handful of matrix products, however many the drawings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import rays
from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, rotation_from_vector, sphere
from posebot.stages.posing.compiled import compiled
from posebot.stages.posing.evidence import Evidence
from posebot.stages.posing.symmetry import symmetries

Map = NDArray[np.float32]
CELLS = 16
_SPAN = 1.15  # side of the drawing, in diameters
_VIEWS, _TURNS = 200, 20
_SHIFT = 1.5  # cells
_SCALES = (0.88, 1.0, 1.13)  # tried where the distance is only guessed
_POINTS = 2500
_DEEP = 0.5  # of the diameter: sensed depth is cut off this far before and behind the middle
_DEPTH_ERROR, _COORDINATE_ERROR = 0.06, 0.10  # of the diameter: what a neighbouring drawing is off by
_APART = np.cos(np.radians(24))  # guesses nearer than this to a better one are left out


@dataclass(frozen=True)
class Templates:
    """An object from V directions; in each drawing z is towards the viewer's far side, lengths are in diameters.

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


def build_templates(model: ObjectModel, points: Map, normals: Map, closed: bool) -> Templates:
    """Draw an object's surface points (P, 3) from everywhere, symmetric views once. Some hundredths of a second."""
    rotations = _views(model)
    points, normals = points[:_POINTS] / np.float32(model.diameter), normals[:_POINTS]
    seen = np.einsum("vij,pj->vpi", rotations, points).astype(np.float32)
    front = (np.einsum("vj,pj->vp", rotations[:, 2], normals) < 0) if closed else np.ones(seen.shape[:2], bool)
    fine = 2 * CELLS  # drawn twice as fine, then averaged
    low, high = seen[..., :2].min(axis=1), seen[..., :2].max(axis=1)
    middles = ((low + high) / 2).astype(float)
    images = []
    for view in range(len(rotations)):
        chosen = np.flatnonzero(front[view])
        chosen = chosen[np.argsort(-seen[view, chosen, 2])]  # the nearest is written last
        at = np.rint((seen[view, chosen, :2] - middles[view]) * (fine / _SPAN) + (fine - 1) / 2).astype(int)
        at = np.clip(at, 0, fine - 1)
        index = np.full((fine, fine), -1)
        index[at[:, 1], at[:, 0]] = chosen
        images.append(_closed(index, seen[view, :, 2]))
    index = np.stack(images)
    mask = (index >= 0).astype(np.float32)
    z = np.take_along_axis(seen[..., 2], index.reshape(len(index), -1).clip(0), axis=1).reshape(index.shape)
    place = points[index.clip(0)]
    cells = np.arange(fine) - (fine - 1) / 2
    area = np.maximum(mask.sum(axis=(1, 2)), 1)
    centre = np.stack([mask.sum(axis=1) @ cells, mask.sum(axis=2) @ cells], axis=1) / area[:, None]
    middles += centre * (_SPAN / fine)
    shift = np.rint(centre).astype(int)  # drawings are centred on the centroid

    def coarse(image: Map) -> Map:
        image = np.stack([np.roll(one, (-s[1], -s[0]), (0, 1)) for one, s in zip(image, shift)])
        return image.reshape(-1, CELLS, 2, CELLS, 2).mean(axis=(2, 4)).reshape(-1, CELLS * CELLS).astype(np.float32)

    middles -= (centre - shift) * (_SPAN / fine)
    squares = [coarse(mask * (place**2).sum(axis=-1)), *(coarse(-2 * mask * place[..., axis]) for axis in range(3))]
    return Templates(rotations, middles, coarse(mask), coarse(mask * z), coarse(mask * z * z),
                     np.concatenate(squares, axis=1))


def _closed(index: NDArray[np.int64], z: Map) -> NDArray[np.int64]:
    """Cells without a point, most of whose neighbours have one, take the nearest neighbour's."""
    padded = np.pad(index, 1, constant_values=-1)
    size = len(index)
    around = np.stack([padded[dy:dy + size, dx:dx + size] for dy in range(3) for dx in range(3)])
    holes = (index < 0) & ((around >= 0).sum(axis=0) >= 5)
    nearest = np.take_along_axis(around, np.argmin(np.where(around >= 0, z[around], np.inf), axis=0)[None], 0)[0]
    return np.where(holes, nearest, index)


def _views(model: ObjectModel) -> Array:
    """Rotations (V, 3, 3) that look at the object from all sides, one for each that its symmetries leave different."""
    alike = symmetries(model)[:, :3, :3]
    near = np.cos(np.sqrt(4 * np.pi / _VIEWS) * 0.6)
    kept: list[Array] = []
    for direction in sphere(_VIEWS):
        if len(alike) == 1 or not kept or (np.stack(kept) @ (alike @ direction).T).max() < near:
            kept.append(direction)
    z = -np.stack(kept)  # the camera looks along -direction
    side = np.cross(np.eye(3)[np.argmin(np.abs(z), axis=1)], z)
    x = side / np.linalg.norm(side, axis=1, keepdims=True)
    return np.stack([x, np.cross(z, x), z], axis=1)


@cache
def _columns(scales: tuple[float, ...]) -> tuple[Array, Array, Map]:
    """Every turn, shift and scale that is tried: angles (T,), shifts (T, 2) and where cells come from (T, C, 2)."""
    cell = np.arange(CELLS) - (CELLS - 1) / 2
    grid = np.stack(np.meshgrid(cell, cell), axis=-1).reshape(-1, 2)
    angles, shifts, places = [], [], []
    for angle in np.arange(_TURNS) * 2 * np.pi / _TURNS:
        cos, sin = np.cos(angle), np.sin(angle)
        turned = grid @ np.array([[cos, sin], [-sin, cos]])  # rows: Rot(angle) @ cell
        for scale in scales:
            for shift in np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]]) * _SHIFT:
                angles.append(angle)
                shifts.append(shift)
                places.append(scale * turned + shift)
    return np.array(angles), np.array(shifts), np.array(places, np.float32)


def guess(templates: Templates | None, evidence: Evidence, depth: bool, count: int) -> Array:
    """The `count` best poses (H, 4, 4) that differ by more than 24 degrees, best first, or as many as there are.

    With depth the distance is that of the readings in the visible mask, else the one that the network guesses.
    """
    assert templates is not None
    size, factor = 32, len(evidence.visible) / 32
    diameter = evidence.model.diameter
    amodal, visible = (cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
                       for mask in (evidence.amodal, evidence.visible))
    centre = _centroid(amodal if amodal.sum() > 1 else visible)
    ray = rays(evidence.K, (centre + 0.5) * factor - 0.5)
    upright = _to_ray(ray)
    maps, distance = _maps(evidence, visible, amodal, upright, depth)
    scales = (1.0,) if depth else _SCALES
    angles, shifts, places = _columns(scales)
    pixel = evidence.focal / factor * np.linalg.norm(ray) * diameter * _SPAN / CELLS / distance  # of a cell
    width = max(1, round(float(pixel)))
    blurred = cv2.blur(maps.reshape(size, size, -1), (width, width), borderType=cv2.BORDER_CONSTANT)
    columns = np.zeros((maps.shape[-1], places.shape[1], len(places)), np.float32)
    _gather(blurred.astype(np.float32, copy=False), places, float(pixel), centre, columns)
    total, offset = _agreement(templates, columns, depth)
    per = len(scales) * 5
    best = total.reshape(len(total), _TURNS, per).argmax(axis=2)  # the best shift for each view and turn
    column = np.arange(_TURNS) * per + best
    value = np.take_along_axis(total, column, axis=1)
    order = np.argsort(-value, axis=None)[:400]
    view, turn = np.unravel_index(order, value.shape)
    chosen = column[view, turn]
    poses = _poses(templates, view, angles[chosen], shifts[chosen] * (_SPAN / CELLS), offset[view, chosen], upright,
                   distance, diameter)
    return poses[_spread_out(poses[:, :3, :3], count)]


@compiled
def _gather(maps: Map, places: Map, pixel: float, centre: Array, columns: Map) -> None:
    """Fill columns (N, C, T) from maps (S, S, N) at the nearest pixels to `centre + pixel * places` (T, C, 2)."""
    for t in range(places.shape[0]):
        for c in range(places.shape[1]):
            u = np.floor(places[t, c, 0] * pixel + centre[0] + 0.5)
            v = np.floor(places[t, c, 1] * pixel + centre[1] + 0.5)
            if 0 <= u < len(maps) and 0 <= v < len(maps):
                for n in range(len(columns)):
                    columns[n, c, t] = maps[int(v), int(u), n]


def _maps(evidence: Evidence, visible: Map, amodal: Map, upright: Array, depth: bool) -> tuple[Map, float]:
    """Channels (32, 32, N) of what was seen, and the distance along the ray, metres."""
    size = len(visible)
    diameter = evidence.model.diameter
    channels = [amodal]
    weight, places = np.zeros((size, size), np.float32), np.zeros((size, size, 3), np.float32)
    at = np.rint((evidence.pixels + 0.5) * (size / len(evidence.visible)) - 0.5).astype(int).clip(0, size - 1)
    error = evidence.sigma / diameter
    weight[at[:, 1], at[:, 0]] = evidence.weight / (error**2 + _COORDINATE_ERROR**2)
    places[at[:, 1], at[:, 0]] = evidence.coordinates / diameter
    channels += [weight, *np.moveaxis(weight[..., None] * places, 2, 0), weight * (places**2).sum(axis=-1)]
    distance = float(np.linalg.norm(evidence.origin))
    if depth:
        assert evidence.points is not None
        z = (evidence.points[1::2, 1::2] @ upright[:, 2].astype(np.float32))
        read = (z > 0) & (visible > 0.5)
        if not read.any():
            read = z > 0
        distance = float(np.median(z[read]))
        relative = np.clip((z - distance) / diameter, -_DEEP, _DEEP)
        trust = visible**2 * (z > 0)
        channels += [trust, trust * relative, trust * relative**2]
    return np.stack(channels, axis=-1).astype(np.float32), distance


def _agreement(templates: Templates, columns: Map, depth: bool) -> tuple[Map, Map]:
    """Score (V, T) of each drawing and column, 0..1, and how much farther (V, T) the object is than guessed."""
    amodal, weight = columns[:2]
    common, heard, error = (templates.mask @ np.concatenate([amodal, weight, columns[5]], axis=1)).reshape(
        len(templates.mask), 3, -1).transpose(1, 0, 2)
    area = templates.mask.sum(axis=1, keepdims=True)
    overlap = common / (area + amodal.sum(axis=0) - common)
    heard = np.maximum(heard, 1e-6)
    # squares of differences: those of either side, and twice the product, in one sum
    error = error + templates.squares @ columns[1:5].reshape(-1, columns.shape[-1])
    # weights are 1 / variance, so that this is the mean of squared errors in units of their own variance
    trusted = np.maximum(weight.sum(axis=0), 1e-6)
    fit = 1 / (1 + error / heard / _COORDINATE_ERROR**2 / 4)
    total = 2.0 * overlap + 1.0 * fit * heard / trusted
    if not depth:
        return total, np.zeros_like(total)
    trust, first, second = columns[6:]
    count = np.maximum(templates.mask @ trust, 1e-6)
    seen, drawn = (templates.mask @ first) / count, (templates.depth @ trust) / count
    square = (templates.mask @ second + templates.depth2 @ trust - 2 * templates.depth @ first) / count
    variance = np.maximum(square - (seen - drawn) ** 2, 0)
    agree = np.exp(-0.5 * variance / _DEPTH_ERROR**2) * count / np.maximum(trust.sum(axis=0), 1e-6)
    return total + 2.0 * agree, seen - drawn


def _poses(templates: Templates, view: NDArray[np.int64], angles: Array, shifts: Array, offsets: Map, upright: Array,
           distance: float, diameter: float) -> Array:
    turn = rotation_from_vector(angles[:, None] * np.array([0, 0, 1.0]))
    place = np.zeros((len(view), 3))
    place[:, :2] = shifts - (turn[:, :2, :2] @ templates.middles[view][..., None])[..., 0]
    place[:, 2] = offsets
    poses = np.tile(np.eye(4), (len(view), 1, 1))
    poses[:, :3, :3] = upright @ turn @ templates.rotations[view]
    poses[:, :3, 3] = (place * diameter + [0, 0, distance]) @ upright.T
    return poses


def _to_ray(ray: Array) -> Array:
    """The smallest rotation that takes z to the direction of a ray."""
    direction = ray / np.linalg.norm(ray)
    axis = np.cross([0, 0, 1.0], direction)
    sine = np.linalg.norm(axis)
    return rotation_from_vector(axis / max(float(sine), 1e-12) * np.arctan2(sine, direction[2]))


def _centroid(mask: Map) -> Array:
    steps = np.arange(len(mask))
    return np.array([mask.sum(axis=0) @ steps, mask.sum(axis=1) @ steps]) / max(float(mask.sum()), 1e-6)


def _spread_out(rotations: Array, count: int) -> list[int]:
    """Indices of rotations, in order, without those near an earlier one."""
    flat = rotations.reshape(-1, 9).astype(np.float32)
    alike = (flat @ flat.T - 1) / 2 > _APART
    kept: list[int] = []
    free = np.ones(len(flat), bool)
    while free.any() and len(kept) < count:
        first = int(np.argmax(free))
        kept.append(first)
        free &= ~alike[first]
    return kept
