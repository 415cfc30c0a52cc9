"""Candidate generation for rotational symmetries: axes and fold numbers that nearly map a surface onto itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posebot.core.objects import Mesh
from posebot.core.transforms import Array, apply, make, rotation_from_vector, sphere, vector_from_rotation
from posebot.objects.geometry import face_area_vectors, sample_surface
from posebot.objects.proximity import ProximityQuery

FOLDS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12)
_DIRECTIONS = 2000  # on a hemisphere: 3.2 degrees apart
_MAX_COARSE_ERROR = 0.035  # of the diameter: mean distance of a candidate before refinement
_MOMENT_TOLERANCE = 0.03  # of the trace: deviation of the second moments from those of a symmetric surface


@dataclass(frozen=True, eq=False)
class AxisRotation:
    """A rotation by 2 pi / fold about `axis` (unit vector) through `center` (metres)."""

    axis: Array
    center: Array
    fold: int

    @property
    def transform(self) -> Array:
        """4x4, metres."""
        return rotation_about(self.axis, self.center, 2 * np.pi / self.fold)


def rotation_about(axis: Array, center: Array, angle: float) -> Array:
    """4x4 rotation by `angle` (radians) about an axis through `center` (metres)."""
    rotation = rotation_from_vector(angle * axis)
    return make(rotation, center - rotation @ center)


class SymmetrySearch:
    """A mesh prepared for registration to rotated copies of itself."""

    def __init__(self, mesh: Mesh, diameter: float) -> None:
        from scipy.spatial import cKDTree

        self.diameter, self.surface = diameter, ProximityQuery(mesh)
        samples = sample_surface(mesh, 20_000, seed=1)[0]
        self.center = samples.mean(axis=0)  # invariant under any symmetry
        self.moments = np.cov((samples - self.center).T)
        self.points = samples[np.random.default_rng(2).permutation(len(samples))]
        self._tree = cKDTree(self.points[:5000])
        vectors = face_area_vectors(mesh)
        self.normals = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)

    def candidates(self, max_count: int = 24) -> list[AxisRotation]:
        """Refined rotations that nearly map the surface onto itself, best first, without duplicates."""
        unique: list[AxisRotation] = []
        for candidate in self._coarse(max_count):
            refined = self.refine(candidate)
            if refined is not None and not any(_is_similar(refined, other) for other in unique):
                unique.append(refined)
        return unique

    def _coarse(self, max_count: int) -> list[AxisRotation]:
        """Unrefined rotations with a small mean distance, best first, without neighbours of the same fold."""
        candidates = [AxisRotation(axis, self.center, fold) for axis in self._axes()
                 for fold in (FOLDS if self.has_equal_moments(axis) else FOLDS[:1])]
        errors = np.zeros(len(candidates))
        for probes, limit in ((30, 1.5 * _MAX_COARSE_ERROR), (150, _MAX_COARSE_ERROR)):  # few points reject most
            errors = self._mean_distances(candidates, probes)
            candidates, errors = [candidates[i] for i in np.flatnonzero(errors < limit)], errors[errors < limit]
        chosen: list[AxisRotation] = []
        for index in np.argsort(errors, kind="stable"):
            if len(chosen) < max_count and not any(_is_similar(candidates[index], other, 12.0) for other in chosen):
                chosen.append(candidates[index])
        return chosen

    def _mean_distances(self, candidates: list[AxisRotation], probes: int) -> Array:
        """Mean distance (N,), in diameters, from `probes` rotated points to the nearest surface samples."""
        if not candidates:
            return np.empty(0)
        vectors = np.stack([candidate.axis * (2 * np.pi / candidate.fold) for candidate in candidates])
        arms = self.points[-probes:] - self.center
        moved = arms @ np.swapaxes(rotation_from_vector(vectors), 1, 2) + self.center
        return np.asarray(self._tree.query(moved, eps=0.5)[0].mean(axis=1) / self.diameter)

    def _axes(self) -> Array:
        """Directions (N, 3) that are eigenvectors of the second moments, as every symmetry axis is."""
        principal = np.linalg.eigh(self.moments)[1].T
        directions = np.concatenate([np.eye(3), principal, sphere(2 * _DIRECTIONS)[:_DIRECTIONS]])
        product = directions @ self.moments
        along = np.einsum("ij,ij->i", product, directions)
        off = np.linalg.norm(product - along[:, None] * directions, axis=1)
        return directions[off < _MOMENT_TOLERANCE * np.trace(self.moments)]

    def round_axes(self) -> Array:
        """Principal directions (N, 3) that an n-fold symmetry with n > 2 may have."""
        principal = np.linalg.eigh(self.moments)[1].T
        return np.array([axis for axis in principal if self.has_equal_moments(axis)]).reshape(-1, 3)

    def has_equal_moments(self, axis: Array) -> bool:
        """Whether both second moments perpendicular to the axis are equal, as 3-fold and higher symmetry requires."""
        along = axis @ self.moments @ axis
        across = self.moments - along * np.outer(axis, axis)  # the part in the plane, as the axis is an eigenvector
        trace = np.trace(across)
        spread = np.sqrt(max(2 * float(np.sum(across * across)) - float(trace) ** 2, 0.0))  # of its eigenvalues
        return bool(spread < 2 * _MOMENT_TOLERANCE * np.trace(self.moments))

    def refine(self, candidate: AxisRotation, steps: int = 8) -> AxisRotation | None:
        """Refine by point-to-plane ICP; None if it converged to a different rotation angle."""
        transform, points = candidate.transform, self.points[:600]
        for _ in range(steps):
            transform = self._point_to_plane_step(transform, points)
        vector = vector_from_rotation(transform[:3, :3])
        if vector @ candidate.axis < 0:
            vector = -vector  # a rotation by 180° has two rotation vectors
        angle = float(np.linalg.norm(vector))
        if abs(angle - 2 * np.pi / candidate.fold) > np.deg2rad(6.0):
            return None
        axis = vector / angle
        shift = apply(transform, self.center[None])[0] - self.center
        fixed_point = self.center + np.linalg.lstsq(np.eye(3) - transform[:3, :3], shift, rcond=0.1)[0]
        return AxisRotation(axis, fixed_point, candidate.fold)

    def _point_to_plane_step(self, transform: Array, points: Array) -> Array:
        moved = apply(transform, points)
        distances, faces, weights = self.surface.closest(moved)
        targets = np.einsum("nk,nkd->nd", weights, self.surface.mesh.vertices[self.surface.mesh.faces[faces]])
        normals = self.normals[faces]
        weight_per_point = 1.0 / np.maximum(distances, max(float(np.median(distances)), 1e-3 * self.diameter))
        arms = moved - self.center
        rows = np.hstack([np.cross(arms, normals), normals]) * weight_per_point[:, None]
        residuals = np.einsum("ij,ij->i", targets - moved, normals) * weight_per_point
        scale = np.repeat([1.0 / self.diameter, 1.0], 3)  # comparable units for rotation and translation
        step = scale * np.linalg.lstsq(rows * scale, residuals, rcond=0.02)[0]
        return _step(step, self.center) @ transform


def _step(step: Array, center: Array) -> Array:
    """4x4 from (6,): a rotation vector about `center`, then a translation."""
    rotation = rotation_from_vector(step[:3])
    return make(rotation, center - rotation @ center + step[3:])


def _is_similar(one: AxisRotation, other: AxisRotation, degrees: float = 6.0) -> bool:
    return one.fold == other.fold and abs(float(one.axis @ other.axis)) > np.cos(np.deg2rad(degrees))
