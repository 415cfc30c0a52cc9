"""What an evaluation remembers of one picture: its truths, its estimates, and every estimate's errors.

Computing errors is slow and done once per picture; scores are computed from these records in a moment. One record is
one line of `frames.jsonl`, so that an evaluation that was killed goes on where it was.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from posebot.core.transforms import Array

ERRORS = ("mssd", "mspd", "add", "adi", "translation", "rotation", "mahalanobis", "nll", "vsd")
"""Metres (MSSD, ADD, ADI, translation), pixels of the picture (MSPD), radians (rotation), squared sigmas (Mahalanobis),
nats (NLL), 0..1 (VSD)."""


@dataclass(frozen=True)
class Truth:
    """One annotated object. target: whether localisation asks for it. box: xyxy of its visible part, pixels."""

    obj_id: int
    visib_fract: float
    distance_m: float
    target: bool
    box: list[float] | None


@dataclass(frozen=True)
class Judged:
    """One estimate and how far it is from each truth of the same object.

    Attributes:
        score: ranks the poses; box_score: ranks the boxes, None: as the poses. cam_from_obj: 4x4 metres, None for a
            detection without a pose. box, p_correct, regions: None where the source (a csv) does not tell them.
        regions: radii (metres, radians) that hold in each of `calibration.LEVELS`.
        truths: indices (T,) of the picture's truths of the same object. errors: name of `ERRORS` to (T,), VSD (T, 10),
            "alternatives" (MSSD (T, A) of each of them, where there are any).
        alternatives: other poses (4x4 each) that were told beside this one, best first.
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
class Record:
    """One picture.

    Attributes:
        inst_count: how many instances of each object localisation asks for. seconds: that the source took, None if
            unknown. depth: whether the picture has a depth image, so that VSD is known of every estimate.
    """

    frame_id: str
    width: int
    truths: tuple[Truth, ...]
    estimates: tuple[Judged, ...]
    inst_count: dict[int, int]
    seconds: float | None = None
    depth: bool = False

    def to_json(self) -> str:
        """One line; infinite errors become null."""
        return json.dumps({
            "frame_id": self.frame_id, "width": self.width, "seconds": self.seconds, "depth": self.depth,
            "inst_count": {str(obj_id): count for obj_id, count in self.inst_count.items()},
            "truths": [vars(truth) for truth in self.truths], "estimates": [_estimate(e) for e in self.estimates],
        }, allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> Record:
        """Inverse of `to_json`. Raises ValueError, KeyError or TypeError on anything else, such as half a line."""
        data = json.loads(line)
        return cls(data["frame_id"], int(data["width"]), tuple(Truth(**truth) for truth in data["truths"]),
                   tuple(_judged(estimate) for estimate in data["estimates"]),
                   {int(obj_id): count for obj_id, count in data["inst_count"].items()}, data["seconds"], data["depth"])


def _estimate(judged: Judged) -> dict[str, Any]:
    data = dict(vars(judged))
    data["cam_from_obj"] = None if judged.cam_from_obj is None else judged.cam_from_obj.tolist()
    data["alternatives"] = [pose.tolist() for pose in judged.alternatives]
    data["errors"] = {name: _nulls(values) for name, values in judged.errors.items()}
    return data


def _judged(data: dict[str, Any]) -> Judged:
    pose = data["cam_from_obj"]
    return Judged(**{
        **data, "cam_from_obj": None if pose is None else np.asarray(pose, dtype=float),
        "alternatives": [np.asarray(other, dtype=float) for other in data.get("alternatives", ())],
        "errors": {name: np.array([[np.inf if v is None else v for v in row] if isinstance(row, list)
                                   else (np.inf if row is None else row) for row in values], dtype=float)
                   for name, values in data["errors"].items()},
    })


def _nulls(values: Array) -> list[Any]:
    return [_nulls(row) if np.ndim(row) else (float(row) if np.isfinite(row) else None) for row in values]
