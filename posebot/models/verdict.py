"""The verdict on a bundle: what its poses were worth on the held-out frames that its calibration was fitted to.

Counts are made by `training.judge` and kept in bundle.yaml. The sentences made of them are the same wherever they are
shown: at the end of training, by `posebot models show`, on the service's page and in reports.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import ConfigDict, Field

from posebot.core.transforms import Array, rotation_from_vector
from posebot.models.calibration import ModeCalibration
from posebot.objects.common_turn import common_turn

if TYPE_CHECKING:
    from posebot.models.manifest import Manifest

IN_SIGHT = 0.5
"""Visible share of an instance that is in sight."""
TARGET = 0.1
"""Visible share of an instance that counts at all."""
CORRECT = 0.1
"""MSSD of a right pose, in diameters."""
NEAR = 0.5
"""Largest error of position of an estimate that found its object, in diameters."""
LEAST_RECALL, LEAST_PRECISION, LEAST_RIGHT = 0.5, 0.3, 0.5
"""A bundle is usable that finds this share of the instances in sight, of whose detections this share is right, and of
whose poses of found instances this share is right, with depth or from colour alone."""
_MODES = {"depth": "with depth", "rgb": "colour alone"}

_Count = Annotated[int, Field(ge=0)]
_Share = Annotated[float, Field(ge=0, le=1)]
_CONFIG = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True)
class Judged:
    """One held-out estimate of an object beside the truth.

    Attributes:
        diameter: of the object, metres. error: MSSD, metres. shift: error of position, metres. turn: (3,) rotation
            vector from the truth to the estimate modulo symmetry, radians, along the object's axes. ok: its status.
        center: how far the centre of the surface is off, metres; a turn of the object about itself does not move it.
        seen: visible share of the instance that this is the best estimate of; 0 where it is of none.
    """

    diameter: float
    error: float
    shift: float
    turn: Array
    ok: bool
    center: float
    seen: float = 1.0

    @property
    def right(self) -> bool:
        """Whether the pose is right."""
        return self.error < CORRECT * self.diameter

    @property
    def found(self) -> bool:
        """Whether it is the estimate of an instance in sight, and near it."""
        return self.seen >= IN_SIGHT and self.center < NEAR * self.diameter

    @property
    def placed(self) -> bool:
        """Whether the position alone is right."""
        return self.center < CORRECT * self.diameter


@dataclass(frozen=True)
class ModeVerdict:
    """What was counted of one object, with depth or from colour alone."""

    __pydantic_config__ = _CONFIG

    in_sight: _Count
    """Instances of which at least half is visible."""
    targets: _Count
    """Instances of which at least a tenth is visible."""
    found: _Count
    """Instances in sight that were found: an estimate is no further off than half a diameter."""
    found_right: _Count
    """Of these, those with a right pose: MSSD under 10 % of the diameter."""
    found_ok: _Count
    """Instances in sight whose estimate is "ok"."""
    estimates: _Count
    """Estimates, of instances in sight and others."""
    right: _Count
    """Right poses among them."""
    ok: _Count
    """"ok" poses among them."""
    ok_right: _Count
    """Right poses among the "ok" ones."""
    translation_mm: float | None = None
    """Median error of position of the right poses."""
    rotation_deg: float | None = None
    """Median error of attitude of the right poses."""
    unknown_turn: str = ""
    """"turn about x" (of the object's axes) where many poses at the right place are turned wrongly about one axis."""


@dataclass(frozen=True)
class ObjectVerdict:
    """What was counted of one object; None: the held-out frames have no such input."""

    __pydantic_config__ = _CONFIG

    obj_id: int
    """Number of the object."""
    depth: ModeVerdict | None = None
    """With depth."""
    rgb: ModeVerdict | None = None
    """From colour alone."""


@dataclass(frozen=True)
class Verdict:
    """What was counted on the held-out frames that the calibration was fitted to: so a little too good."""

    __pydantic_config__ = _CONFIG

    frames: _Count
    """Held-out frames."""
    objects: tuple[ObjectVerdict, ...]
    """An object at a time."""
    precision: _Share | None = None
    """Share of the detections that are right."""

    @property
    def usable(self) -> bool:
        """Whether the bundle as a whole reaches the limits of this module; one weak object of many does not fail it."""
        return not self.failures()

    def failures(self) -> list[str]:
        """What is not good enough, in words; empty where the bundle is usable."""
        said = []
        modes = [mode for name in _MODES if (mode := _summed(self.objects, name)) is not None and mode.in_sight]
        if modes and max(mode.found / mode.in_sight for mode in modes) < LEAST_RECALL:
            best = max(modes, key=lambda mode: mode.found)
            said.append(f"only {best.found} of {best.in_sight} instances in sight are found")
        if self.precision is not None and self.precision < LEAST_PRECISION:
            said.append(f"only {100 * self.precision:.0f} % of the detections are right")
        if modes and max(mode.found_right / max(mode.found, 1) for mode in modes) < LEAST_RIGHT:
            best = max(modes, key=lambda mode: mode.found_right / max(mode.found, 1))
            said.append(f"only {best.found_right} of {best.found} found instances have a right pose")
        return said


def count(estimates: Sequence[Judged], in_sight: int, targets: int) -> ModeVerdict:
    """The counts of one object in one mode. in_sight, targets: instances in the frames."""
    found = [one for one in estimates if one.found]
    right = [one for one in estimates if one.right]
    ok = [one for one in estimates if one.ok]
    shifts, turns = [one.shift for one in right], [float(np.linalg.norm(one.turn)) for one in right]
    return ModeVerdict(
        in_sight, targets, found=len(found), found_right=sum(one.right for one in found),
        found_ok=sum(one.ok for one in found), estimates=len(estimates), right=len(right), ok=len(ok),
        ok_right=sum(one.right for one in ok),
        translation_mm=round(1000 * float(np.median(shifts)), 2) if right else None,
        rotation_deg=round(float(np.degrees(np.median(turns))), 2) if right else None,
        unknown_turn=unknown_turn([one for one in found if one.placed], sum(not one.right for one in found)))


def unknown_turn(placed: Sequence[Judged], wrong: int) -> str:
    """"turn about x" where many of these poses, all at the right place, are wrong by a rotation about one axis.

    wrong: number of all wrong poses. Empty where there is no such axis, or too few poses.
    """
    turns = np.array([one.turn for one in placed if not one.right]).reshape(-1, 3)
    found = common_turn(rotation_from_vector(turns), wrong, len(placed))
    return "" if found is None else found.name


def sentences(manifest: Manifest) -> list[str]:
    """One sentence an object: "panel: with depth 1.2 mm 0.4°, ok in 60 % of 52 in sight, right 31 of 31; …"."""
    if manifest.verdict is None:
        return []
    labels = {reference.obj_id: reference.label for reference in manifest.objects}
    return [f"{labels.get(one.obj_id, one.obj_id)}: {'; '.join(_described(one, manifest))}"
            for one in manifest.verdict.objects]


def judgement(manifest: Manifest) -> list[str]:
    """`sentences`, and what makes the bundle not usable, a line each: "not usable: only 94 of 192 instances …"."""
    failures = [] if manifest.verdict is None else manifest.verdict.failures()
    return [*sentences(manifest), *(f"not usable: {failure}" for failure in failures)]


def _described(one: ObjectVerdict, manifest: Manifest) -> Iterator[str]:
    seen = False
    for name, words in _MODES.items():
        counts: ModeVerdict | None = getattr(one, name)
        if counts is not None and counts.targets:
            seen = True
            yield f"{words} {describe(counts, getattr(manifest.calibration, name))}"
    if not seen:
        yield "not in the held-out frames"


def describe(counts: ModeVerdict, mode: ModeCalibration) -> str:
    """What was counted in one mode, after the name of the mode."""
    if not counts.estimates:
        return f"none of {counts.in_sight} in sight found"
    known = counts.translation_mm is not None and counts.rotation_deg is not None
    parts = [f"{counts.translation_mm:.1f} mm {counts.rotation_deg:.1f}°" if known else "no pose right"]
    if counts.unknown_turn:
        parts.append(f"{counts.unknown_turn} unknown")
    if counts.ok:
        share = f" in {100 * counts.found_ok / counts.in_sight:.0f} % of {counts.in_sight} in sight"
        parts.append(f"ok{share if counts.in_sight else ''}, right {counts.ok_right} of {counts.ok}")
    else:
        reason = mode.counted if mode.never_ok else f"{counts.right} right of {counts.estimates}"
        parts.append(f"never ok: {reason}" if reason else "never ok")
    return ", ".join(parts)


def _summed(objects: Sequence[ObjectVerdict], name: str) -> ModeVerdict | None:
    """The counts of all objects together."""
    modes: list[ModeVerdict] = [mode for one in objects if (mode := getattr(one, name)) is not None]
    if not modes:
        return None
    names = ("in_sight", "targets", "found", "found_right", "found_ok", "estimates", "right", "ok", "ok_right")
    return ModeVerdict(*(sum(getattr(mode, field) for mode in modes) for field in names))
