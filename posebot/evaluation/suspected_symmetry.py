"""Suspected symmetries: poses at the right place that are wrong by a turn about one and the same axis of the object.

The networks learn, and the evaluation asks for, what cannot be seen; declaring the symmetry mends both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, apply, inverse
from posebot.evaluation.localization import LocalizationTable
from posebot.evaluation.pose_errors import BOP_STEPS, nearest_equivalent
from posebot.evaluation.records import ImageRecord
from posebot.models.verdict import CORRECT
from posebot.objects.common_turn import CommonTurn, common_turn
from posebot.objects.geometry import surface_center


@dataclass(frozen=True)
class SuspectedSymmetry:
    """A turn that the poses of an object do not determine, of `wrong` wrong poses in all."""

    turn: CommonTurn
    wrong: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as in report.json."""
        return {"axis": list(self.turn.axis), "fold": self.turn.fold, "count": self.turn.count, "wrong": self.wrong,
                "flipped": self.turn.flipped, "option": self.turn.option}

    def describe(self, label: str) -> str:
        """One line: what was found, and what to do where the object looks the same after the turn."""
        share = f"{100 * self.turn.count / self.wrong:.0f} %"
        return (f"{label}: in {share} of the wrong poses ({self.turn.count} of {self.wrong}) the position is right and "
                f"only a {self.turn.name} is wrong: if the part looks the same then, declare it: posebot objects build "
                f"--symmetric {self.turn.option}")


def suspected_symmetry(est: Array, gt: Array, right: NDArray[np.bool_], model: ObjectModel) -> SuspectedSymmetry | None:
    """The turn that most wrong poses have in common; None where there is none or too few poses.

    A position is right where the centre of the surface is less than 10 % of the diameter off.

    Args:
        est, gt: cam_from_obj of estimates and of their ground truth (N, 4, 4), metres. right: (N,) whether the whole
            pose is right. model: its declared symmetries are taken out first, so that they are not found again.
    """
    if not len(est) or right.all():
        return None
    near = nearest_equivalent(est, gt, model.symmetry_transforms(BOP_STEPS))
    relative = inverse(near) @ est
    center = surface_center(model.mesh)
    placed = np.linalg.norm(apply(relative, center[None])[:, 0] - center, axis=1) < CORRECT * model.diameter
    wrong = int((~right).sum())
    turn = common_turn(relative[placed & ~right, :3, :3], wrong, int(placed.sum()))
    return None if turn is None else SuspectedSymmetry(turn, wrong)


def suspected_symmetries(records: Sequence[ImageRecord], rows: LocalizationTable, truths: Sequence[Array],
                         models: Mapping[int, ObjectModel]) -> dict[int, SuspectedSymmetry]:
    """The suspicions by object, from the estimates of its targets.

    Args:
        truths: cam_from_obj (G, 4, 4) of all instances, for each record.
    """
    found = {}
    for obj_id in np.unique(rows.obj_id).tolist():
        own = rows.rows((rows.obj_id == obj_id) & (rows.estimate >= 0))
        poses = [records[frame].estimates[index].cam_from_obj for frame, index in zip(own.frame, own.estimate)]
        est = np.array(poses, dtype=float).reshape(-1, 4, 4)  # a matched estimate has a pose
        gt = np.array([truths[frame][index] for frame, index in zip(own.frame, own.truth)]).reshape(-1, 4, 4)
        one = suspected_symmetry(est, gt, own.error[:, 0] < CORRECT, models[obj_id])
        if one is not None:
            found[obj_id] = one
    return found
