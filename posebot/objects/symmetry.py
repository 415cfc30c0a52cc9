"""Symmetries of an object, proposed by laying the mesh over turned copies of itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from posebot.core.objects import ContinuousSymmetry, Mesh
from posebot.core.transforms import Array, make, rotation_angle
from posebot.objects.geometry import diameter
from posebot.objects.symmetry_fit import SelfFit
from posebot.objects.symmetry_search import SelfSearch, Turn, rotation_about

_GOLDEN_ANGLES = np.arange(1, 13) * np.pi * (3 - np.sqrt(5))  # no fold hits them all
_SNAP_ANGLE, _SNAP_SHIFT, _SNAP_LOSS = np.deg2rad(1.5), 0.01, 0.0005  # radians; diameters; diameters of mean distance
_SAME_AXIS = np.cos(np.deg2rad(5.0))
_SAME_ROTATION = np.deg2rad(6.0)
_LARGEST_GROUP = 60  # the icosahedron's


@dataclass(frozen=True)
class Symmetries:
    """What was found: `discrete` (4x4, metres, without the identity) and `continuous`, as in BOP, and `remarks`.

    Remarks name turns that fit the shape but not the print, or that nearly fit the shape: easily confused poses.
    """

    discrete: tuple[Array, ...] = ()
    continuous: tuple[ContinuousSymmetry, ...] = ()
    remarks: tuple[str, ...] = ()

    def describe(self) -> str:
        """A short phrase such as "any turn about z, 1 discrete" or "none"."""
        parts = [f"any turn about {_axis_name(symmetry.axis)}" for symmetry in self.continuous]
        if self.discrete:
            parts.append(f"{len(self.discrete)} discrete")
        return ", ".join(parts) or "none"


def find_symmetries(mesh: Mesh, use_colors: bool = True) -> Symmetries:
    """Rotational symmetries of a mesh in metres. With `use_colors`, a print that does not fit rules a turn out.

    Discrete ones form a closed group (every product of two is in it) about one centre, unless the print breaks a part
    of it. Axes and centre are set to the object frame's own where the fit stays as good. The mesh needs not be closed.
    """
    search = SelfSearch(mesh, diameter(mesh.vertices[np.unique(mesh.faces)]))
    fit = SelfFit(mesh, search, use_colors)
    judged = [(turn, fit.shape(turn.transform)) for turn in search.candidates()]
    fitting = [_snapped(turn, fit, search.diameter) for turn, shape in judged if shape.fits]
    axes = [turn for turn in _distinct(turn for turn in fitting if turn.fold > 2) if _any_angle_fits(turn, fit)]
    round_axes = [axis for axis in axes if _any_angle_prints(axis, fit)]
    printed = [turn for turn in fitting if fit.print_fits(turn.transform)]
    discrete = _beside_round(round_axes, printed) if round_axes else _closed_group(printed, fit)
    continuous = tuple(ContinuousSymmetry(axis.axis, _foot(axis)) for axis in round_axes[:3])
    nearly = [turn for turn, shape in judged if shape.nearly_fits]
    tidy = tuple(transform.round(12) + 0.0 for transform in discrete)  # no 1e-17 in files
    return Symmetries(tidy, continuous, _remarks(printed, fitting, nearly))


def _remarks(printed: list[Turn], fitting: list[Turn], nearly: list[Turn]) -> tuple[str, ...]:
    hubs = _distinct(turn for turn in (*fitting, *nearly) if turn.fold > 4)
    accepted, shaped, close = ({_turn_name(turn, hubs): None for turn in turns} for turns in (printed, fitting, nearly))
    broken = [name for name in shaped if name not in accepted]
    near = [name for name in close if name not in shaped]
    return (*_remark("fits the shape, not the print", broken), *_remark("nearly fits the shape", near))


def _remark(what: str, names: list[str]) -> tuple[str, ...]:
    if not names:
        return ()
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (f"{what}: {', '.join(names[:3])}{more}",)


def _any_angle_fits(turn: Turn, fit: SelfFit) -> bool:
    return all(fit.shape(rotation_about(turn.axis, turn.center, angle)).fits for angle in _GOLDEN_ANGLES)


def _any_angle_prints(turn: Turn, fit: SelfFit) -> bool:
    return all(fit.print_fits(rotation_about(turn.axis, turn.center, angle)) for angle in _GOLDEN_ANGLES)


def _beside_round(round_axes: list[Turn], turns: list[Turn]) -> list[Array]:
    """The half-turn across a single round axis; others follow from it. Several round axes: a ball, nothing to add."""
    across = [turn for turn in turns if turn.fold == 2 and abs(float(turn.axis @ round_axes[0].axis)) < np.sin(0.1)]
    if len(round_axes) > 1 or not across:
        return []
    flip = max(across, key=lambda turn: float(np.abs(turn.axis).max()))  # one along a coordinate axis, if there is one
    axis = flip.axis - (flip.axis @ round_axes[0].axis) * round_axes[0].axis
    return [rotation_about(axis / np.linalg.norm(axis), _common_center([round_axes[0], flip]), np.pi)]


def _closed_group(turns: list[Turn], fit: SelfFit) -> list[Array]:
    """All products of the turns but the identity, as 4x4. A turn whose products do not fit is left out."""
    if not turns:
        return []
    center = _common_center(turns)
    group, generators = [np.eye(3)], list[Array]()
    for turn in sorted(turns, key=lambda turn: -turn.fold):
        rotation = replace(turn, axis=_squared(turn.axis, turns)).transform[:3, :3]
        if _contains(group, rotation):
            continue
        larger = _closure([*generators, rotation])
        if larger is not None and all(fit.shape(_about(r, center)).fits for r in larger[1:]):
            group, generators = larger, [*generators, rotation]
    return [transform for r in group[1:] if fit.print_fits(transform := _about(r, center))]


def _closure(generators: list[Array]) -> list[Array] | None:
    """All products of rotations (3x3), the identity first; None if there is no end to them."""
    group = [np.eye(3)]
    for element in group:  # grows while it is walked
        for generator in generators:
            product = element @ generator
            if not _contains(group, product):
                group.append(product)
        if len(group) > _LARGEST_GROUP:
            return None
    return group


def _contains(group: list[Array], rotation: Array) -> bool:
    return bool((rotation_angle(np.stack(group), rotation) < _SAME_ROTATION).any())


def _about(rotation: Array, center: Array) -> Array:
    return make(rotation, center - rotation @ center)


def _squared(axis: Array, turns: list[Turn]) -> Array:
    """The axis, made square to the axis of highest fold where it nearly is."""
    main = max(turns, key=lambda turn: turn.fold).axis
    lean = float(axis @ main)
    if abs(lean) > np.sin(np.deg2rad(4.0)):
        return axis
    square = axis - lean * main
    return square / np.linalg.norm(square)


def _common_center(turns: list[Turn]) -> Array:
    """The point nearest to all the axes (least squares); the one nearest to the frame's origin if there are many."""
    across = [np.eye(3) - np.outer(turn.axis, turn.axis) for turn in turns]
    feet = [matrix @ turn.center for matrix, turn in zip(across, turns, strict=True)]
    return np.linalg.lstsq(np.vstack(across), np.concatenate(feet), rcond=1e-3)[0]


def _foot(turn: Turn) -> Array:
    """The point of the turn's axis nearest to the frame's origin."""
    return turn.center - (turn.center @ turn.axis) * turn.axis


def _snapped(turn: Turn, fit: SelfFit, size: float) -> Turn:
    """The turn about a coordinate axis and through the frame's origin, as far as that is near and fits as well."""
    best, error = turn, fit.shape(turn.transform).mean
    nearest = np.zeros(3)
    nearest[np.abs(turn.axis).argmax()] = 1.0
    near_axis = abs(float(turn.axis @ nearest)) > np.cos(_SNAP_ANGLE)
    near_origin = bool(np.linalg.norm(_foot(turn)) < _SNAP_SHIFT * size)
    axis, center = (nearest if near_axis else turn.axis), (np.zeros(3) if near_origin else turn.center)
    for choice in (replace(turn, center=center), replace(turn, axis=axis), replace(turn, axis=axis, center=center)):
        if fit.shape(choice.transform).mean < error + _SNAP_LOSS:
            best = choice
    return best


def _distinct(turns: Iterable[Turn]) -> list[Turn]:
    kept: list[Turn] = []
    for turn in turns:
        if not any(_parallel(turn, other) for other in kept):
            kept.append(turn)
    return kept


def _parallel(one: Turn, other: Turn) -> bool:
    return abs(float(one.axis @ other.axis)) > _SAME_AXIS


def _turn_name(turn: Turn, hubs: list[Turn]) -> str:
    """Words for a turn; those about or across a (nearly) round part's axis share one name."""
    for hub in hubs:
        if _parallel(turn, hub):
            return f"a turn about {_axis_name(hub.axis)}"
        if turn.fold == 2 and abs(float(turn.axis @ hub.axis)) < np.sin(0.1):
            return f"a half-turn across {_axis_name(hub.axis)}"
    name = "a half-turn" if turn.fold == 2 else f"a turn by 1/{turn.fold}"
    return f"{name} about {_axis_name(turn.axis)}"


def _axis_name(axis: Array) -> str:
    """"z", or the direction in brackets."""
    largest = int(np.abs(axis).argmax())
    if abs(float(axis[largest])) > np.cos(_SNAP_ANGLE):
        return "xyz"[largest]
    upward = (axis * np.sign(axis[largest])).round(2) + 0.0  # no "-0.00"
    return "(" + ", ".join(f"{value:.2f}" for value in upward) + ")"
