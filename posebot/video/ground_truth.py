"""How far results are from what a simulation knows. For scripts and summaries; the pipeline never sees the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from posebot.core.objects import ObjectModel
from posebot.core.results import PoseEstimate
from posebot.core.transforms import Array
from posebot.evaluation.pose_errors import mssd, rotation_error, translation_error

CORRECT_MSSD = 0.1  # of the diameter
_STEPS = 72  # rotations into which a continuous symmetry is cut: 2.5 degrees at most off, 2 % of the diameter


@dataclass(frozen=True)
class GroundTruthMatch:
    """One true object and the estimate that was taken for it.

    Attributes:
        mssd: error / diameter, infinite where there was no estimate. translation_mm, rotation_deg: modulo symmetry.
        estimate: None where there was none.
    """

    obj_id: int
    mssd: float = np.inf
    translation_mm: float = np.inf
    rotation_deg: float = np.inf
    estimate: PoseEstimate | None = None

    @property
    def correct(self) -> bool:
        """Whether the error is below a tenth of the diameter."""
        return self.mssd < CORRECT_MSSD


class GroundTruthMatcher:
    """Compares estimates with truth, both in the base frame."""

    def __init__(self, objects: Iterable[ObjectModel]) -> None:
        self.models = {model.obj_id: model for model in objects}
        self._symmetries = {number: model.symmetry_transforms(_STEPS) for number, model in self.models.items()}
        self._vertices = {number: np.unique(model.mesh.vertices, axis=0) for number, model in self.models.items()}

    def judge(self, estimates: Sequence[PoseEstimate], truths: Sequence[tuple[int, Array]]) -> list[GroundTruthMatch]:
        """One GroundTruthMatch per truth (number, base_from_obj), in order.

        An object's estimates choose in the order of their certainty, each the nearest truth that is left, as in BOP's
        localisation.
        """
        misses = [GroundTruthMatch(obj_id) for obj_id, _ in truths]
        for estimate in sorted(estimates, key=lambda e: e.rank, reverse=True):
            free = [i for i, miss in enumerate(misses) if miss.estimate is None and miss.obj_id == estimate.obj_id]
            if estimate.base_from_obj is not None and free:
                scored = [(i, self._miss(estimate, truths[i][1])) for i in free]
                index, best = min(scored, key=lambda pair: pair[1].mssd)
                misses[index] = best
        return misses

    def _miss(self, estimate: PoseEstimate, base_from_obj: Array) -> GroundTruthMatch:
        number, pose = estimate.obj_id, estimate.base_from_obj
        assert pose is not None
        symmetries = self._symmetries[number]
        surface = mssd(pose, base_from_obj, self._vertices[number], symmetries)[0] / self.models[number].diameter
        return GroundTruthMatch(number, float(surface), float(1000 * translation_error(pose, base_from_obj)[0]),
                    float(np.rad2deg(rotation_error(pose, base_from_obj, symmetries)[0])), estimate)


def summarize_matches(misses: Iterable[GroundTruthMatch], labels: Mapping[int, str]) -> dict[str, dict[str, float]]:
    """By label, and "all": count, share correct, and the median errors of those that were found."""
    groups: dict[str, list[GroundTruthMatch]] = {}
    for miss in misses:
        groups.setdefault(labels[miss.obj_id], []).append(miss)
    everything = [miss for group in groups.values() for miss in group]
    return {label: _share(group) for label, group in [*sorted(groups.items()), ("all", everything)] if group}


def _share(group: Sequence[GroundTruthMatch]) -> dict[str, float]:
    found = [miss for miss in group if miss.estimate is not None]

    def median(values: list[float]) -> float:
        return float(np.median(values)) if values else float("nan")

    correct = sum(miss.correct for miss in group)
    return {"count": len(group), "found": len(found) / len(group), "correct": correct / len(group),
            "mssd": median([miss.mssd for miss in found]), "translation_mm": median([m.translation_mm for m in found]),
            "rotation_deg": median([miss.rotation_deg for miss in found])}
