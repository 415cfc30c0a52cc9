"""MSSD, the maximum symmetry-aware surface distance (Hodan et al., "BOP Challenge 2020", section 2.2)."""

from __future__ import annotations

import numpy as np

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array
from posebot.evaluation.metrics.metric import Metric, PosePairs
from posebot.evaluation.pose_errors import mssd

MSSD_THRESHOLDS = np.arange(0.05, 0.51, 0.05)
"""Shares of the object's diameter."""


class Mssd(Metric):
    """min over symmetries of max over vertices of the distance, in diameters."""

    name = "MSSD"
    counts_to_ar = True

    def errors(self, pairs: PosePairs) -> dict[str, Array]:
        vertices = pairs.eval_model.model.mesh.vertices
        return {"mssd": pairs.table(mssd(*pairs.flat, vertices, pairs.eval_model.symmetries))}

    def normalized(self, errors: Array, model: ObjectModel, image_width: int) -> Array:
        return errors / model.diameter

    def thresholds(self, model: ObjectModel) -> Array:
        return MSSD_THRESHOLDS
