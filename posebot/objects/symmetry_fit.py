"""How well a surface matches a rotated copy of itself, in shape and in colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posebot.core.objects import Mesh
from posebot.core.transforms import Array, apply
from posebot.objects.baking import surface_colors
from posebot.objects.geometry import sample_surface
from posebot.objects.symmetry_search import SymmetrySearch

_SAMPLES = 2000
_MAX_P95, _MAX_P99 = 0.02, 0.045  # diameters
_FEATURE_P99, _FEATURE_RATIO = 0.01, 9.0  # diameters; p99 / mean
_NEAR_SYMMETRY_P99 = 0.06  # diameters
_MAX_COLOR_ERROR, _MAX_COLOR_OUTLIERS = 40.0, 0.12  # of 255; share of the surface


@dataclass(frozen=True)
class ShapeFit:
    """Distances between a surface and its rotated copy, in diameters: mean, 95th and 99th percentile."""

    mean: float
    p95: float
    p99: float

    @property
    def matches(self) -> bool:
        """A symmetry of the shape: p95 < 2 % and p99 < 4.5 % of the diameter, and no distinctive feature.

        A feature such as a keyway or a spout is distinctive if p99 exceeds 1 % of the diameter and 9 times the mean.
        BOP's criterion (Hausdorff distance below 10 % of the diameter, or 15 mm) is less sensitive to small features.
        This one accepts the symmetries of shape that BOP lists for LM-O and YCB-V, and rejects flipping a spanner.
        """
        has_feature = self.p99 > max(_FEATURE_P99, _FEATURE_RATIO * self.mean)
        return self.p95 < _MAX_P95 and self.p99 < _MAX_P99 and not has_feature

    @property
    def nearly_matches(self) -> bool:
        """A near symmetry, easily confused with one: p99 below 6 % of the diameter."""
        return self.p99 < _NEAR_SYMMETRY_P99 and not self.matches


class SymmetryFit:
    """Evaluates candidate symmetries of a mesh."""

    def __init__(self, mesh: Mesh, search: SymmetrySearch, use_colors: bool) -> None:
        self._mesh, self._search = mesh, search
        self._points, faces, weights = sample_surface(mesh, _SAMPLES, seed=5)
        self._colors = surface_colors(mesh, faces, weights) if use_colors else None

    def shape(self, transform: Array) -> ShapeFit:
        """Distances of the surface transformed by `transform` (4x4) to itself."""
        distances = self._search.surface.closest(apply(transform, self._points))[0] / self._search.diameter
        p95, p99 = np.percentile(distances, [95, 99])
        return ShapeFit(float(distances.mean()), float(p95), float(p99))

    def colors_match(self, transform: Array) -> bool:
        """Whether the colour error (channel mean) exceeds 40 of 255 on at most 12 % of the surface.

        Scans of symmetric objects differ on up to 9 % (YCB wood block), boxes and cans with a texture on 20 to 75 %.
        """
        if self._colors is None:
            return True
        _, faces, weights = self._search.surface.closest(apply(transform, self._points))
        colors = surface_colors(self._mesh, faces, weights)
        if colors is None:
            return True
        return float(np.mean(np.abs(colors - self._colors).mean(axis=1) > _MAX_COLOR_ERROR)) <= _MAX_COLOR_OUTLIERS
