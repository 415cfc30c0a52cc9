"""Whether depth images are in the unit that was stated: a wrong `depth_scale` is an error of a factor, which shows."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10

import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import Camera
from posebot.core.objects import ObjectModel
from posebot.core.results import FrameResult
from posebot.core.transforms import Array

_NEAREST, _FARTHEST = 0.05, 20.0  # metres: no depth camera measures a scene outside
_USUAL = 0.7  # metres: median depth of a workplace, to name the likely scale
_SEEN_SHARE = 0.75  # longer side of an object's box over its diameter, in the median over orientations
_TOO_LARGE, _TOO_SMALL = 3.0, 0.2  # ratios beyond half an order of magnitude
_ENOUGH = 3  # objects, before a run has ended
USUAL_SCALES = (1.0, 0.1)
"""Millimetres per unit: most cameras; posebot's own images and YCB-Video."""


def depth_ratio(depth: NDArray[np.float32], box: Array, diameter: float, camera: Camera) -> float | None:
    """Measured depth in the middle of a box over the distance at which an object of this size fills the box.

    About 1 where the unit is right (0.4 to 1.3: an object is seen from any side, and may be hidden in part).

    Args:
        depth: (H, W) metres, 0 = no reading. box: (4,) pixels, x0 y0 x1 y1. diameter: metres.
    Returns:
        None where the box has no area or no reading.
    """
    x0, y0, x1, y1 = (float(value) for value in box)
    side = max(x1 - x0, y1 - y0)
    rows, columns = (slice(max(0, round(low + (high - low) / 4)), max(0, round(high - (high - low) / 4)) + 1)
                     for low, high in ((y0, y1), (x0, x1)))
    middle = depth[rows, columns]
    readings = middle[middle > 0]
    if side <= 0 or not readings.size:
        return None
    distance = float(np.sqrt(camera.K[0, 0] * camera.K[1, 1])) * _SEEN_SHARE * diameter / side
    return float(np.median(readings)) / distance


def likely_scale(scale: float, factor: float) -> float:
    """The scale that is probably right where depths come out `factor` times too large: one of `USUAL_SCALES` if it is
    within a factor of 3, else the nearest power of ten times `scale`."""
    wanted = scale / factor
    usual = min(USUAL_SCALES, key=lambda value: abs(log10(value / wanted)))
    if abs(log10(usual / wanted)) < log10(3) and usual != scale:
        return usual
    decades = max(1, round(abs(log10(factor))))
    return scale / 10**decades if factor > 1 else scale * 10**decades


class DepthCheck:
    """Looks at the depth of each frame; says once what is wrong with its scale.

    Args:
        objects: with their diameters. scale: the stated millimetres per unit. where: the file that states it.
    """

    def __init__(self, objects: Sequence[ObjectModel], scale: float, where: str) -> None:
        self._diameters = {model.obj_id: model.diameter for model in objects}
        self._scale, self._where = scale, where
        self._ratios: list[float] = []
        self._done = False

    def add(self, depth: NDArray[np.float32] | None, result: FrameResult) -> str:
        """The warning, one line, or ""."""
        if self._done or depth is None:
            return ""
        readings = depth[depth > 0]
        median = float(np.median(readings)) if readings.size else _USUAL
        if not _NEAREST <= median <= _FARTHEST:
            return self._warning(f"the median depth of {result.frame_id} is {median:.3g} m", median / _USUAL)
        for estimate in result.estimates:
            if estimate.obj_id in self._diameters:
                ratio = depth_ratio(depth, estimate.box_xyxy, self._diameters[estimate.obj_id], result.camera)
                self._ratios += [] if ratio is None else [ratio]
        return self._by_objects() if len(self._ratios) >= _ENOUGH else ""

    def close(self) -> str:
        """The warning, one line, or "", where a run ended after few objects."""
        return self._by_objects() if self._ratios and not self._done else ""

    def _by_objects(self) -> str:
        ratio = float(np.median(self._ratios))
        if _TOO_SMALL < ratio < _TOO_LARGE:
            return ""
        return self._warning(f"depths are {ratio:.2g} times what the sizes of the found objects suggest", ratio)

    def _warning(self, finding: str, factor: float) -> str:
        self._done = True
        return (f"{self._where}: depth_scale {self._scale:g} looks wrong: {finding}; probably "
                f"{likely_scale(self._scale, factor):g} (millimetres per unit of the depth images)")
