"""ADD, and ADD-S (ADI) of symmetric objects: average distance of vertices (Hinterstoisser et al., ACCV 2012)."""

from __future__ import annotations

import numpy as np

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array
from posebot.evaluation.metrics.metric import Metric, PosePairs
from posebot.evaluation.pose_errors import add, adi

ADD_THRESHOLD = 0.1
"""Share of the object's diameter."""
ADD_AUC_MAX = 0.1
"""Upper end of the accuracy-threshold curve, metres (PoseCNN, YCB-Video)."""


class Add(Metric):
    """Recall at 10 % of the diameter of ADD, or of ADD-S where the object is symmetric; area under the curve."""

    name = "ADD"
    auc_max = ADD_AUC_MAX

    def errors(self, pairs: PosePairs) -> dict[str, Array]:
        vertices = pairs.eval_model.model.mesh.vertices
        found = {"add": pairs.table(add(*pairs.flat, vertices))}
        if pairs.eval_model.model.symmetric:
            found["adi"] = pairs.table(adi(*pairs.flat, vertices))
        return found

    def error_name(self, model: ObjectModel) -> str:
        return "adi" if model.symmetric else "add"

    def thresholds(self, model: ObjectModel) -> Array:
        return np.array([ADD_THRESHOLD * model.diameter])
