"""The turn that wrong poses have in common: a rotation about one and the same axis of the object.

Where an object looks the same after such a turn, no image can tell the poses apart. Whether it does look the same is
for the user to say: the poses tell only how often they are confused.

A rotation is split into its turn about an axis and the rest (swing and twist): with the unit quaternion (v, w), the
rest is a rotation by 2 arccos sqrt(w² + (v · axis)²), and the turn one by 2 atan2(v · axis, w). Of a random rotation,
w² + (v · axis)² is uniform on [0, 1] (the quaternion is uniform on the sphere S³), so that for a given axis a random
wrong rotation passes for a turn about it with a probability of 1 - cos²(REST / 2), 1.7 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array, quaternion_from_rotation

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
class CommonTurn:
    """A turn that the poses of an object do not determine.

    Attributes:
        axis: unit vector in the object's frame; a simple direction such as x or (0, 1, -1) where one is near.
        fold: N where the turns are multiples of 360 / N degrees, 0: any angle. count: poses that are wrong by it alone.
        flipped: how many of them are also turned upside down, by a half-turn about a line across the axis; of turns by
            any angle.
    """

    axis: tuple[float, float, float]
    fold: int
    count: int
    flipped: int = 0

    @property
    def option(self) -> str:
        """The value of --symmetric that declares it: "x", "0,1,-1/2"."""
        return _numbers(self.axis) + (f"/{self.fold}" if self.fold else "")

    @property
    def name(self) -> str:
        """Such as "turn about x", "half-turn about (0, 1, -1)" or "turn by 120° about z"."""
        turn = {0: "turn", 2: "half-turn"}.get(self.fold, f"turn by {360 / max(self.fold, 1):g}°")
        axis = _numbers(self.axis)
        across = " or a half-turn across it" if self.flipped else ""
        return f"{turn} about {axis if len(axis) == 1 else '(' + axis.replace(',', ', ') + ')'}{across}"


def common_turn(rotations: Array, wrong: int, placed: int) -> CommonTurn | None:
    """The turn that most of these rotations are; None where there is none or too few of them.

    Args:
        rotations: from the truth to the estimate in the object's frame, modulo its declared symmetries, (N, 3, 3): of
            wrong poses whose position is right. wrong: all wrong poses. placed: all poses whose position is right.
    """
    if not len(rotations):
        return None
    quaternions = quaternion_from_rotation(rotations)
    axis, turned = _common_axis(quaternions)
    fold = _fold(2 * np.arctan2(quaternions[turned, :3] @ axis, quaternions[turned, 3])) if turned.any() else 1
    flipped = int(_flipped(axis, quaternions).sum()) if fold == 0 else 0
    flipped = flipped if flipped >= FEWEST / 2 else 0
    count = int(turned.sum()) + flipped
    if count < max(FEWEST, LEAST_SHARE * wrong, LEAST_RATE * placed) or turned.sum() < FEWEST / 2:
        return None
    x, y, z = (float(value) for value in axis)
    return CommonTurn((x, y, z), fold, count, flipped)


def _numbers(axis: tuple[float, float, float]) -> str:
    """"x", "0,1,-1"."""
    numbers = np.round(np.array(axis) / np.abs(axis).max(), 2) + 0.0  # no "-0"
    return "xyz"[int(numbers.argmax())] if np.abs(numbers).sum() == 1 else ",".join(f"{n:g}" for n in numbers)


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
    best = best * np.sign(best @ axis)
    return (axis, refined) if refined.sum() >= 0.9 * turned.sum() else (best, turned)


def _unit(vectors: Array) -> Array:
    """Vectors (N, 3) of length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _turns_about(axis: Array, quaternions: Array) -> NDArray[np.bool_]:
    """Which rotations are a turn about the axis and no more than REST beside it."""
    along, w = quaternions[:, :3] @ axis, quaternions[:, 3]
    turn = 2 * np.arctan2(np.abs(along), w)
    return (np.hypot(along, w) > cos(REST / 2)) & (turn > LEAST_TURN)


def _flipped(axis: Array, quaternions: Array) -> NDArray[np.bool_]:
    """Which rotations turn the axis upside down, and no more than REST beside that, whatever they turn about it."""
    return np.hypot(quaternions[:, :3] @ axis, quaternions[:, 3]) < sin(REST / 2)


def _fold(turns: Array) -> int:
    """The smallest N for which the angles (N,) gather at multiples of 2 pi / N; 0: they do not."""
    for fold in FOLDS:
        mean = np.exp(1j * fold * turns).mean()
        if abs(mean) > _CONCENTRATED and abs(np.angle(mean)) < _AT_ZERO:
            return fold
    return 0
