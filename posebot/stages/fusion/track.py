"""A track: one object with a few alternative poses and the evidence that it is still there."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from posebot.core.objects import ObjectModel
from posebot.core.results import PoseEstimate
from posebot.core.transforms import Array
from posebot.stages.fusion.state import GATE, Hypothesis, Measurement, aligned, compare, update

_MAX_HYPOTHESES = 3
_REPEATED_MISTAKE = 0.1  # probability that a wrong pose agrees with an earlier wrong one
_MAX_SUPPORT, _MAX_CHANGE = 4.6, 2.5  # log odds of a pose (99 %), and their change by one view
_PROCESS = np.diag([0.0001**2] * 3 + [0.0005**2] * 3)  # what may change between two views: metres, radians
_SAME_VIEW = np.cos(np.deg2rad(12.0))  # from nearer directions the networks make the same mistakes
_MAX_DIRECTIONS = 24
_MIN_WEIGHT = 0.5  # of the evidence of a view from a direction seen before: objects move
_INITIAL_PRESENCE, _PRESENCE_PER_VIEW, _MAX_PRESENCE = 0.5, 1.0, 2.5  # log odds: at first, added, at most
_MIN_PRESENCE = -0.5
_DETECTION_RATE = 0.75  # share of objects in full view that the detector finds
_MAX_MISSES = 5


@dataclass(eq=False)
class Track:
    """One object seen over time.

    Attributes:
        estimate: the latest of it. seen: number of its frame. hypotheses: alternative poses. views: frames in
            which it was seen with a pose. presence: log odds that it is there. misses: how many views in a row have
            missed it. sides: directions (N, 3) from the object to the camera, object frame, from
            which it was seen, and how often.
    """

    track_id: int
    estimate: PoseEstimate
    seen: int
    hypotheses: list[Hypothesis] = field(default_factory=list)
    views: int = 0
    presence: float = _INITIAL_PRESENCE
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
        """Probability of the best hypothesis; the others, and none of them, compete."""
        weights = np.exp([hypothesis.support for hypothesis in self.hypotheses])
        return float(weights[0] / (1 + weights.sum()))

    @property
    def gone(self) -> bool:
        return self.presence < _MIN_PRESENCE or self.misses >= _MAX_MISSES

    def see(self, measured: Measurement, estimate: PoseEstimate, model: ObjectModel, shared: Array, side: Array,
            number: int) -> None:
        """Add a view. side: unit direction (3,) from the object to the camera, base axes. number: of the frame."""
        self.estimate, self.seen, self.misses, self.views = estimate, number, 0, self.views + 1
        self.presence = min(_MAX_PRESENCE, self.presence + _PRESENCE_PER_VIEW) if self.views > 1 else self.presence
        if not self.hypotheses:
            self.hypotheses = [_new_hypothesis(measured, shared)]
            self._count(measured.pose[:3, :3].T @ side)
        else:
            weight = 1.0 / self._count(self.best.pose[:3, :3].T @ side)
            self._join(measured, model, shared, weight)

    def keep(self, hypotheses: list[Hypothesis]) -> None:
        """Keep only these hypotheses, unless none would be left."""
        self.hypotheses = hypotheses or self.hypotheses

    def miss(self, visible: float) -> None:
        """Count a view that should have shown this share of the object, and in which it was not detected."""
        self.misses += 1
        self.presence += float(np.log(1 - _DETECTION_RATE * visible))

    def _join(self, measured: Measurement, model: ObjectModel, shared: Array, weight: float) -> None:
        ranked = []
        for hypothesis in self.hypotheses:
            hypothesis.vision = hypothesis.vision + _PROCESS
            ranked.append((compare(measured, hypothesis, model), hypothesis))
        (distance, step, spread), nearest = min(ranked, key=lambda entry: entry[0][0])
        for hypothesis in self.hypotheses:  # a view speaks for one pose, though others may be within its gate
            change = _evidence(measured.p, hypothesis is nearest and distance < GATE)
            support = hypothesis.support + max(weight, _MIN_WEIGHT) * change
            hypothesis.support = float(np.clip(support, -_MAX_SUPPORT, _MAX_SUPPORT))
        if distance < GATE:
            update(nearest, *_reweighted(measured, step, spread, weight))
        else:
            born = _new_hypothesis(measured, shared)
            born.pose = aligned(born.pose, self.best.pose, model)
            self.hypotheses = [*self.hypotheses[:_MAX_HYPOTHESES - 1], born]
        self.hypotheses.sort(key=lambda hypothesis: (-hypothesis.support, -hypothesis.views))
        self.hypotheses = _distinct(self.hypotheses, model)

    def _count(self, side: Array) -> int:
        """How often it was seen from about this direction, this time included."""
        for place, (direction, count) in enumerate(self.sides):
            if direction @ side > _SAME_VIEW:
                self.sides[place] = direction, count + 1
                return count + 1
        self.sides = [*self.sides[-_MAX_DIRECTIONS + 1:], (side, 1)]
        return 1


def _distinct(hypotheses: list[Hypothesis], model: ObjectModel) -> list[Hypothesis]:
    """Those that differ from each better supported one. What no view confirms gets less exact with time, until it is
    compatible with the pose that the views do confirm: it would take its share of the evidence, and be no alternative.
    """
    kept: list[Hypothesis] = []
    for one in hypotheses:
        pose = Measurement(one.pose, one.vision, one.kinematics, one.sensitivity, 0.5)
        if all(compare(pose, other, model)[0] >= GATE for other in kept):
            kept.append(one)
    return kept


def _new_hypothesis(measured: Measurement, shared: Array) -> Hypothesis:
    support = float(np.clip(np.log(measured.p / (1 - measured.p)), -_MAX_SUPPORT, _MAX_CHANGE))
    return Hypothesis(measured.pose, measured.vision, measured.kinematics, measured.sensitivity, support, shared=shared)


def _reweighted(measured: Measurement, step: Array, spread: Array, weight: float
              ) -> tuple[Measurement, Array, Array]:
    """A view from a direction seen before has less weight: its errors are correlated."""
    vision = measured.vision / weight
    return (Measurement(measured.pose, vision, measured.kinematics, measured.sensitivity, measured.p), step,
            spread + vision - measured.vision)


def _evidence(p: float, agrees: bool) -> float:
    """Change of a hypothesis' log odds by a view whose own pose is right with probability p.

    Right hypothesis: the view agrees if it is right itself or wrong by the same mistake. Wrong hypothesis: the view
    agrees only if it makes the same mistake.
    """
    by_chance = (1 - p) * _REPEATED_MISTAKE
    if agrees:
        return float(min(_MAX_CHANGE, np.log((p + by_chance) / by_chance)))
    return float(max(-_MAX_CHANGE, np.log((1 - p) * (1 - _REPEATED_MISTAKE) / (1 - by_chance))))
