"""Symmetry detection: rotations that map a mesh onto itself, discrete and continuous, as in BOP."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from posebot.core.objects import ContinuousSymmetry, Mesh
from posebot.core.transforms import Array, make, rotation_angle
from posebot.objects.geometry import diameter
from posebot.objects.near_symmetry import (
    GOLDEN_ANGLES,
    MAX_FOLD,
    NearSymmetry,
    axis_across,
    axis_lines,
    best_fold,
    reduced,
    turns,
)
from posebot.objects.symmetry_features import Deviation
from posebot.objects.symmetry_fit import SymmetryFit
from posebot.objects.symmetry_names import axis_name, describe_symmetries, rotation_axes
from posebot.objects.symmetry_search import AxisRotation, SymmetrySearch, rotation_about

_SNAP_ANGLE, _SNAP_OFFSET, _SNAP_LOSS = np.deg2rad(1.5), 0.01, 0.0005  # radians; diameters; diameters of mean distance
_SAME_AXIS = np.cos(np.deg2rad(5.0))
_MAX_SAME_ROTATION = np.deg2rad(6.0)
_MAX_GROUP_ORDER = 2 * MAX_FOLD  # a gear of as many teeth that can be turned over; the icosahedral group has 60


@dataclass(frozen=True)
class Symmetries:
    """Symmetries of an object: `discrete` (4x4, metres, without the identity) and `continuous`, as in BOP.

    `near` are those that a feature breaks, taken for symmetries or not: questions to the user. `near_symmetries`
    describe rotations that match the shape but not the texture, or nearly match the shape: candidates for confusion.
    """

    discrete: tuple[Array, ...] = ()
    continuous: tuple[ContinuousSymmetry, ...] = ()
    near_symmetries: tuple[str, ...] = ()
    near: tuple[NearSymmetry, ...] = ()

    def describe(self) -> str:
        """Axis and angle of each: "any turn about z, half-turn about x", or "none"."""
        return describe_symmetries(self.discrete, self.continuous)


def find_symmetries(mesh: Mesh, use_colors: bool = True) -> Symmetries:
    """Detect the rotational symmetries of a mesh in metres; with `use_colors` they must match the texture as well.

    Discrete symmetries form a closed group about one centre, unless the texture breaks part of it. Axes and centre are
    snapped to those of the object frame where that matches as well. The mesh need not be watertight.
    """
    size = diameter(mesh.vertices[np.unique(mesh.faces)])
    search, deviation = SymmetrySearch(mesh, size), Deviation(mesh, size)
    fit = SymmetryFit(mesh, search, use_colors)
    candidates = search.candidates()
    evaluated = [(candidate, fit.shape(candidate.transform)) for candidate in candidates]
    matching = [_snapped(candidate, fit, search.diameter) for candidate, shape in evaluated if shape.matches]
    exact, near = _by_feature([*matching, *candidates], search, fit, deviation)
    if exact:  # the mesh is precise enough to tell: what a feature breaks is asked for
        matching = [AxisRotation(entry.axis, entry.center, entry.fold) for entry in exact]
    axes = _distinct(candidate for candidate in matching if candidate.fold != 2)
    axes = [axis for axis in axes if (axis.fold == 0 if exact else _any_angle_matches(axis, fit))]
    continuous_axes = [axis for axis in axes if _any_angle_matches_colors(axis, fit)]
    turns_found = [candidate for candidate in matching if candidate.fold > 0]
    with_texture = [candidate for candidate in turns_found if fit.colors_match(candidate.transform)]
    discrete = (_discrete_beside_continuous(continuous_axes, with_texture) if continuous_axes
                else _closed_group(with_texture, fit))
    continuous = tuple(ContinuousSymmetry(axis.axis, _closest_to_origin(axis)) for axis in continuous_axes[:3])
    close = [candidate for candidate, shape in evaluated if shape.nearly_matches]
    rounded = tuple(transform.round(12) + 0.0 for transform in discrete)  # no 1e-17 or -0.0 in files
    confused = _describe_near_symmetries([*with_texture, *continuous_axes], matching, close, near)
    return Symmetries(rounded, continuous, confused, tuple(_marked(near, rounded, continuous)))


def combined(found: Symmetries, declared: Sequence[AxisRotation]) -> Symmetries | None:
    """The group of the symmetries found and of declared ones (fold 0: any turn); None if they have no finite group."""
    if not declared:
        return found
    axes = [AxisRotation(entry.axis, entry.offset, 0) for entry in found.continuous]
    for line in declared:
        if line.fold == 0 and not any(_parallel(line, axis) for axis in axes):
            axes.append(line)
    rotations = [AxisRotation(*entry) for entry in rotation_axes(found.discrete)]
    rotations += [line for line in declared if line.fold > 1]
    if axes:
        discrete = _discrete_beside_continuous(axes, rotations)
    else:
        center, fold = _common_center(rotations), max(line.fold for line in rotations)
        group = _closure([line.transform[:3, :3] for line in rotations], fold)
        if group is None:
            return None
        discrete = [_about(rotation, center) for rotation in group[1:]]
    continuous = tuple(ContinuousSymmetry(axis.axis, _closest_to_origin(axis)) for axis in axes[:3])
    return replace(found, discrete=tuple(transform.round(12) + 0.0 for transform in discrete), continuous=continuous)


def _by_feature(candidates: list[AxisRotation], search: SymmetrySearch, fit: SymmetryFit, deviation: Deviation
                ) -> tuple[list[NearSymmetry], list[NearSymmetry]]:
    """Symmetries that hold to the accuracy of the facets, and those that a feature breaks, by axis."""
    exact, near = list[NearSymmetry](), list[NearSymmetry]()
    lines = axis_lines(candidates, search)
    for line in sorted(lines, key=lambda line: line.fold == 2):
        if _implied(line, [*exact, *near]):
            continue
        snapped = _aligned(_snapped(line, fit, search.diameter) if line.fold else line, exact)
        is_round = search.has_equal_moments(line.axis)
        holds, nearly = best_fold(snapped, deviation, is_round)
        if holds is None and nearly is not None and nearly.fold > 0:  # perhaps the axis is not yet precise
            finer = search.refine(AxisRotation(snapped.axis, snapped.center, nearly.fold), steps=30)
            holds, nearly = best_fold(_aligned(finer or snapped, exact), deviation, is_round)
        exact += [holds] if holds is not None else []
        if nearly is not None and all(fit.colors_match(t) for t in turns(nearly.axis, nearly.center, nearly.fold)):
            near.append(nearly)
    return exact, near


def _aligned(line: AxisRotation, exact: list[NearSymmetry]) -> AxisRotation:
    """A half-turn that lies across an exact axis, made to cross it at a right angle."""
    for main in exact:
        cosine = float(line.axis @ main.axis)
        if line.fold == 2 and main.fold != 2 and abs(cosine) < np.sin(np.deg2rad(4.0)):
            axis = line.axis - cosine * main.axis
            center = main.center + ((line.center - main.center) @ main.axis) * main.axis
            return AxisRotation(axis / np.linalg.norm(axis), center, 2)
    return line


def _implied(line: AxisRotation, found: list[NearSymmetry]) -> bool:
    """Whether a line lies across an axis of any turn, beside another such line that was looked at."""
    main = [entry for entry in found if entry.fold == 0]
    flips = [entry for entry in found if entry.fold == 2]
    return line.fold == 2 and bool(main) and any(
        abs(float(line.axis @ main[0].axis)) < np.sin(0.1) and abs(float(flip.axis @ main[0].axis)) < np.sin(0.1)
        and flip.feature.exact for flip in flips)


def _marked(near: list[NearSymmetry], discrete: tuple[Array, ...], continuous: tuple[ContinuousSymmetry, ...]
            ) -> list[NearSymmetry]:
    """The near symmetries that no others imply; those that were taken for symmetries are marked as such."""
    axes = rotation_axes(discrete)
    near = reduced(near, [*((entry.axis, 0) for entry in continuous), *((axis, fold) for axis, _, fold in axes)])
    return [replace(entry, taken=any(abs(float(entry.axis @ other.axis)) > _SAME_AXIS for other in continuous)
                    if entry.fold == 0 else any(abs(float(entry.axis @ axis)) > _SAME_AXIS and fold % entry.fold == 0
                                                for axis, _, fold in axes)) for entry in near]


def _describe_near_symmetries(
    with_texture: list[AxisRotation], matching: list[AxisRotation], near: list[AxisRotation], asked: list[NearSymmetry]
) -> tuple[str, ...]:
    flips = any(entry.fold == 2 for entry in asked)
    near = [] if flips else [candidate for candidate in near if not any(
        abs(float(candidate.axis @ entry.axis)) > _SAME_AXIS for entry in asked)]
    main_axes = _distinct(candidate for candidate in (*matching, *near) if candidate.fold > 4 or candidate.fold == 0)
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
    return all(fit.shape(rotation_about(candidate.axis, candidate.center, angle)).matches for angle in GOLDEN_ANGLES)


def _any_angle_matches_colors(candidate: AxisRotation, fit: SymmetryFit) -> bool:
    return all(fit.colors_match(rotation_about(candidate.axis, candidate.center, angle)) for angle in GOLDEN_ANGLES)


def _discrete_beside_continuous(continuous_axes: list[AxisRotation], rotations: list[AxisRotation]) -> list[Array]:
    """The 180° rotation across a single continuous axis, which implies all others; none for a sphere (several axes)."""
    main = continuous_axes[0]
    across = [candidate for candidate in rotations
              if candidate.fold == 2 and abs(float(candidate.axis @ main.axis)) < np.sin(0.1)]
    if len(continuous_axes) > 1 or not across:
        return []
    flip = across[0]
    return [rotation_about(axis_across(main.axis), _common_center([main, flip]), np.pi)]


def _closed_group(rotations: list[AxisRotation], fit: SymmetryFit) -> list[Array]:
    """The group (4x4 each, without the identity) of the rotations whose products all match the shape."""
    if not rotations:
        return []
    center, fold = _common_center(rotations), max(candidate.fold for candidate in rotations)
    group, generators = [np.eye(3)], list[Array]()
    for candidate in sorted(rotations, key=lambda candidate: -candidate.fold):
        rotation = replace(candidate, axis=_orthogonalised(candidate.axis, rotations)).transform[:3, :3]
        if _contains(group, rotation, fold):
            continue
        larger = _closure([*generators, rotation], fold)
        if larger is not None and all(fit.shape(_about(r, center)).matches for r in larger[1:]):
            group, generators = larger, [*generators, rotation]
    return [transform for r in group[1:] if fit.colors_match(transform := _about(r, center))]


def _closure(generators: list[Array], fold: int) -> list[Array] | None:
    """The group generated by rotations (3x3) of at most `fold`, identity first; None if it is too large."""
    group = [np.eye(3)]
    for element in group:  # grows during iteration
        for generator in generators:
            product = element @ generator
            if not _contains(group, product, fold):
                group.append(product)
        if len(group) > _MAX_GROUP_ORDER:
            return None
    return group


def _contains(group: list[Array], rotation: Array, fold: int) -> bool:
    tolerance = min(_MAX_SAME_ROTATION, 0.4 * 2 * np.pi / fold)
    return bool((rotation_angle(np.stack(group), rotation) < tolerance).any())


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
            return f"rotation about {axis_name(main.axis)}"
        if candidate.fold == 2 and abs(float(candidate.axis @ main.axis)) < np.sin(0.1):
            return f"180° rotation across {axis_name(main.axis)}"
    return f"{360 / candidate.fold:.0f}° rotation about {axis_name(candidate.axis)}"
