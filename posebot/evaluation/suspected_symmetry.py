"""Suspected symmetries: poses at the right place that are wrong by a turn about one and the same axis of the object.

Where an object looks the same after such a turn, no image can tell the poses apart. The networks learn, and the
evaluation asks for, what cannot be seen; declaring the symmetry mends both. Whether it does look the same is for the
user to say: the poses tell only how often they are confused.

A rotation is split into its turn about an axis and the rest (swing and twist): with the unit quaternion (v, w), the
rest is a rotation by 2 arccos sqrt(w² + (v · axis)²), and the turn one by 2 atan2(v · axis, w). Of a random rotation,
w² + (v · axis)² is uniform on [0, 1] (the quaternion is uniform on the sphere S³), so that for a given axis a random
wrong rotation passes for a turn about it with a probability of 1 - cos²(REST / 2), 1.7 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import cos, radians
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Mesh, ObjectModel
from posebot.core.transforms import Array, apply, inverse, quaternion_from_rotation
from posebot.evaluation.certainty import CORRECT_MSSD
from posebot.evaluation.localization import LocalizationTable
from posebot.evaluation.pose_errors import BOP_STEPS, nearest_equivalent
from posebot.evaluation.records import ImageRecord
from posebot.objects.geometry import face_areas

PLACE = 0.1
"""Distance of the surface's centre from the true one, in diameters, below which a position is right."""
REST = radians(15.0)
"""Largest rotation that may remain beside the turn: it moves no point by more than 13 % of the diameter."""
LEAST_TURN = radians(25.0)
"""Smaller rotations are imprecision, and about any axis."""
FEWEST, LEAST_SHARE, LEAST_RATE = 6, 0.3, 0.15
"""A symmetry is suspected with this many such poses, that are this share of the wrong ones, and this share of all at
the right place: a part that looks the same after N turns is confused in up to (N - 1) / N of them."""
FOLDS = (2, 3, 4, 5, 6, 8)
_CONCENTRATED, _AT_ZERO = 0.75, radians(30.0)  # of N times the turns' angles: mean resultant length, and its direction
_SNAP = cos(radians(8.0))
_DIRECTIONS = np.array([d for d in product((0, 1, -1), repeat=3) if any(d) and d[np.flatnonzero(d)[0]] > 0], float)
"""Axes, edges and diagonals of a cube: what axes of symmetry mostly are."""


@dataclass(frozen=True)
class SuspectedSymmetry:
    """A turn that the poses of an object do not determine.

    Attributes:
        axis: unit vector in the object's frame; a simple direction such as x or (0, 1, -1) where one is near.
        fold: N where the turns are multiples of 360 / N degrees, 0: any angle.
        count: wrong poses that are right but for this turn. wrong: all wrong poses.
    """

    axis: tuple[float, float, float]
    fold: int
    count: int
    wrong: int

    @property
    def axis_text(self) -> str:
        """Such as "x" or "0,1,-1"."""
        numbers = np.round(np.array(self.axis) / np.abs(self.axis).max(), 2) + 0.0  # no "-0"
        return "xyz"[int(numbers.argmax())] if np.abs(numbers).sum() == 1 else ",".join(f"{n:g}" for n in numbers)

    @property
    def option(self) -> str:
        """The value of --symmetric that declares it."""
        return f"{self.axis_text}/{self.fold}" if self.fold else self.axis_text

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as in report.json."""
        return {"axis": list(self.axis), "fold": self.fold, "count": self.count, "wrong": self.wrong,
                "option": self.option}

    def describe(self, label: str) -> str:
        """One line: what was found, and what to do where the object looks the same after the turn."""
        turn = {0: "a turn", 2: "a half-turn"}.get(self.fold, f"a turn by {360 / max(self.fold, 1):g}°")
        axis = self.axis_text if len(self.axis_text) == 1 else f"({self.axis_text.replace(',', ', ')})"
        return (f"{label}: in {self.count / self.wrong:.0%} of the wrong poses ({self.count} of {self.wrong}) the "
                f"position is right and only {turn} about {axis} is wrong: if the part looks the same then, declare "
                f"it: posebot objects build --symmetric {self.option}").replace("%", " %")


def suspected_symmetry(est: Array, gt: Array, right: NDArray[np.bool_], model: ObjectModel) -> SuspectedSymmetry | None:
    """The turn that most wrong poses have in common; None where there is none or too few poses.

    Args:
        est, gt: cam_from_obj of estimates and of their ground truth (N, 4, 4), metres. right: (N,) whether the whole
            pose is right. model: its declared symmetries are taken out first, so that they are not found again.
    """
    if not len(est) or right.all():
        return None
    near = nearest_equivalent(est, gt, model.symmetry_transforms(BOP_STEPS))
    relative = np.stack([inverse(truth) @ pose for truth, pose in zip(near, est)])
    center = surface_center(model.mesh)
    placed = np.linalg.norm(apply(relative, center[None])[:, 0] - center, axis=1) < PLACE * model.diameter
    quaternions = quaternion_from_rotation(relative[placed & ~right, :3, :3])
    if not len(quaternions):
        return None
    axis, turned = _common_axis(quaternions)
    count, wrong = int(turned.sum()), int((~right).sum())
    if count < max(FEWEST, LEAST_SHARE * wrong, LEAST_RATE * placed.sum()):
        return None
    turns = 2 * np.arctan2(quaternions[turned, :3] @ axis, quaternions[turned, 3])
    x, y, z = (float(value) for value in axis)
    return SuspectedSymmetry((x, y, z), _fold(turns), count, wrong)


def surface_center(mesh: Mesh) -> Array:
    """Centre of the mesh's surface (3,), metres: every axis of symmetry goes through it, wherever the origin is."""
    areas = face_areas(mesh)
    return np.asarray(areas @ mesh.vertices[mesh.faces].mean(axis=1) / areas.sum())


def _common_axis(quaternions: Array) -> tuple[Array, NDArray[np.bool_]]:
    """The axis (3,) about which most of the rotations (xyzw, (N, 4)) are turns, and which of them are."""
    vectors = quaternions[:, :3]
    best = max([*_unit(_DIRECTIONS), *_unit(vectors)], key=lambda axis: int(_turns_about(axis, quaternions).sum()))
    turned = _turns_about(best, quaternions)
    if not turned.any():
        return best, turned
    axis = np.linalg.eigh(vectors[turned].T @ vectors[turned])[1][:, -1]  # the middle of their axes
    likeness = _unit(_DIRECTIONS) @ axis
    nearest = int(np.abs(likeness).argmax())
    axis = _unit(_DIRECTIONS)[nearest] if abs(likeness[nearest]) > _SNAP else axis * np.sign(likeness[nearest])
    refined = _turns_about(axis, quaternions)
    return (axis, refined) if refined.sum() >= 0.9 * turned.sum() else (best, turned)


def _unit(vectors: Array) -> Array:
    """Vectors (N, 3) of length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _turns_about(axis: Array, quaternions: Array) -> NDArray[np.bool_]:
    """Which rotations are a turn about the axis and no more than REST beside it."""
    along, w = quaternions[:, :3] @ axis, quaternions[:, 3]
    turn = 2 * np.arctan2(np.abs(along), w)
    return (np.hypot(along, w) > cos(REST / 2)) & (turn > LEAST_TURN)


def _fold(turns: Array) -> int:
    """The smallest N for which the angles (N,) gather at multiples of 2 pi / N; 0: they do not."""
    for fold in FOLDS:
        mean = np.exp(1j * fold * turns).mean()
        if abs(mean) > _CONCENTRATED and abs(np.angle(mean)) < _AT_ZERO:
            return fold
    return 0


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
        one = suspected_symmetry(est, gt, own.error[:, 0] < CORRECT_MSSD, models[obj_id])
        if one is not None:
            found[obj_id] = one
    return found
