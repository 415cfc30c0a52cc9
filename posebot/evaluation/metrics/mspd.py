"""MSPD, the maximum symmetry-aware projection distance (Hodan et al., "BOP Challenge 2020", section 2.2)."""

from __future__ import annotations

import numpy as np

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array
from posebot.evaluation.metrics.metric import Metric, PosePairs
from posebot.evaluation.pose_errors import mspd

MSPD_THRESHOLDS = np.arange(5.0, 51.0, 5.0)
"""Pixels of an image that is NORM_WIDTH pixels wide."""
NORM_WIDTH = 640.0


class Mspd(Metric):
    """min over symmetries of max over vertices of the distance in the image, in pixels of a 640 pixels wide image."""

    name = "MSPD"
    counts_to_ar = True

    def errors(self, pairs: PosePairs) -> dict[str, Array]:
        vertices = pairs.eval_model.model.mesh.vertices
        return {"mspd": pairs.table(mspd(*pairs.flat, pairs.K, vertices, pairs.eval_model.symmetries))}

    def normalized(self, errors: Array, model: ObjectModel, image_width: int) -> Array:
        return errors * (NORM_WIDTH / image_width)

    def thresholds(self, model: ObjectModel) -> Array:
        return MSPD_THRESHOLDS
