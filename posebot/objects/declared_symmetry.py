"""Symmetries that the user declares: `--symmetric x`, `--symmetric z/6`, `--symmetric nut=0,1,-1/2`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from posebot.core.errors import InputError
from posebot.core.objects import Mesh
from posebot.core.transforms import Array
from posebot.objects.diagnostics import Diagnostic
from posebot.objects.geometry import bounds, diameter, sample_surface
from posebot.objects.near_symmetry import MAX_FOLD, NearSymmetry, is_near, turns
from posebot.objects.symmetry import Symmetries, combined
from posebot.objects.symmetry_features import Deviation
from posebot.objects.symmetry_names import axis_option, rotation_axes
from posebot.objects.symmetry_search import AxisRotation

OPTION, FORM = "--symmetric", "x, y, z or a direction such as 0,1,-1, with /N for an N-fold symmetry; none"
_PARALLEL = np.cos(np.deg2rad(1.0))


@dataclass(frozen=True, eq=False)
class Declared:
    """A declared symmetry: axis (unit vector; None: the part has none), fold (0: any turn), label of the part or ""."""

    axis: Array | None
    fold: int = 0
    label: str = ""

    @property
    def option(self) -> str:
        return "none" if self.axis is None else axis_option(self.axis, self.fold)


def parse_symmetric(text: str) -> Declared:
    """Read `[LABEL=]AXIS[/N]` or `[LABEL=]none`. Raises InputError if it is not of this form."""
    label, _, rest = text.rpartition("=")
    if rest == "none":
        return Declared(None, 0, label)
    match = re.fullmatch(r"\s*(-?[xyz]|[^/]+?)\s*(?:/\s*(\d+))?\s*", rest)
    axis, fold = (None, 0) if match is None else (_axis(match[1]), int(match[2] or 0))
    if axis is None or (match is not None and match[2] is not None and not 2 <= fold <= MAX_FOLD):
        raise InputError(OPTION, f"'{text}' is not valid", f"{FORM}; N from 2 to {MAX_FOLD}")
    return Declared(axis, fold, label)


def _axis(text: str) -> Array | None:
    sign, name = (-1.0, text[1:]) if text.startswith("-") else (1.0, text)
    if name in ("x", "y", "z"):
        return sign * np.eye(3)["xyz".index(name)]
    try:
        vector = np.array([float(number) for number in text.split(",")])
    except ValueError:
        return None
    length = float(np.linalg.norm(vector))
    return vector / length if vector.shape == (3,) and np.isfinite(length) and length > 0 else None


def of_part(declared: Sequence[Declared], label: str, labels: Sequence[str]) -> list[Declared]:
    """Those that belong to a part. Raises InputError if one belongs to none, or does not say to which of several."""
    for entry in declared:
        if entry.label and entry.label not in labels:
            raise InputError(OPTION, f"'{entry.label}={entry.option}' names no part", f"one of {', '.join(labels)}")
        if not entry.label and len(labels) > 1:
            raise InputError(OPTION, f"'{entry.option}' for {len(labels)} meshes", f"LABEL={entry.option}")
    return [entry for entry in declared if entry.label in ("", label)]


def with_declared(mesh: Mesh, found: Symmetries, declared: Sequence[Declared]) -> tuple[Symmetries, list[Diagnostic]]:
    """The symmetries found, with the declared ones; warnings about those that the mesh contradicts.

    The axis passes through the point that the search found, else through the centre that fits best.

    Raises:
        InputError: the declared symmetries contradict each other.
    """
    if any(entry.axis is None for entry in declared):
        found = Symmetries()
    axes = [entry for entry in declared if entry.axis is not None]
    deviation = Deviation(mesh, diameter(mesh.vertices[np.unique(mesh.faces)])) if axes else None
    lines, warnings = [], []
    for entry in axes:
        assert deviation is not None
        line = _placed(entry, mesh, found, deviation)
        lines.append(line)
        feature = deviation.feature(turns(line.axis, line.center, line.fold))
        if not feature.exact and not is_near(feature, line.fold, deviation):
            extent = f"{feature.share:.0%} of the surface is off by up to {feature.depth * 1000:.1f} mm"
            warnings.append(Diagnostic("warning", "symmetry", f"{OPTION} {entry.option} contradicts the mesh: {extent}",
                                       "check the axis; poses that differ by these turns count as equal"))
    result = combined(found, lines)
    if result is None:
        raise InputError(OPTION, "the symmetries contradict each other", "axes at the angles of a solid's symmetry")
    near = tuple(entry for entry in found.near if not any(_same(entry, line) for line in lines))
    return replace(result, near=near), warnings


def _same(entry: NearSymmetry, line: AxisRotation) -> bool:
    """Whether a declared symmetry answers the question for a near one."""
    parallel = abs(float(entry.axis @ line.axis)) > _PARALLEL
    return parallel and (line.fold == 0 or line.fold == entry.fold or entry.taken)


def _placed(entry: Declared, mesh: Mesh, found: Symmetries, deviation: Deviation) -> AxisRotation:
    """The declared axis, at the place that was found for it or that fits best."""
    assert entry.axis is not None
    known = [(near.axis, near.center) for near in found.near]
    known += [(symmetry.axis, symmetry.offset) for symmetry in found.continuous]
    known += [(axis, point) for axis, point, _ in rotation_axes(found.discrete)]
    same = [line for line in known if abs(float(line[0] @ entry.axis)) > _PARALLEL]
    if same:
        return AxisRotation(same[0][0], same[0][1], entry.fold)
    low, size = bounds(mesh)
    places = [low + size / 2, sample_surface(mesh, 20_000, seed=1)[0].mean(axis=0), np.zeros(3)]
    axis = entry.axis
    return AxisRotation(axis, min(places, key=lambda place: deviation.mean_distance(turns(axis, place, entry.fold))),
                        entry.fold)
