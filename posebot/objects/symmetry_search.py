"""Candidates for rotational symmetries of a surface: which axes and which turns are worth a close look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posebot.core.objects import Mesh
from posebot.core.transforms import Array, apply, make, rotation_from_vector, sphere, vector_from_rotation
from posebot.objects.distance import Surface
from posebot.objects.geometry import face_vectors, sample_surface

FOLDS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12)
_DIRECTIONS = 2000  # on half a sphere: 3.2 degrees apart
_COARSE_FIT = 0.035  # of the diameter: mean distance that a candidate may have before it is refined
_MOMENT_SLACK = 0.03  # of the trace: how far second moments may be from those of a symmetric surface


@dataclass(frozen=True, eq=False)
class Turn:
    """A rotation by 2 pi / fold about `axis` (unit vector) through `center`."""

    axis: Array
    center: Array
    fold: int

    @property
    def transform(self) -> Array:
        return rotation_about(self.axis, self.center, 2 * np.pi / self.fold)


def rotation_about(axis: Array, center: Array, angle: float) -> Array:
    """4x4 rotation by `angle` (radians) about an axis through `center` (metres)."""
    rotation = rotation_from_vector(angle * axis)
    return make(rotation, center - rotation @ center)


class SelfSearch:
    """A mesh prepared for comparing it with turned copies of itself."""

    def __init__(self, mesh: Mesh, diameter: float) -> None:
        from scipy.spatial import cKDTree

        self.diameter, self.surface = diameter, Surface(mesh)
        cloud = sample_surface(mesh, 20_000, seed=1)[0]
        self.center = cloud.mean(axis=0)  # any symmetry leaves it where it is
        self.moments = np.cov((cloud - self.center).T)
        self.points = cloud[np.random.default_rng(2).permutation(len(cloud))]
        self._cloud = cKDTree(self.points[:5000])
        vectors = face_vectors(mesh)
        self.normals = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)

    def candidates(self, most: int = 24) -> list[Turn]:
        """Refined turns that nearly fit, the best first; at most `most`, none twice."""
        found: list[Turn] = []
        for turn in self._coarse(most):
            refined = self._refined(turn)
            if refined is not None and not any(_alike(refined, other) for other in found):
                found.append(refined)
        return found

    def _coarse(self, most: int) -> list[Turn]:
        """Unrefined turns whose mean distance is small, the best first, none near another of the same fold."""
        turns = [Turn(axis, self.center, fold) for axis in self._axes()
                 for fold in (FOLDS if self._round_about(axis) else FOLDS[:1])]
        errors = np.zeros(len(turns))
        for probes, limit in ((30, 1.5 * _COARSE_FIT), (150, _COARSE_FIT)):  # most are ruled out by a few points
            errors = self._mean_distances(turns, probes)
            turns, errors = [turns[i] for i in np.flatnonzero(errors < limit)], errors[errors < limit]
        chosen: list[Turn] = []
        for index in np.argsort(errors, kind="stable"):
            if len(chosen) < most and not any(_alike(turns[index], other, 12.0) for other in chosen):
                chosen.append(turns[index])
        return chosen

    def _mean_distances(self, turns: list[Turn], probes: int) -> Array:
        """Mean distance (N,), in diameters, of a few turned points from the nearest of many points of the surface."""
        if not turns:
            return np.empty(0)
        vectors = np.stack([turn.axis * (2 * np.pi / turn.fold) for turn in turns])
        arms = self.points[-probes:] - self.center
        moved = arms @ np.swapaxes(rotation_from_vector(vectors), 1, 2) + self.center
        return np.asarray(self._cloud.query(moved, eps=0.5)[0].mean(axis=1) / self.diameter)

    def _axes(self) -> Array:
        """Directions (N, 3) that are eigenvectors of the second moments, as every axis of symmetry is."""
        principal = np.linalg.eigh(self.moments)[1].T
        directions = np.concatenate([np.eye(3), principal, sphere(2 * _DIRECTIONS)[:_DIRECTIONS]])
        image = directions @ self.moments
        along = np.einsum("ij,ij->i", image, directions)
        off = np.linalg.norm(image - along[:, None] * directions, axis=1)
        return directions[off < _MOMENT_SLACK * np.trace(self.moments)]

    def _round_about(self, axis: Array) -> bool:
        """Whether the second moments across the axis are equal, as three-fold and higher symmetry needs."""
        along = axis @ self.moments @ axis
        across = self.moments - along * np.outer(axis, axis)  # for an eigenvector: what is left is the plane's part
        trace = np.trace(across)
        spread = np.sqrt(max(2 * float(np.sum(across * across)) - float(trace) ** 2, 0.0))  # of its two eigenvalues
        return bool(spread < 2 * _MOMENT_SLACK * np.trace(self.moments))

    def _refined(self, turn: Turn, steps: int = 8) -> Turn | None:
        """The turn after a few steps of point-to-plane alignment, or None if it slid away to another."""
        transform, points = turn.transform, self.points[:600]
        for _ in range(steps):
            transform = self._aligned(transform, points)
        vector = vector_from_rotation(transform[:3, :3])
        if vector @ turn.axis < 0:
            vector = -vector  # a half-turn has two rotation vectors
        angle = float(np.linalg.norm(vector))
        if abs(angle - 2 * np.pi / turn.fold) > np.deg2rad(6.0):
            return None
        axis = vector / angle
        shift = apply(transform, self.center[None])[0] - self.center
        fixed_point = self.center + np.linalg.lstsq(np.eye(3) - transform[:3, :3], shift, rcond=0.1)[0]
        return Turn(axis, fixed_point, turn.fold)

    def _aligned(self, transform: Array, points: Array) -> Array:
        moved = apply(transform, points)
        distances, faces, weights = self.surface.nearest(moved)
        targets = np.einsum("nk,nkd->nd", weights, self.surface.mesh.vertices[self.surface.mesh.faces[faces]])
        normals = self.normals[faces]
        trust = 1.0 / np.maximum(distances, max(float(np.median(distances)), 1e-3 * self.diameter))
        arms = moved - self.center
        rows = np.hstack([np.cross(arms, normals), normals]) * trust[:, None]
        wrong = np.einsum("ij,ij->i", targets - moved, normals) * trust
        scale = np.repeat([1.0 / self.diameter, 1.0], 3)  # rotations and shifts of like size
        step = scale * np.linalg.lstsq(rows * scale, wrong, rcond=0.02)[0]
        return _step(step, self.center) @ transform


def _step(step: Array, center: Array) -> Array:
    """4x4 from (6,): a rotation vector about `center`, then a shift."""
    rotation = rotation_from_vector(step[:3])
    return make(rotation, center - rotation @ center + step[3:])


def _alike(one: Turn, other: Turn, degrees: float = 6.0) -> bool:
    return one.fold == other.fold and abs(float(one.axis @ other.axis)) > np.cos(np.deg2rad(degrees))
