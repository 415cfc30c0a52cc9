"""Symmetries that a small feature breaks: a bore, a keyway, a thread, an engraving. They are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from posebot.core.transforms import Array
from posebot.objects.symmetry_features import Deviation, Feature
from posebot.objects.symmetry_names import axis_name, axis_option, through, turn_name
from posebot.objects.symmetry_search import AxisRotation, SymmetrySearch, rotation_about

GOLDEN_ANGLES = np.arange(1, 9) * np.pi * (3 - np.sqrt(5))  # in no n-fold group
MAX_FOLD = 60
_MAX_SHARE = 0.15  # of the surface, that a near symmetry leaves out
_MAX_COARSE_SHARE = 0.01  # of a symmetry that may be exact
_MAX_HEIGHT = 0.04  # of the diameter: what stands out more changes the outline
_MAX_DEPTH = 0.03  # of the diameter: or everywhere no deeper than this, 3 pixels where the part is 100 pixels wide
_MAX_POWERS = 6  # turns of an n-fold symmetry that are compared
DEFAULT_PIXELS = 100  # width of a part at the default working distance
_SEEN_WIDTH, _SEEN_DEPTH, _SEEN_HEIGHT = 15.0, 1.0, 3.0  # pixels
_SAME_AXIS, _ACROSS = np.cos(np.deg2rad(5.0)), np.sin(np.deg2rad(4.0))


@dataclass(frozen=True, eq=False)
class NearSymmetry:
    """A symmetry but for a feature: axis (unit vector), a point of it (metres), fold (0: any turn).

    `taken`: it counts as a symmetry unless the user says otherwise.
    """

    axis: Array
    center: Array
    fold: int
    feature: Feature
    taken: bool = False

    @property
    def name(self) -> str:
        """Such as "any turn about x"."""
        return f"{turn_name(self.fold)} about {axis_name(self.axis)}{through(self.axis, self.center)}"

    @property
    def option(self) -> str:
        """What `--symmetric` takes for it."""
        return axis_option(self.axis, self.fold)

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible: what `--symmetric` takes, whether it is taken, and the feature in millimetres."""
        return {"symmetry": self.name, "option": self.option, "taken": self.taken,
                "feature": {"share": self.feature.share, "size_mm": self.feature.size * 1000,
                            "depth_mm": self.feature.depth * 1000, "height_mm": self.feature.height * 1000}}

    def seen(self, pixels_per_metre: float) -> bool:
        """Whether a camera can tell the feature: 3 pixels high, or 15 pixels wide and 1 pixel deep.

        Narrower holes are hidden in half of the views, and a few pixels at the networks' resolution in the others.
        """
        width, depth, height = (pixels_per_metre * length for length in (
            self.feature.size, self.feature.depth, self.feature.height))
        return height >= _SEEN_HEIGHT or (depth >= _SEEN_DEPTH and (width >= _SEEN_WIDTH or self.feature.spread))


@dataclass(frozen=True)
class WorkingView:
    """How a part is seen at work: focal length in pixels, distance in metres.

    Without a distance: as far away as the part is 100 pixels wide.
    """

    focal: float = 615.0
    distance: float | None = None

    def distance_of(self, diameter: float) -> float:
        """Distance (metres) of a part of this diameter (metres)."""
        return self.distance or self.focal * diameter / DEFAULT_PIXELS

    def pixels_per_metre(self, diameter: float) -> float:
        return self.focal / self.distance_of(diameter)


def questions(
    near: Sequence[NearSymmetry], diameter: float, view: WorkingView, others: str, prefix: str = ""
) -> list[str]:
    """What to ask about near symmetries, those of a polyhedron together; as `question`."""
    groups = [[entry] for entry in near if entry.fold == 0]
    groups += [[entry for entry in near if entry.fold > 0 and entry.taken is taken] for taken in (True, False)]
    return [question(group, diameter, view, others, prefix) for group in groups if group]


def question(group: Sequence[NearSymmetry], diameter: float, view: WorkingView, others: str, prefix: str = "") -> str:
    """What to ask about near symmetries: the feature, both answers and what follows, the proposed one first.

    Args:
        diameter: of the part, metres. others: its symmetries in words, or "none". prefix: "LABEL=" of --symmetric.
    """
    scale, near = view.pixels_per_metre(diameter), max(group, key=lambda entry: entry.feature.share)
    feature = near.feature
    names = ", ".join(entry.name for entry in group[:4]) + (f" and {len(group) - 4} more" if len(group) > 4 else "")
    length = feature.depth if feature.spread else feature.size
    what = f"a {'relief' if feature.spread else 'feature'} of {length * 1000:.1f} mm"
    facts = (f"{names}, but for {feature.share:.1%} of the surface ({what}, about {feature.pixels(scale):.0f} px "
             f"at {view.distance_of(diameter):.2g} m)")
    after = "poses then leave the turn open" if near.fold == 0 else "poses then do not tell these turns apart"
    if near.taken:
        return f"{facts}: taken as a symmetry, {after}; --no-symmetric if the camera must tell them apart"
    options = " ".join(f"--symmetric {prefix}{entry.option}" for entry in group[:3])
    yes = options, f"({after})"
    no = "--no-symmetric" if others == "none" else f"leave it at {others}"
    if near.seen(scale):
        return f"{facts}: {no} if the camera must tell it, {yes[0]} if it need not {yes[1]}"
    return f"{facts}: {yes[0]} if the camera need not tell it {yes[1]}, {no} if it must"


def turns(axis: Array, center: Array, fold: int) -> list[Array]:
    """Transforms (4x4) that stand for a symmetry: some powers of the n-fold turn, or angles of no n-fold turn."""
    if fold == 0:
        return [rotation_about(axis, center, angle) for angle in GOLDEN_ANGLES]
    powers = np.unique(np.linspace(1, fold - 1, min(fold - 1, _MAX_POWERS)).round().astype(int))
    return [rotation_about(axis, center, 2 * np.pi * power / fold) for power in powers]


def axis_lines(candidates: Sequence[AxisRotation], search: SymmetrySearch) -> list[AxisRotation]:
    """The best candidate of each direction, and principal axes that an n-fold symmetry of any n may have."""
    lines: list[AxisRotation] = []
    principal = [AxisRotation(axis, search.center, 0) for axis in search.round_axes()]
    for candidate in (*candidates, *principal):
        same = [index for index, line in enumerate(lines) if abs(float(line.axis @ candidate.axis)) > _SAME_AXIS]
        if not same:
            lines.append(candidate)
        elif candidate.fold > 2 and lines[same[0]].fold == 2:
            lines[same[0]] = candidate
    return lines


def best_fold(
    line: AxisRotation, deviation: Deviation, is_round: bool
) -> tuple[NearSymmetry | None, NearSymmetry | None]:
    """The exact symmetry of highest order about a line, and the near one if its order is higher; None without."""
    near: NearSymmetry | None = None
    for fold in (0, *range(MAX_FOLD, 2, -1), 2) if is_round else (2,):
        found = _measured(line, fold, deviation, must_be_exact=near is not None)
        if found is not None and found.feature.exact:
            return found, near
        near = near or found
    return None, near


def _measured(line: AxisRotation, fold: int, deviation: Deviation, must_be_exact: bool) -> NearSymmetry | None:
    """The symmetry of a line and fold, measured; None if it is none, not even nearly."""
    transforms = turns(line.axis, line.center, fold)

    def holds(feature: Feature, max_share: float) -> bool:
        return feature.share < _MAX_COARSE_SHARE if must_be_exact else is_near(feature, fold, deviation, max_share)

    if not all(holds(deviation.feature([transform], few=True), 1.5 * _MAX_SHARE) for transform in transforms):
        return None
    feature = deviation.feature(transforms)
    return NearSymmetry(line.axis, line.center, fold, feature) if holds(feature, _MAX_SHARE) else None


def is_near(feature: Feature, fold: int, deviation: Deviation, max_share: float = _MAX_SHARE) -> bool:
    """Whether a feature breaks a symmetry only by little: a hole or a low step, or a thread that is low everywhere."""
    if feature.depth < _MAX_DEPTH * deviation.diameter and fold in (0, 2):
        return True
    return feature.share < max_share and feature.height < _MAX_HEIGHT * deviation.diameter


def reduced(near: Sequence[NearSymmetry], holding: Sequence[tuple[Array, int]]) -> list[NearSymmetry]:
    """Near symmetries without those that others imply: of the turns across an axis of higher order, one stays.

    None stays if one across that axis holds. `holding`: axes and folds of the part's symmetries.
    """
    mains = [(axis, fold) for axis, fold in holding if fold != 2]
    mains += [(entry.axis, entry.fold) for entry in near if entry.fold != 2]
    flips = [axis for axis, fold in holding if fold == 2]
    kept: list[NearSymmetry] = []
    for entry in sorted(near, key=lambda e: (e.fold != 0, -e.fold, np.abs(e.axis).max() < _SAME_AXIS, e.feature.share)):
        across = [main for main in mains if entry.fold == 2 and _is_across(entry.axis, main[0])]
        if across and any(_is_across(flip, main[0]) for flip in flips for main in across):
            continue
        if not any(abs(float(entry.axis @ other.axis)) > _SAME_AXIS for other in kept):
            turned = [axis for axis, fold in across if fold == 0]
            kept.append(replace(entry, axis=axis_across(turned[0])) if turned else entry)
            flips += [entry.axis] if across else []
    return kept


def axis_across(axis: Array) -> Array:
    """The direction across an axis that is closest to a coordinate axis, for symmetries with any turn about it."""
    nearest: Array = np.eye(3)[np.abs(axis).argmin()]
    across = nearest - (nearest @ axis) * axis
    return across / np.linalg.norm(across)


def _is_across(one: Array, other: Array) -> bool:
    return abs(float(one @ other)) < _ACROSS
