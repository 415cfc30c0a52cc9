"""Stage 3: the pose of one object from what its crop says, with or without depth, and how well the evidence agrees."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from posebot.core.frame import Frame
from posebot.core.machine import cores
from posebot.core.objects import ObjectModel
from posebot.core.results import Alternative
from posebot.core.transforms import Array, make, rotate_covariance
from posebot.stages.localize import Localization
from posebot.stages.posing import colour, contour, depth, icp, pnp
from posebot.stages.posing.ambiguity import rivals
from posebot.stages.posing.build import build_surface
from posebot.stages.posing.evidence import Evidence, gather
from posebot.stages.posing.score import Scores
from posebot.stages.posing.standing import Move, Thing, Upright, Vote, agreed, on_ground
from posebot.stages.posing.surface import Points, Surface
from posebot.stages.posing.symmetry import canonical

_MIN_VISIBLE = 12  # working pixels (of 64 x 64) in the visible mask


@dataclass(frozen=True)
class PoseSolution:
    """What is known of one object's pose.

    Attributes:
        localization: where it came from. pose: cam_from_obj 4x4, or None, then `reason` says why.
        covariance: 6x6 of the weighted Hessian alone, as if all pixels were independent; None without a pose.
        silhouette, coordinates, geometry, print, outline, contour, landmarks, likelihood: the scores of
            `posing.score`, 0..1.
        standing: how well it goes with standing on the ground that others stand on, 0..1; 0 where that is not known.
        total: their weighted mean. margin: `total` minus that of the best clearly different pose.
        alternatives: where that is less than `ambiguity.NEAR`, the other poses that come so near.
        visibility: visible / amodal mask area, 0..1. sigma: mean expected coordinate error, diameters.
        with_depth: whether depth was used.
    """

    localization: Localization
    pose: Array | None = None
    reason: str = ""
    covariance: Array | None = None
    silhouette: float = 0.0
    coordinates: float = 0.0
    geometry: float = 0.0
    print: float = 0.5
    total: float = 0.0
    margin: float = 0.0
    visibility: float = 0.0
    sigma: float = 1.0
    with_depth: bool = False
    outline: float = 0.0
    contour: float = 0.0
    landmarks: float = 0.0
    likelihood: float = 0.0
    alternatives: tuple[Alternative, ...] = ()
    standing: float = 0.0


class PoseSolver:
    """Solves poses of a bundle's objects. Building it prepares their surfaces (some tenths of a second each).

    Args:
        threads: how many objects of a frame are solved at once; 0: one more than there are cores, as now and then one
            waits for Python's lock. standing: share of the objects that stand upright, 0: unknown, see
            `posing.standing`.
    """

    def __init__(self, objects: Sequence[ObjectModel], threads: int = 0, standing: float = 0.0) -> None:
        self.surfaces = [build_surface(model) for model in objects]
        self.threads, self.standing = threads or cores() + 1, standing

    def __call__(self, frame: Frame, localization: Localization, use_depth: bool = True) -> PoseSolution:
        """Never raises for a bad crop: a solution without a pose says why. The frame must be undistorted."""
        return self.all(frame, [localization], use_depth)[0]

    def all(self, frame: Frame, localizations: Sequence[Localization], use_depth: bool = True) -> list[PoseSolution]:
        """The same for all objects of one frame: those that stand tell each other which way is up."""
        def begin(localization: Localization) -> _Begun | PoseSolution:
            surface = self.surfaces[localization.detection.class_index]
            return _begin(gather(frame, localization, surface.model, use_depth), surface, localization)

        with SINGLE, ExitStack() as stack:
            mapped: Any = map
            if min(self.threads, len(localizations)) > 1:
                mapped = stack.enter_context(ThreadPoolExecutor(min(self.threads, len(localizations)))).map
            begun = list(mapped(begin, localizations))
            up = agreed([one.vote for one in begun if isinstance(one, _Begun)], self.standing)
            solutions = list(mapped(partial(_finish, up=up), begun))
        return solutions if up is None else self._on_ground(solutions, up)

    def _on_ground(self, solutions: list[PoseSolution], up: Upright) -> list[PoseSolution]:
        """The solutions, those from colour alone that stand on common ground moved along their rays towards it."""
        chosen = [number for number, one in enumerate(solutions) if one.pose is not None and not one.with_depth]
        moves = on_ground([self._thing(solutions[number], up) for number in chosen])
        for number, move in zip(chosen, moves, strict=True):
            solutions[number] = _moved(solutions[number], move)
        return solutions

    def _thing(self, solution: PoseSolution, up: Upright) -> Thing:
        assert solution.pose is not None
        detection = solution.localization.detection
        surface, trust = self.surfaces[detection.class_index], detection.score * solution.total
        return Thing.of(solution.pose, surface.points, surface.uprights, surface.model.diameter, trust, up.up)


class _SingleThreaded:
    """While anyone is inside, linear algebra uses one thread: products this small take longer in several.

    The setting is the process's, so that the first who enters makes it and the last who leaves takes it back.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._open = Lock(), 0, ExitStack()
        self._controller: ThreadpoolController | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._controller = self._controller or ThreadpoolController()
                self._open.enter_context(self._controller.limit(limits=1, user_api="blas"))

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._open.close()


SINGLE = _SingleThreaded()


def solve(evidence: Evidence, surface: Surface, localization: Localization) -> PoseSolution:
    """The pose that explains the evidence best."""
    with SINGLE:
        return _finish(_begin(evidence, surface, localization))


@dataclass(frozen=True)
class _Begun:
    """One object, from colour alone, half way."""

    draft: colour.Draft
    surface: Surface
    localization: Localization

    @property
    def vote(self) -> Vote:
        totals = self.draft.totals
        return Vote(self.draft.poses, totals, self.surface.uprights, self.localization.detection.score * totals.max())


def _begin(evidence: Evidence, surface: Surface, localization: Localization) -> _Begun | PoseSolution:
    """All that can be done before it is known which way is up: with depth, everything."""
    if float((evidence.visible > 0.5).sum()) < _MIN_VISIBLE:
        return PoseSolution(localization, reason="too few pixels in the box look like the object")
    if evidence.points is not None:
        points, trust = depth.sensed_points(evidence)
        if len(points) >= depth.MIN_POINTS:
            candidates, scores = depth.search(evidence, surface, points, trust)
            pose = candidates[int(np.argmax(scores.total))]
            information = _depth_information(pose, evidence, surface, points, trust)
            return _solution(information, candidates, scores, evidence, surface, localization, True)
    return _Begun(colour.draft(evidence.closer(localization), surface), surface, localization)


def _finish(begun: _Begun | PoseSolution, up: Upright | None = None) -> PoseSolution:
    if isinstance(begun, PoseSolution):
        return begun
    evidence, surface = replace(begun.draft.evidence, upright=up), begun.surface
    candidates, scores = colour.finish(begun.draft, surface, up)
    information = contour.information(candidates[int(np.argmax(scores.total))], evidence, surface)
    return _solution(information, candidates, scores, evidence, surface, begun.localization, False)


def _solution(information: Array, candidates: Array, scores: Scores, evidence: Evidence, surface: Surface,
              localization: Localization, with_depth: bool) -> PoseSolution:
    """The best candidate. information: (6, 6) at its pose."""
    best = int(np.argmax(scores.total))
    pose = candidates[best]
    covariance = np.asarray(np.linalg.inv(information + _floor(pose, surface.model)), dtype=float)
    visibility = (evidence.visible > 0.5).sum() / max(float(evidence.amodal.sum()), 1.0)
    margin, others = rivals(candidates, scores.total, best, covariance, evidence, surface)
    return PoseSolution(
        localization, canonical(pose, surface.model), "", covariance, float(scores.silhouette[best]),
        float(scores.coordinates[best]), float(scores.geometry[best]), float(scores.print[best]),
        float(scores.total[best]), margin, min(float(visibility), 1.0),
        float(np.median(evidence.sigma)) / surface.model.diameter if len(evidence.sigma) else 1.0, with_depth,
        float(scores.outline[best]), float(scores.contour[best]), float(scores.landmarks[best]),
        float(scores.likelihood[best]), others)


def _moved(solution: PoseSolution, move: Move) -> PoseSolution:
    """Farther along its ray by a share of its distance, which is then less unsure."""
    solution = replace(solution, standing=move.stands)
    if not move.sure:
        return solution
    assert solution.pose is not None and solution.covariance is not None
    ray = solution.pose[:3, 3] / np.linalg.norm(solution.pose[:3, 3])
    shrink = np.eye(6)
    shrink[:3, :3] -= (1 - np.sqrt(1 - move.sure)) * np.outer(ray, ray)
    others = tuple(replace(other, cam_from_obj=_farther(other.cam_from_obj, move)) for other in solution.alternatives)
    return replace(solution, pose=_farther(solution.pose, move), covariance=shrink @ solution.covariance @ shrink,
                   alternatives=others)


def _farther(pose: Array, move: Move) -> Array:
    return make(pose[:3, :3], pose[:3, 3] * (1 + move.farther))


def _depth_information(pose: Array, evidence: Evidence, surface: Surface, points: Points, trust: Points) -> Array:
    """Information (6, 6) of sensed points and coordinates together, camera axes."""
    distance = icp.residuals(pose[None], surface, points)[0][0]
    width = max(0.003, 1.5 * float(np.nanmedian(np.abs(distance)))) if np.isfinite(distance).any() else 0.01
    matrix = icp.information(pose[None], surface, points, trust, width)[0] / width**2
    return rotate_covariance(pose[:3, :3], matrix) + pnp.information(pose, evidence, pnp.Prior(evidence.origin))


def _floor(pose: Array, model: ObjectModel) -> Array:
    """Information that is always there: the place is known to half a diameter, the attitude to a radian.

    A turn about a continuous symmetry changes nothing that can be seen: it counts as known.
    """
    floor = np.diag([4 / model.diameter**2] * 3 + [1.0] * 3)
    for symmetry in model.symmetries_continuous:
        axis = pose[:3, :3] @ symmetry.axis
        arm = pose[:3, :3] @ symmetry.offset
        twist = np.concatenate([np.cross(arm, axis), axis])
        floor += 1e4 * np.outer(twist, twist) / (twist @ twist)
    return floor
