"""What a metric is: pose errors of estimates against ground truth, and the thresholds that make a recall of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array
from posebot.evaluation.pose_errors import BOP_STEPS
from posebot.objects.geometry import surface_center


@dataclass(frozen=True)
class EvalModel:
    """An object as it is evaluated: the model (mesh from `models_eval`), its symmetries (S, 4, 4), its centre (3,)."""

    model: ObjectModel
    symmetries: Array
    center: Array

    @classmethod
    def of(cls, model: ObjectModel) -> EvalModel:
        """The model with continuous symmetries discretised as BOP does."""
        return cls(model, model.symmetry_transforms(BOP_STEPS), surface_center(model.mesh))


@dataclass(frozen=True)
class PosePairs:
    """E estimates and G ground-truth poses of one object in one image; errors are computed for all E x G pairs.

    Attributes:
        est: cam_from_obj (E, 4, 4). gt: cam_from_obj (G, 4, 4). eval_model: the object. K: (3, 3), pixels.
        depth: the sensor's depth (H, W), metres along z, 0 = no reading; None where the image has none.
    """

    est: Array
    gt: Array
    eval_model: EvalModel
    K: Array
    depth: NDArray[np.floating] | None = None

    @cached_property
    def flat(self) -> tuple[Array, Array]:
        """All pairs, (E * G, 4, 4) each, the ground truth running fastest."""
        return np.repeat(self.est, len(self.gt), axis=0), np.tile(self.gt, (len(self.est), 1, 1))

    def table(self, values: Array) -> Array:
        """Errors of `flat` as (E, G)."""
        return values.reshape(len(self.est), len(self.gt))


class Metric(ABC):
    """A recall over thresholds of a pose error, averaged over the thresholds.

    Attributes:
        name: in reports. counts_to_ar: whether the recall is part of AR, the mean of such recalls (BOP19).
        requires_depth: the recall is None unless all images of an evaluation have depth.
        tolerances: length T of the errors' third axis, 0 where they have none. Each tolerance is matched by itself.
        auc_max: upper end of the area under the recall curve, in the unit of the stored error; None: no such figure.
            It is reported as `{name}_AUC`.
    """

    name: str
    counts_to_ar: bool = False
    requires_depth: bool = False
    tolerances: int = 0
    auc_max: float | None = None

    @abstractmethod
    def errors(self, pairs: PosePairs) -> Mapping[str, Array]:
        """Named errors (E, G), or (E, G, T) with `tolerances`; they are stored in `frames.jsonl`.

        Names are unique over all metrics. Nothing is returned where the error is not defined (no depth).
        """

    @abstractmethod
    def thresholds(self, model: ObjectModel) -> Array:
        """(H,) an estimate is correct where its normalised error is below the threshold."""

    def error_name(self, model: ObjectModel) -> str:
        """The stored error that the recall is computed from."""
        return self.name.lower()

    def normalized(self, errors: Array, model: ObjectModel, image_width: int) -> Array:
        """Stored errors in the unit of the thresholds."""
        return errors
