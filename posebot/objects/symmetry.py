"""Symmetry detection: rotations that map a mesh onto itself, discrete and continuous, as in BOP."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from posebot.core.objects import ContinuousSymmetry, Mesh
from posebot.core.transforms import Array, make, rotation_angle
from posebot.objects.geometry import diameter
from posebot.objects.symmetry_fit import SymmetryFit
from posebot.objects.symmetry_search import AxisRotation, SymmetrySearch, rotation_about

_GOLDEN_ANGLES = np.arange(1, 13) * np.pi * (3 - np.sqrt(5))  # in no n-fold group
_SNAP_ANGLE, _SNAP_OFFSET, _SNAP_LOSS = np.deg2rad(1.5), 0.01, 0.0005  # radians; diameters; diameters of mean distance
_SAME_AXIS = np.cos(np.deg2rad(5.0))
_SAME_ROTATION = np.deg2rad(6.0)
_MAX_GROUP_ORDER = 60  # icosahedral group


@dataclass(frozen=True)
class Symmetries:
    """Symmetries of an object: `discrete` (4x4, metres, without the identity) and `continuous`, as in BOP.

    `near_symmetries` describe rotations that match the shape but not the texture, or nearly match the shape:
    candidates for confused poses.
    """

    discrete: tuple[Array, ...] = ()
    continuous: tuple[ContinuousSymmetry, ...] = ()
    near_symmetries: tuple[str, ...] = ()

    def describe(self) -> str:
        """A short summary such as "continuous about z, 1 discrete" or "none"."""
        parts = [f"continuous about {_axis_name(symmetry.axis)}" for symmetry in self.continuous]
        if self.discrete:
            parts.append(f"{len(self.discrete)} discrete")
        return ", ".join(parts) or "none"


def find_symmetries(mesh: Mesh, use_colors: bool = True) -> Symmetries:
    """Detect the rotational symmetries of a mesh in metres; with `use_colors` they must match the texture as well.

    Discrete symmetries form a closed group about one centre, unless the texture breaks part of it. Axes and centre are
    snapped to those of the object frame where that matches as well. The mesh need not be watertight.
    """
    search = SymmetrySearch(mesh, diameter(mesh.vertices[np.unique(mesh.faces)]))
    fit = SymmetryFit(mesh, search, use_colors)
    evaluated = [(candidate, fit.shape(candidate.transform)) for candidate in search.candidates()]
    matching = [_snapped(candidate, fit, search.diameter) for candidate, shape in evaluated if shape.matches]
    axes = _distinct(candidate for candidate in matching if candidate.fold > 2)
    axes = [axis for axis in axes if _any_angle_matches(axis, fit)]
    continuous_axes = [axis for axis in axes if _any_angle_matches_colors(axis, fit)]
    with_texture = [candidate for candidate in matching if fit.colors_match(candidate.transform)]
    discrete = (_discrete_beside_continuous(continuous_axes, with_texture) if continuous_axes
                else _closed_group(with_texture, fit))
    continuous = tuple(ContinuousSymmetry(axis.axis, _closest_to_origin(axis)) for axis in continuous_axes[:3])
    near = [candidate for candidate, shape in evaluated if shape.nearly_matches]
    rounded = tuple(transform.round(12) + 0.0 for transform in discrete)  # no 1e-17 or -0.0 in files
    return Symmetries(rounded, continuous, _describe_near_symmetries(with_texture, matching, near))


def _describe_near_symmetries(
    with_texture: list[AxisRotation], matching: list[AxisRotation], near: list[AxisRotation]
) -> tuple[str, ...]:
    main_axes = _distinct(candidate for candidate in (*matching, *near) if candidate.fold > 4)
    accepted, shape_only, close = (dict.fromkeys(_rotation_name(candidate, main_axes) for candidate in candidates)
                                   for candidates in (with_texture, matching, near))
    broken = [name for name in shape_only if name not in accepted]
    nearly = [name for name in close if name not in shape_only]
    return (*_summary("matches the shape but not the texture", broken), *_summary("nearly matches the shape", nearly))


def _summary(relation: str, names: list[str]) -> tuple[str, ...]:
    if not names:
        return ()
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (f"{relation}: {', '.join(names[:3])}{more}",)


def _any_angle_matches(candidate: AxisRotation, fit: SymmetryFit) -> bool:
    return all(fit.shape(rotation_about(candidate.axis, candidate.center, angle)).matches for angle in _GOLDEN_ANGLES)


def _any_angle_matches_colors(candidate: AxisRotation, fit: SymmetryFit) -> bool:
    return all(fit.colors_match(rotation_about(candidate.axis, candidate.center, angle)) for angle in _GOLDEN_ANGLES)


def _discrete_beside_continuous(continuous_axes: list[AxisRotation], rotations: list[AxisRotation]) -> list[Array]:
    """The 180° rotation across a single continuous axis, which implies all others; none for a sphere (several axes)."""
    main = continuous_axes[0]
    across = [candidate for candidate in rotations
              if candidate.fold == 2 and abs(float(candidate.axis @ main.axis)) < np.sin(0.1)]
    if len(continuous_axes) > 1 or not across:
        return []
    flip = max(across, key=lambda candidate: float(np.abs(candidate.axis).max()))  # prefers a coordinate axis
    axis = flip.axis - (flip.axis @ main.axis) * main.axis
    return [rotation_about(axis / np.linalg.norm(axis), _common_center([main, flip]), np.pi)]


def _closed_group(rotations: list[AxisRotation], fit: SymmetryFit) -> list[Array]:
    """The group (4x4 each, without the identity) of the rotations whose products all match the shape."""
    if not rotations:
        return []
    center = _common_center(rotations)
    group, generators = [np.eye(3)], list[Array]()
    for candidate in sorted(rotations, key=lambda candidate: -candidate.fold):
        rotation = replace(candidate, axis=_orthogonalised(candidate.axis, rotations)).transform[:3, :3]
        if _contains(group, rotation):
            continue
        larger = _closure([*generators, rotation])
        if larger is not None and all(fit.shape(_about(r, center)).matches for r in larger[1:]):
            group, generators = larger, [*generators, rotation]
    return [transform for r in group[1:] if fit.colors_match(transform := _about(r, center))]


def _closure(generators: list[Array]) -> list[Array] | None:
    """The group generated by rotations (3x3), identity first; None if it exceeds the icosahedral group."""
    group = [np.eye(3)]
    for element in group:  # grows during iteration
        for generator in generators:
            product = element @ generator
            if not _contains(group, product):
                group.append(product)
        if len(group) > _MAX_GROUP_ORDER:
            return None
    return group


def _contains(group: list[Array], rotation: Array) -> bool:
    return bool((rotation_angle(np.stack(group), rotation) < _SAME_ROTATION).any())


def _about(rotation: Array, center: Array) -> Array:
    return make(rotation, center - rotation @ center)


def _orthogonalised(axis: Array, rotations: list[AxisRotation]) -> Array:
    """The axis, made orthogonal to the axis of the highest fold if it nearly is."""
    main = max(rotations, key=lambda candidate: candidate.fold).axis
    cosine = float(axis @ main)
    if abs(cosine) > np.sin(np.deg2rad(4.0)):
        return axis
    orthogonal = axis - cosine * main
    return orthogonal / np.linalg.norm(orthogonal)


def _common_center(rotations: list[AxisRotation]) -> Array:
    """The point closest to all axes (least squares); if not unique, the one closest to the origin."""
    across = [np.eye(3) - np.outer(candidate.axis, candidate.axis) for candidate in rotations]
    points = [matrix @ candidate.center for matrix, candidate in zip(across, rotations, strict=True)]
    return np.linalg.lstsq(np.vstack(across), np.concatenate(points), rcond=1e-3)[0]


def _closest_to_origin(candidate: AxisRotation) -> Array:
    """The point on the axis closest to the origin."""
    return candidate.center - (candidate.center @ candidate.axis) * candidate.axis


def _snapped(candidate: AxisRotation, fit: SymmetryFit, size: float) -> AxisRotation:
    """The rotation snapped to a coordinate axis and to the origin, where they are close and match as well."""
    best, error = candidate, fit.shape(candidate.transform).mean
    nearest = np.zeros(3)
    nearest[np.abs(candidate.axis).argmax()] = 1.0
    near_axis = abs(float(candidate.axis @ nearest)) > np.cos(_SNAP_ANGLE)
    near_origin = bool(np.linalg.norm(_closest_to_origin(candidate)) < _SNAP_OFFSET * size)
    axis, center = (nearest if near_axis else candidate.axis), (np.zeros(3) if near_origin else candidate.center)
    for snapped_axis, snapped_center in ((candidate.axis, center), (axis, candidate.center), (axis, center)):
        choice = AxisRotation(snapped_axis, snapped_center, candidate.fold)
        if fit.shape(choice.transform).mean < error + _SNAP_LOSS:
            best = choice
    return best


def _distinct(rotations: Iterable[AxisRotation]) -> list[AxisRotation]:
    kept: list[AxisRotation] = []
    for candidate in rotations:
        if not any(_parallel(candidate, other) for other in kept):
            kept.append(candidate)
    return kept


def _parallel(one: AxisRotation, other: AxisRotation) -> bool:
    return abs(float(one.axis @ other.axis)) > _SAME_AXIS


def _rotation_name(candidate: AxisRotation, main_axes: list[AxisRotation]) -> str:
    """Description of a rotation; those about or across a (nearly) continuous axis share one."""
    for main in main_axes:
        if _parallel(candidate, main):
            return f"rotation about {_axis_name(main.axis)}"
        if candidate.fold == 2 and abs(float(candidate.axis @ main.axis)) < np.sin(0.1):
            return f"180° rotation across {_axis_name(main.axis)}"
    return f"{360 / candidate.fold:.0f}° rotation about {_axis_name(candidate.axis)}"


def _axis_name(axis: Array) -> str:
    """A coordinate axis such as "z", or the direction in parentheses."""
    largest = int(np.abs(axis).argmax())
    if abs(float(axis[largest])) > np.cos(_SNAP_ANGLE):
        return "xyz"[largest]
    positive = (axis * np.sign(axis[largest])).round(2) + 0.0  # no "-0.00"
    return "(" + ", ".join(f"{value:.2f}" for value in positive) + ")"
