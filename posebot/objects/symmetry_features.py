"""What breaks a symmetry: how much of the surface, how large, how deep. Facets of a curved surface do not count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Mesh
from posebot.core.transforms import Array, apply
from posebot.objects.geometry import edge_adjacency, face_area_vectors, face_areas, merge_vertices, sample_surface
from posebot.objects.proximity import ProximityQuery

MAX_EXACT_SHARE = 0.003  # of the surface: below it, nothing breaks the symmetry
_PROBES, _FEW = 4000, 300
_MAX_FACES = 8000  # that are probed one by one
_SMOOTH_ANGLE = np.deg2rad(32.0)  # between facets of one curved surface
_TOLERANCE = 0.002  # of the middle extent, beside the facets' own
_FACET_MARGIN = 1.3
_ALWAYS = 0.75  # of the turns at which a point deviates: it belongs to the feature


@dataclass(frozen=True)
class Feature:
    """What differs between a surface and its turned copies, beyond the facets of curved surfaces.

    Attributes:
        share: of the surface, that belongs to it. size: width of its largest piece, metres.
        depth: how far it stands out, or goes in, metres. height: how far it changes the outline; 0 for a hole.
    """

    share: float = 0.0
    size: float = 0.0
    depth: float = 0.0
    height: float = 0.0

    def pixels(self, pixels_per_metre: float) -> float:
        """How wide it is in the picture; where it is spread over the surface, how deep."""
        return pixels_per_metre * (self.depth if self.spread else self.size)

    @property
    def spread(self) -> bool:
        """Whether it is no piece that stands out or goes in, but the surface as a whole, such as a thread."""
        return self.share > 0.25

    @property
    def exact(self) -> bool:
        """Nothing differs."""
        return self.share < MAX_EXACT_SHARE


class Deviation:
    """Compares a mesh with turned copies of itself, to the accuracy of its facets."""

    def __init__(self, mesh: Mesh, diameter: float) -> None:
        self.diameter = diameter
        self._mesh = mesh
        self._surface = ProximityQuery(mesh, samples=60_000, neighbours=8, every_face=True)
        self._facets, self._hull = facet_tolerance(mesh), _hull_planes(mesh)
        self._points, self._faces, self._weights = _probes(mesh)
        self._floor = _TOLERANCE * float(np.sort(_principal_extents(self._points))[1])
        self._few = np.random.default_rng(3).permutation(_PROBES)[:_FEW]  # of those that are spread by area

    def feature(self, transforms: Sequence[Array], few: bool = False) -> Feature:
        """What breaks the symmetry under `transforms` (4x4 each); `few`: share and depth alone, from few points."""
        chosen = self._few if few else np.arange(len(self._points))
        measured = [self._distances(transform, chosen) for transform in transforms]
        beyond = np.stack([distances > tolerance for distances, tolerance in measured])
        worst = np.max([distances for distances, _ in measured], axis=0)
        often: NDArray[np.bool_] = beyond.mean(axis=0) >= _ALWAYS
        weights = self._weights[chosen]
        total = weights.sum()
        passing = float((weights * (beyond & ~often)).sum() / len(transforms))
        own = float(weights[often].sum())
        if own + passing == 0:
            return Feature()
        flagged = np.asarray(often if own > 0 else beyond.any(axis=0), bool)
        depth = float(np.quantile(worst[flagged], 0.95))
        height = max(self._above_hull(transform, chosen[flagged]) for transform in transforms)
        return Feature((own + passing) / total, 0.0 if few else self._piece_width(flagged), depth, height)

    def mean_distance(self, transforms: Sequence[Array]) -> float:
        """Mean distance, metres, that large deviations do not dominate."""
        limit = 0.02 * self.diameter
        return float(np.mean([np.average(np.minimum(self._distances(transform, self._few)[0], limit),
                                         weights=self._weights[self._few]) for transform in transforms]))

    def _distances(self, transform: Array, chosen: NDArray[np.int64]) -> tuple[Array, Array]:
        """Distances (N,) of turned points to the surface, and what facets explain of them (N,)."""
        moved = apply(transform, self._points[chosen])
        distances, faces, _ = self._surface.closest(moved)
        tolerance = self._tolerance(chosen, faces)
        doubtful = np.flatnonzero(distances > tolerance)  # or a closer triangle was not among the few that were tried
        if 0 < len(doubtful) < 0.3 * len(chosen):
            distances[doubtful], faces[doubtful], _ = self._surface.closest(moved[doubtful], 48)
            tolerance = self._tolerance(chosen, faces)
        return distances, tolerance

    def _above_hull(self, transform: Array, chosen: NDArray[np.int64]) -> float:
        """How far turned points stand out of the convex hull, metres: the 90th percentile; 0 if they do not."""
        moved = apply(transform, self._points[chosen])
        above = (moved @ self._hull[:, :3].T + self._hull[:, 3]).max(axis=1)
        return max(0.0, float(np.quantile(above, 0.9)) - self._floor)

    def _tolerance(self, chosen: NDArray[np.int64], faces: NDArray[np.int64]) -> Array:
        facets = np.maximum(self._facets[faces], self._facets[self._faces[chosen]])
        return np.asarray(_FACET_MARGIN * facets + self._floor, float)

    def _piece_width(self, flagged: NDArray[np.bool_]) -> float:
        """Second largest extent of the largest connected piece of the flagged faces: the width of a bore."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        faces = np.unique(self._faces[flagged])
        corners = merge_vertices(self._mesh)[1][faces]
        rows = np.concatenate([corners[:, 0], corners[:, 1]])
        columns = np.concatenate([corners[:, 1], corners[:, 2]])
        count = int(corners.max()) + 1
        labels = connected_components(coo_array((np.ones(len(rows)), (rows, columns)), shape=(count, count)),
                                      directed=False)[1][corners[:, 0]]
        areas = np.bincount(labels, weights=face_areas(self._mesh)[faces])
        piece = faces[labels == areas.argmax()]
        points = self._points[flagged & np.isin(self._faces, piece)]
        if len(np.unique(self._faces[flagged])) * 3 < 2 * len(self._mesh.faces):  # whole facets, seen to their corners
            points = np.concatenate([points, self._mesh.vertices[self._mesh.faces[self._small(piece)]].reshape(-1, 3)])
        return float(np.sort(_principal_extents(points))[1])

    def _small(self, faces: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of the faces that a single point stands for."""
        counts = np.bincount(self._faces, minlength=len(self._mesh.faces))
        return faces[counts[faces] <= 1]


def facet_tolerance(mesh: Mesh) -> Array:
    """How far (F,) each triangle may lie below the curved surface that it approximates, mesh units.

    A chord of length L of a circle, with an angle d to the next chord, lies L / 2 tan(d / 4) below the arc.
    """
    positions, faces = merge_vertices(mesh)
    vectors = face_area_vectors(mesh)
    lengths = np.linalg.norm(vectors, axis=1)
    normals = vectors / np.maximum(lengths, 1e-30)[:, None]
    edges, pairs = edge_adjacency(faces)
    inner = pairs[:, 1] >= 0
    edges, pairs = edges[inner], pairs[inner]
    angles = np.arccos(np.clip(np.einsum("ij,ij->i", normals[pairs[:, 0]], normals[pairs[:, 1]]), -1, 1))
    span = np.linalg.norm(positions[edges[:, 0]] - positions[edges[:, 1]], axis=1)
    chords = lengths[pairs].min(axis=1) / np.maximum(span, 1e-30)  # height of the lower triangle above the edge
    sagitta = np.where(angles < _SMOOTH_ANGLE, chords / 2 * np.tan(angles / 4), 0.0)
    tolerance = np.zeros(len(mesh.faces))
    for side in (0, 1):
        np.maximum.at(tolerance, pairs[:, side], sagitta)
    shared = tolerance.copy()  # the two triangles of a facet share an edge without an angle
    flat = angles < np.deg2rad(1.0)
    for side in (0, 1):
        np.maximum.at(shared, pairs[flat, side], tolerance[pairs[flat, 1 - side]])
    return shared


def _hull_planes(mesh: Mesh) -> Array:
    """The planes (P, 4) of the convex hull, normals outwards, equal ones once."""
    from scipy.spatial import ConvexHull

    planes = ConvexHull(mesh.vertices[np.unique(mesh.faces)]).equations
    return np.unique(planes.round(6), axis=0)[:: 1 + len(planes) // 4000]


def _probes(mesh: Mesh) -> tuple[Array, NDArray[np.int64], Array]:
    """Points (N, 3), their faces (N,) and the area (N,) that each stands for: spread by area, at least one a face."""
    points, faces, _ = sample_surface(mesh, _PROBES, seed=7)
    areas = face_areas(mesh)
    counts = np.bincount(faces, minlength=len(areas))
    missed = np.flatnonzero((counts == 0) & (areas > 0))
    if len(missed) > _MAX_FACES:
        missed = np.sort(np.random.default_rng(8).choice(missed, _MAX_FACES, replace=False))
    centres = mesh.vertices[mesh.faces[missed]].mean(axis=1)
    weights = np.concatenate([areas[faces] / counts[faces], areas[missed]])
    return np.concatenate([points, centres]), np.concatenate([faces, missed]), weights


def _principal_extents(points: Array) -> Array:
    """Extents (3,) along the principal axes."""
    centred = points - points.mean(axis=0)
    return np.ptp(centred @ np.linalg.eigh(centred.T @ centred)[1], axis=0)
