"""Comparison of results with the ground truth of a simulation, for scripts and summaries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from posebot.core.objects import ObjectModel
from posebot.core.results import PoseEstimate
from posebot.core.transforms import Array
from posebot.evaluation.pose_errors import mssd, rotation_error, translation_error

CORRECT_MSSD = 0.1  # of the diameter
_STEPS = 72  # of a continuous symmetry: error up to 2.5 degrees, 2 % of the diameter


@dataclass(frozen=True)
class GroundTruthMatch:
    """One ground-truth object and the estimate matched to it.

    Attributes:
        mssd: error / diameter, infinite without an estimate. translation_mm, rotation_deg: modulo symmetry.
        estimate: None if there is none.
    """

    obj_id: int
    mssd: float = np.inf
    translation_mm: float = np.inf
    rotation_deg: float = np.inf
    estimate: PoseEstimate | None = None

    @property
    def correct(self) -> bool:
        """Whether the MSSD is below 10 % of the diameter."""
        return self.mssd < CORRECT_MSSD


class GroundTruthMatcher:
    """Matches estimates to ground truth, both in the base frame."""

    def __init__(self, objects: Iterable[ObjectModel]) -> None:
        self.models = {model.obj_id: model for model in objects}
        self._symmetries = {number: model.symmetry_transforms(_STEPS) for number, model in self.models.items()}
        self._vertices = {number: np.unique(model.mesh.vertices, axis=0) for number, model in self.models.items()}

    def match(self, estimates: Sequence[PoseEstimate], truths: Sequence[tuple[int, Array]]) -> list[GroundTruthMatch]:
        """One GroundTruthMatch per object (obj_id, base_from_obj) in `truths`, in order.

        Greedy: estimates in order of decreasing rank take the nearest remaining instance, as in BOP localisation.
        """
        matches = [GroundTruthMatch(obj_id) for obj_id, _ in truths]
        for estimate in sorted(estimates, key=lambda e: e.rank, reverse=True):
            free = [i for i, match in enumerate(matches) if match.estimate is None and match.obj_id == estimate.obj_id]
            if estimate.base_from_obj is not None and free:
                scored = [(i, self._errors(estimate, truths[i][1])) for i in free]
                index, best = min(scored, key=lambda pair: pair[1].mssd)
                matches[index] = best
        return matches

    def _errors(self, estimate: PoseEstimate, base_from_obj: Array) -> GroundTruthMatch:
        number, pose = estimate.obj_id, estimate.base_from_obj
        assert pose is not None
        symmetries = self._symmetries[number]
        surface = mssd(pose, base_from_obj, self._vertices[number], symmetries)[0] / self.models[number].diameter
        return GroundTruthMatch(number, float(surface), float(1000 * translation_error(pose, base_from_obj)[0]),
                    float(np.rad2deg(rotation_error(pose, base_from_obj, symmetries)[0])), estimate)


def summarize_matches(matches: Iterable[GroundTruthMatch], labels: Mapping[int, str]) -> dict[str, dict[str, float]]:
    """By label, and "all": count, share found, share correct, median errors of those found."""
    groups: dict[str, list[GroundTruthMatch]] = {}
    for match in matches:
        groups.setdefault(labels[match.obj_id], []).append(match)
    everything = [match for group in groups.values() for match in group]
    return {label: _share(group) for label, group in [*sorted(groups.items()), ("all", everything)] if group}


def _share(group: Sequence[GroundTruthMatch]) -> dict[str, float]:
    found = [match for match in group if match.estimate is not None]

    def median(values: list[float]) -> float:
        return float(np.median(values)) if values else float("nan")

    correct = sum(match.correct for match in group)
    return {"count": len(group), "found": len(found) / len(group), "correct": correct / len(group),
            "mssd": median([match.mssd for match in found]),
            "translation_mm": median([match.translation_mm for match in found]),
            "rotation_deg": median([match.rotation_deg for match in found])}
