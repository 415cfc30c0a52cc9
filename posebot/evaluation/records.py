"""Records of an evaluation, one per image: ground truth, estimates, and the errors of every estimate.

Errors are slow to compute and computed once per image; scores are computed from the records within seconds. One record
is one line of `frames.jsonl`, so that an interrupted evaluation can resume.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from posebot.core.transforms import Array


@dataclass(frozen=True)
class GroundTruthInstance:
    """One annotated object. target: whether it is a localisation target. box: xyxy of its visible part, pixels."""

    obj_id: int
    visib_fract: float
    distance_m: float
    target: bool
    box: list[float] | None


@dataclass(frozen=True)
class EvaluatedEstimate:
    """One estimate and its errors against each ground-truth instance of the same object.

    Attributes:
        score: ranks the poses; box_score: ranks the boxes, None: as the poses. cam_from_obj: 4x4 metres, None for a
            detection without a pose. box (xyxy, pixels), p_correct, regions: None where the source (a csv) has none.
        regions: radii (metres, radians) of the regions of confidence, one for each of `calibration.LEVELS`.
        truths: indices (G,) of the image's instances of the same object.
        errors: by name, (G,), or (G, T) of a metric with tolerances: those of the metrics (MSSD, ADD, ADI in metres,
            MSPD in pixels of the image, VSD 0..1), translation, center (metres), rotation (radians), mahalanobis
            (squared), nll (nats), alternatives ((G, A) MSSD of each alternative pose).
        alternatives: alternative poses (4x4 each) of the estimate, best first.
    """

    obj_id: int
    score: float
    cam_from_obj: Array | None = None
    box: list[float] | None = None
    status: str = ""
    p_correct: float | None = None
    regions: list[list[float]] | None = None
    truths: list[int] = field(default_factory=list)
    errors: dict[str, Array] = field(default_factory=dict)
    alternatives: list[Array] = field(default_factory=list)
    box_score: float | None = None


@dataclass(frozen=True)
class ImageRecord:
    """One image.

    Attributes:
        inst_count: number of target instances by object. seconds: run time of the source, None if unknown.
        depth: whether the image has depth, so that metrics that need it are known.
    """

    frame_id: str
    width: int
    truths: tuple[GroundTruthInstance, ...]
    estimates: tuple[EvaluatedEstimate, ...]
    inst_count: dict[int, int]
    seconds: float | None = None
    depth: bool = False

    def to_json(self) -> str:
        """One line of JSON; infinite errors become null."""
        return json.dumps({
            "frame_id": self.frame_id, "width": self.width, "seconds": self.seconds, "depth": self.depth,
            "inst_count": {str(obj_id): count for obj_id, count in self.inst_count.items()},
            "truths": [vars(truth) for truth in self.truths], "estimates": [_to_dict(e) for e in self.estimates],
        }, allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> ImageRecord:
        """Inverse of `to_json`. Raises ValueError, KeyError or TypeError on anything else."""
        data = json.loads(line)
        truths = tuple(GroundTruthInstance(**truth) for truth in data["truths"])
        return cls(data["frame_id"], int(data["width"]), truths,
                   tuple(_from_dict(estimate) for estimate in data["estimates"]),
                   {int(obj_id): count for obj_id, count in data["inst_count"].items()}, data["seconds"], data["depth"])


def _to_dict(estimate: EvaluatedEstimate) -> dict[str, Any]:
    data = dict(vars(estimate))
    data["cam_from_obj"] = None if estimate.cam_from_obj is None else estimate.cam_from_obj.tolist()
    data["alternatives"] = [pose.tolist() for pose in estimate.alternatives]
    data["errors"] = {name: _nulls(values) for name, values in estimate.errors.items()}
    return data


def _from_dict(data: dict[str, Any]) -> EvaluatedEstimate:
    pose = data["cam_from_obj"]
    return EvaluatedEstimate(**{
        **data, "cam_from_obj": None if pose is None else np.asarray(pose, dtype=float),
        "alternatives": [np.asarray(other, dtype=float) for other in data.get("alternatives", ())],
        "errors": {name: np.array([[np.inf if v is None else v for v in row] if isinstance(row, list)
                                   else (np.inf if row is None else row) for row in values], dtype=float)
                   for name, values in data["errors"].items()},
    })


def _nulls(values: Array) -> list[Any]:
    return [_nulls(row) if np.ndim(row) else (float(row) if np.isfinite(row) else None) for row in values]
