"""How well a surface lies on a turned copy of itself, in shape and in print."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posebot.core.objects import Mesh
from posebot.core.transforms import Array, apply
from posebot.objects.baking import point_colors
from posebot.objects.geometry import sample_surface
from posebot.objects.symmetry_search import SelfSearch

_SAMPLES = 2000
_LIMIT_95, _LIMIT_99 = 0.02, 0.045
_NOISE, _OUTLIERS = 0.01, 9.0
_NEARLY = 0.06
_COLOR_STEP, _COLOR_SHARE = 40.0, 0.12


@dataclass(frozen=True)
class ShapeFit:
    """Distances between a surface and its turned copy, in diameters: mean, and what 95 and 99 % of it stay below."""

    mean: float
    most: float
    nearly_all: float

    @property
    def fits(self) -> bool:
        """95 % within 2 % of the diameter, 99 % within 4.5 %, and no part that stands out.

        A part stands out (a key way, a spout) if the worst 1 % are over 1 % of the diameter and over 9 times the mean.
        BOP's own rule (Hausdorff distance under 10 % of the diameter, or 15 mm) takes small parts less seriously.
        This one accepts the shapes' symmetries that BOP lists for LM-O and YCB-V, and refuses to turn a spanner over.
        """
        stands_out = self.nearly_all > max(_NOISE, _OUTLIERS * self.mean)
        return self.most < _LIMIT_95 and self.nearly_all < _LIMIT_99 and not stands_out

    @property
    def nearly_fits(self) -> bool:
        """Not a symmetry, but easily taken for one: 99 % of the surface within 6 % of the diameter."""
        return self.nearly_all < _NEARLY and not self.fits


class SelfFit:
    """Judges turns of a mesh."""

    def __init__(self, mesh: Mesh, search: SelfSearch, use_colors: bool) -> None:
        self._mesh, self._search = mesh, search
        self._points, faces, weights = sample_surface(mesh, _SAMPLES, seed=5)
        self._colors = point_colors(mesh, faces, weights) if use_colors else None

    def shape(self, transform: Array) -> ShapeFit:
        """How the surface moved by `transform` (4x4) lies on the surface."""
        distances = self._search.surface.nearest(apply(transform, self._points))[0] / self._search.diameter
        most, nearly_all = np.percentile(distances, [95, 99])
        return ShapeFit(float(distances.mean()), float(most), float(nearly_all))

    def print_fits(self, transform: Array) -> bool:
        """Whether at most 12 % of the surface meets a colour that is off by more than 40 of 255 (channels' mean).

        Scans of symmetric things differ on up to 9 % (YCB wood block), boxes and cans with prints on 20 to 75 %.
        """
        if self._colors is None:
            return True
        _, faces, weights = self._search.surface.nearest(apply(transform, self._points))
        colors = point_colors(self._mesh, faces, weights)
        if colors is None:
            return True
        return float(np.mean(np.abs(colors - self._colors).mean(axis=1) > _COLOR_STEP)) <= _COLOR_SHARE
