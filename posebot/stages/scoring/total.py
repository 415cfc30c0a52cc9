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
from posebot.stages.settings import DEFAULTS
from posebot.stages.settings.scoring import ScoringSettings


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
    settings = evidence.settings
    total = weighted_total(values, mode_of(evidence), settings.scoring)
    return Scores(values, with_upright_prior(total, poses, surface.up_axes, evidence.upright, settings.upright.weight))


def mode_of(evidence: Evidence) -> Mode:
    """Which weights the evidence asks for."""
    if evidence.points is not None:
        return "depth"
    if evidence.bins is None:
        return "rough" if evidence.region is None else "refined"
    return "rough_bins" if evidence.region is None else "refined_bins"


def weighted_total(values: Mapping[str, Array], mode: Mode, settings: ScoringSettings = DEFAULTS.scoring) -> Array:
    """The weighted mean (H,) of scores (H,) by name, plus bonuses."""
    changed = settings.weights.get(mode, {})
    weights = {one.name: changed.get(one.name, one.weights.get(mode, 0.0)) for one in SCORES}
    mean = [one.name for one in SCORES if weights[one.name] and not one.bonus]
    total = sum(weights[name] * values[name] for name in mean) / sum(weights[name] for name in mean)
    for one in SCORES:
        if weights[one.name] and one.bonus:
            total = total + weights[one.name] * values[one.name]
    return np.asarray(total)
