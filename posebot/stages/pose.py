"""Stage 3, pose: of each object from its crop, with or without depth: hypotheses, refinement, scores."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from posebot.core.frame import Frame
from posebot.core.machine import cores
from posebot.core.objects import ObjectModel
from posebot.stages.blas_threads import SINGLE_THREADED_BLAS
from posebot.stages.geometry.surface import Surface
from posebot.stages.hypotheses import colour as colour_hypotheses
from posebot.stages.hypotheses import depth as depth_hypotheses
from posebot.stages.localize import Localization
from posebot.stages.observation.depth_readings import depth_readings
from posebot.stages.observation.evidence import Evidence, gather
from posebot.stages.observation.upright import Upright
from posebot.stages.refinement import colour as colour_refinement
from posebot.stages.refinement import contour
from posebot.stages.refinement import depth as depth_refinement
from posebot.stages.refinement.ground import GroundContact, ground_corrections
from posebot.stages.refinement.upright import UprightVote, common_upright
from posebot.stages.settings import DEFAULTS, PoseSettings
from posebot.stages.solution import PoseSolution, best_solution
from posebot.stages.surface_builder import build_surface


class PoseSolver:
    """Solves poses of a bundle's objects. Construction builds their surface models (some tenths of a second each).

    Args:
        threads: number of objects solved concurrently; 0: one more than there are cores, since a thread sometimes waits
            for the GIL. upright_prior: share of the objects that are upright, 0: unknown, see `observation.upright`.
        settings: of the pose stage.
    """

    def __init__(self, objects: Sequence[ObjectModel], threads: int = 0, upright_prior: float = 0.0,
                 settings: PoseSettings = DEFAULTS) -> None:
        self.settings = settings
        self.surfaces = [build_surface(model, settings) for model in objects]
        self.threads, self.upright_prior = threads or cores() + 1, upright_prior

    def __call__(self, frame: Frame, localization: Localization, use_depth: bool = True) -> PoseSolution:
        """Never raises for a bad crop: a solution without a pose gives the reason. The frame must be undistorted."""
        return self.all(frame, [localization], use_depth)[0]

    def all(self, frame: Frame, localizations: Sequence[Localization], use_depth: bool = True) -> list[PoseSolution]:
        """The same for all objects of one frame, which share the up direction and the ground."""
        def begin(localization: Localization) -> _Pending | PoseSolution:
            surface = self.surfaces[localization.detection.class_index]
            evidence = gather(frame, localization, surface.model, use_depth, self.settings)
            return _begin(evidence, surface, localization)

        with SINGLE_THREADED_BLAS, ExitStack() as stack:
            mapped: Any = map
            if min(self.threads, len(localizations)) > 1:
                mapped = stack.enter_context(ThreadPoolExecutor(min(self.threads, len(localizations)))).map
            pending = list(mapped(begin, localizations))
            votes = [one.vote for one in pending if isinstance(one, _Pending)]
            upright = common_upright(votes, self.upright_prior, self.settings.upright)
            solutions = list(mapped(partial(_finish, upright=upright), pending))
        return solutions if upright is None else self._on_ground(solutions, upright)

    def _on_ground(self, solutions: list[PoseSolution], upright: Upright) -> list[PoseSolution]:
        """The solutions, those from colour alone corrected by the ground that upright objects have in common."""
        chosen = [index for index, one in enumerate(solutions) if one.pose is not None and not one.with_depth]
        contacts = [self._contact(solutions[index], upright) for index in chosen]
        corrections = ground_corrections(contacts, self.settings.upright)
        for index, correction in zip(chosen, corrections, strict=True):
            solutions[index] = solutions[index].corrected(correction)
        return solutions

    def _contact(self, solution: PoseSolution, upright: Upright) -> GroundContact:
        assert solution.pose is not None
        detection = solution.localization.detection
        surface, trust = self.surfaces[detection.class_index], detection.score * solution.total
        return GroundContact.of(solution.pose, surface.points, surface.up_axes, surface.model.diameter, trust,
                                upright.up)


def solve(evidence: Evidence, surface: Surface, localization: Localization) -> PoseSolution:
    """The pose that explains the evidence best, of one object by itself."""
    with SINGLE_THREADED_BLAS:
        return _finish(_begin(evidence, surface, localization))


@dataclass(frozen=True)
class _Pending:
    """One object from colour alone, before the up direction is known."""

    hypotheses: colour_refinement.ColourHypotheses
    surface: Surface
    localization: Localization

    @property
    def vote(self) -> UprightVote:
        totals = self.hypotheses.totals
        trust = self.localization.detection.score * totals.max()
        return UprightVote(self.hypotheses.poses, totals, self.surface.up_axes, trust)


def _begin(evidence: Evidence, surface: Surface, localization: Localization) -> _Pending | PoseSolution:
    """All steps that do not need the up direction: with depth, all."""
    limits = evidence.settings.observation
    if float((evidence.visible > 0.5).sum()) < limits.min_visible_pixels:
        return PoseSolution(localization, reason="too few pixels in the box look like the object")
    if evidence.points is not None:
        points, weights = depth_readings(evidence)
        if len(points) >= limits.min_readings:
            poses = depth_hypotheses.generate(evidence, surface, points, weights)
            candidates, scores = depth_refinement.refine(poses, evidence, surface, points, weights)
            best = candidates[int(np.argmax(scores.total))]
            information = depth_refinement.information(best, evidence, surface, points, weights)
            return best_solution(information, candidates, scores, evidence, surface, localization)
    return _Pending(colour_hypotheses.generate(evidence.for_colour(localization), surface), surface, localization)


def _finish(pending: _Pending | PoseSolution, upright: Upright | None = None) -> PoseSolution:
    if isinstance(pending, PoseSolution):
        return pending
    evidence, surface = replace(pending.hypotheses.evidence, upright=upright), pending.surface
    candidates, scores = colour_refinement.refine(pending.hypotheses, surface, upright)
    information = contour.information(candidates[int(np.argmax(scores.total))], evidence, surface)
    return best_solution(information, candidates, scores, evidence, surface, pending.localization)
