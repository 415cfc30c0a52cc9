"""A further metric, as a user would add it: the 2-D projection error (Brachmann et al., CVPR 2016) at 5 pixels."""

from __future__ import annotations

import numpy as np

from posebot.core.camera import project
from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, apply
from posebot.evaluation.metrics import Metric, PosePairs


class Projection2d(Metric):
    """Recall of mean distances of projected vertices below 5 pixels."""

    name = "Proj2D"

    def errors(self, pairs: PosePairs) -> dict[str, Array]:
        vertices = pairs.eval_model.model.mesh.vertices
        est, gt = (np.stack([project(pairs.K, apply(pose, vertices)) for pose in poses]) for poses in pairs.flat)
        return {"proj2d": pairs.table(np.linalg.norm(est - gt, axis=-1).mean(axis=-1))}

    def thresholds(self, model: ObjectModel) -> Array:
        return np.array([5.0])
