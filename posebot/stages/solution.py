"""The solved pose of one object, with its scores and covariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from posebot.core.objects import ObjectModel
from posebot.core.results import Alternative
from posebot.core.transforms import Array, make
from posebot.stages.geometry.surface import Surface
from posebot.stages.geometry.symmetry import canonical
from posebot.stages.hypotheses.alternatives import alternative_poses
from posebot.stages.localize import Localization
from posebot.stages.observation.evidence import Evidence
from posebot.stages.refinement.ground import GroundCorrection
from posebot.stages.scoring.total import Scores

_SYMMETRY_INFORMATION = 1e4  # of a rotation about a continuous symmetry, which changes nothing visible


@dataclass(frozen=True)
class PoseSolution:
    """What is known about one object's pose.

    Attributes:
        localization: what it was solved from. pose: cam_from_obj 4x4, or None, then `reason` says why.
        covariance: 6x6 of the weighted Hessian alone, as if all pixels were independent; None without a pose.
        scores: by name, 0..1, see `scoring.table`; empty without a pose. total: their weighted total.
        margin: `total` minus that of the best clearly different pose. alternatives: the other poses where that is less
            than `AlternativeSettings.margin`.
        visibility: visible / amodal mask area, 0..1. sigma: median expected coordinate error, diameters.
        with_depth: whether depth was used. upright: how well the pose fits the ground that other objects stand on,
            0..1; 0 where that is not known.
    """

    localization: Localization
    pose: Array | None = None
    reason: str = ""
    covariance: Array | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    total: float = 0.0
    margin: float = 0.0
    alternatives: tuple[Alternative, ...] = ()
    visibility: float = 0.0
    sigma: float = 1.0
    with_depth: bool = False
    upright: float = 0.0

    def corrected(self, correction: GroundCorrection) -> PoseSolution:
        """The solution moved along its viewing ray, with the covariance that leaves."""
        solution = replace(self, upright=correction.upright)
        if not correction.explained:
            return solution
        assert self.pose is not None and self.covariance is not None
        ray = self.pose[:3, 3] / np.linalg.norm(self.pose[:3, 3])
        shrink = np.eye(6)
        shrink[:3, :3] -= (1 - np.sqrt(1 - correction.explained)) * np.outer(ray, ray)
        alternatives = tuple(replace(other, cam_from_obj=_stretched(other.cam_from_obj, correction))
                             for other in self.alternatives)
        return replace(solution, pose=_stretched(self.pose, correction), covariance=shrink @ self.covariance @ shrink,
                       alternatives=alternatives)


def best_solution(information: Array, candidates: Array, scores: Scores, evidence: Evidence, surface: Surface,
                  localization: Localization) -> PoseSolution:
    """The solution of the best candidate (H, 4, 4). information: (6, 6) at its pose."""
    best = int(np.argmax(scores.total))
    pose, model = candidates[best], surface.model
    covariance = np.asarray(np.linalg.inv(information + _prior_information(pose, model)), dtype=float)
    visibility = (evidence.visible > 0.5).sum() / max(float(evidence.amodal.sum()), 1.0)
    margin, others = alternative_poses(candidates, scores.total, best, covariance, evidence, surface)
    sigma = float(np.median(evidence.sigma)) / model.diameter if len(evidence.sigma) else 1.0
    return PoseSolution(localization, canonical(pose, model), covariance=covariance, scores=scores.at(best),
                        total=float(scores.total[best]), margin=margin, alternatives=others,
                        visibility=min(float(visibility), 1.0), sigma=sigma, with_depth=evidence.points is not None)


def _stretched(pose: Array, correction: GroundCorrection) -> Array:
    return make(pose[:3, :3], pose[:3, 3] * (1 + correction.stretch))


def _prior_information(pose: Array, model: ObjectModel) -> Array:
    """Information (6, 6) without any evidence: position to half a diameter, attitude to a radian. A rotation about a
    continuous symmetry counts as known."""
    prior = np.diag([4 / model.diameter**2] * 3 + [1.0] * 3)
    for symmetry in model.symmetries_continuous:
        axis = pose[:3, :3] @ symmetry.axis
        arm = pose[:3, :3] @ symmetry.offset
        twist = np.concatenate([np.cross(arm, axis), axis])
        prior += _SYMMETRY_INFORMATION * np.outer(twist, twist) / (twist @ twist)
    return prior
