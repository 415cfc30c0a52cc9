"""A track: one object on the table, with a few rival poses and the evidence that it is still there."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from posebot.core.objects import ObjectModel
from posebot.core.results import PoseEstimate
from posebot.core.transforms import Array
from posebot.stages.fusion.state import GATE, Hypothesis, Measurement, aligned, compare, update

_RIVALS = 3
_CHANCE = 0.1  # that a wrong pose lands where another wrong one did: mistakes repeat themselves
_MOST, _STEP = 4.6, 2.5  # log odds of a pose (99 %), and what one view may add to them
_PROCESS = np.diag([0.0001**2] * 3 + [0.0005**2] * 3)  # what may change between two views: metres, radians
_SAME_VIEW = np.cos(np.deg2rad(12.0))  # from nearer directions the networks make the same mistakes
_DIRECTIONS = 24
_LEAST = 0.5  # of its evidence counts though a view be from where others were: things move
_BORN, _SEEN, _SURE = 0.5, 1.0, 2.5  # log odds that it is there: at first, added by a view, at most
_GONE = -0.5
_FOUND = 0.75  # share of objects in full view that the detector finds
_MISSES = 5


@dataclass(eq=False)
class Track:
    """One object seen over time.

    Attributes:
        estimate: the latest of it. seen: number of the frame it is from. hypotheses: rival poses. views: frames in
            which it was seen with a pose. presence: log odds that it is there. misses: how many views in a row have
            not shown it though they should. sides: directions (N, 3) from the object to the camera, object frame, from
            which it was seen, and how often.
    """

    track_id: int
    estimate: PoseEstimate
    seen: int
    hypotheses: list[Hypothesis] = field(default_factory=list)
    views: int = 0
    presence: float = _BORN
    misses: int = 0
    sides: list[tuple[Array, int]] = field(default_factory=list)

    @property
    def obj_id(self) -> int:
        return self.estimate.obj_id

    @property
    def best(self) -> Hypothesis:
        return self.hypotheses[0]

    @property
    def p_correct(self) -> float:
        """Probability of the best pose: the rivals, and none of them, compete."""
        weights = np.exp([hypothesis.support for hypothesis in self.hypotheses])
        return float(weights[0] / (1 + weights.sum()))

    @property
    def gone(self) -> bool:
        return self.presence < _GONE or self.misses >= _MISSES

    def see(self, measured: Measurement, estimate: PoseEstimate, model: ObjectModel, shared: Array, side: Array,
            number: int) -> None:
        """Take a view in. side: unit direction (3,) from the object to the camera, base axes. number: of the frame."""
        self.estimate, self.seen, self.misses, self.views = estimate, number, 0, self.views + 1
        self.presence = min(_SURE, self.presence + _SEEN) if self.views > 1 else self.presence
        if not self.hypotheses:
            self.hypotheses = [_born(measured, shared)]
            self._count(measured.pose[:3, :3].T @ side)
        else:
            weight = 1.0 / self._count(self.best.pose[:3, :3].T @ side)
            self._join(measured, model, shared, weight)

    def keep(self, hypotheses: list[Hypothesis]) -> None:
        """Drop all other rivals, unless none would be left."""
        self.hypotheses = hypotheses or self.hypotheses

    def miss(self, visible: float) -> None:
        """It was not found in a view that should have shown this share of it."""
        self.misses += 1
        self.presence += float(np.log(1 - _FOUND * visible))

    def _join(self, measured: Measurement, model: ObjectModel, shared: Array, weight: float) -> None:
        ranked = []
        for hypothesis in self.hypotheses:
            hypothesis.vision = hypothesis.vision + _PROCESS
            ranked.append((compare(measured, hypothesis, model), hypothesis))
        for (distance, _, _), hypothesis in ranked:
            change = _evidence(measured.p, distance < GATE)
            hypothesis.support = float(np.clip(hypothesis.support + max(weight, _LEAST) * change, -_MOST, _MOST))
        (distance, step, spread), nearest = min(ranked, key=lambda entry: entry[0][0])
        if distance < GATE:
            update(nearest, *_weakened(measured, step, spread, weight))
        else:
            born = _born(measured, shared)
            born.pose = aligned(born.pose, self.best.pose, model)
            self.hypotheses = [*self.hypotheses[:_RIVALS - 1], born]
        self.hypotheses.sort(key=lambda hypothesis: -hypothesis.support)

    def _count(self, side: Array) -> int:
        """How often it was seen from about this side, this time included."""
        for place, (direction, count) in enumerate(self.sides):
            if direction @ side > _SAME_VIEW:
                self.sides[place] = direction, count + 1
                return count + 1
        self.sides = [*self.sides[-_DIRECTIONS + 1:], (side, 1)]
        return 1


def _born(measured: Measurement, shared: Array) -> Hypothesis:
    support = float(np.clip(np.log(measured.p / (1 - measured.p)), -_MOST, _STEP))
    return Hypothesis(measured.pose, measured.vision, measured.kinematics, measured.sensitivity, support, shared=shared)


def _weakened(measured: Measurement, step: Array, spread: Array, weight: float
              ) -> tuple[Measurement, Array, Array]:
    """A view from a side that was seen before tells less: its networks err as they did then."""
    vision = measured.vision / weight
    return (Measurement(measured.pose, vision, measured.kinematics, measured.sensitivity, measured.p), step,
            spread + vision - measured.vision)


def _evidence(p: float, agrees: bool) -> float:
    """Change of a hypothesis' log odds by a view whose own pose is right with probability p.

    Right hypothesis: the view agrees if it is right itself or wrong by the same mistake. Wrong hypothesis: the view
    agrees only if it makes the same mistake.
    """
    by_chance = (1 - p) * _CHANCE
    if agrees:
        return float(min(_STEP, np.log((p + by_chance) / by_chance)))
    return float(max(-_STEP, np.log((1 - p) * (1 - _CHANCE) / (1 - by_chance))))
