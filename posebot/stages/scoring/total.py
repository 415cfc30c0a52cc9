"""All scores of many poses at once, and their weighted total."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from posebot.core.transforms import Array
from posebot.stages.geometry.surface import Surface
from posebot.stages.observation.evidence import Evidence
from posebot.stages.observation.upright import with_upright_prior
from posebot.stages.scoring.inputs import ScoreInputs
from posebot.stages.scoring.table import SCORES, Mode


@dataclass(frozen=True)
class Scores:
    """Scores of H poses. values: (H,) by name, as in `table.SCORES`. total: (H,) the weighted mean plus bonuses, less
    the cost of leaning where the up direction is known."""

    values: Mapping[str, Array]
    total: Array

    def joined(self, other: Scores) -> Scores:
        """These scores, followed by the other's."""
        return Scores({name: np.concatenate([value, other.values[name]]) for name, value in self.values.items()},
                      np.concatenate([self.total, other.total]))

    def at(self, index: int) -> dict[str, float]:
        """The scores of one pose by name."""
        return {name: float(value[index]) for name, value in self.values.items()}


def score(poses: Array, evidence: Evidence, surface: Surface, count: int | None = None) -> Scores:
    """Score poses (H, 4, 4). count: number of surface points to draw; default: all."""
    inputs = ScoreInputs.of(poses, evidence, surface, count)
    values = {one.name: one.function(inputs) if one.applies(evidence) else np.zeros(len(poses)) for one in SCORES}
    total = weighted_total(values, mode_of(evidence))
    return Scores(values, with_upright_prior(total, poses, surface.up_axes, evidence.upright))


def mode_of(evidence: Evidence) -> Mode:
    """Which weights the evidence asks for."""
    if evidence.points is not None:
        return "depth"
    if evidence.bins is None:
        return "rough" if evidence.region is None else "refined"
    return "rough_bins" if evidence.region is None else "refined_bins"


def weighted_total(values: Mapping[str, Array], mode: Mode) -> Array:
    """The weighted mean (H,) of scores (H,) by name, plus bonuses."""
    used = [one for one in SCORES if one.weights.get(mode)]
    mean = [one for one in used if not one.bonus]
    total = sum(one.weights[mode] * values[one.name] for one in mean) / sum(one.weights[mode] for one in mean)
    for one in used:
        if one.bonus:
            total = total + one.weights[mode] * values[one.name]
    return np.asarray(total)
