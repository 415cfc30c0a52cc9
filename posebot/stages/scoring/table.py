"""The table of scores. A further score is a function in a file of its own and one entry here.

Weights were fitted on simulated frames: softmax over each crop's candidate poses, with the share of correct ones as
likelihood. A mode without a weight does not use the score in its total.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from posebot.core.transforms import Array
from posebot.stages.observation.evidence import Evidence
from posebot.stages.scoring.contour import contour
from posebot.stages.scoring.coordinates import coordinates
from posebot.stages.scoring.depth_geometry import geometry
from posebot.stages.scoring.inputs import ScoreInputs
from posebot.stages.scoring.landmarks import landmarks
from posebot.stages.scoring.likelihood import likelihood
from posebot.stages.scoring.outline import outline
from posebot.stages.scoring.silhouette import silhouette
from posebot.stages.scoring.texture import texture

Mode = Literal["depth", "rough", "refined", "rough_bins", "refined_bins"]
"""With depth; or from colour alone before and after refinement, `_bins`: where the network gives distributions, of
which the coordinates are an extract."""


@dataclass(frozen=True)
class Score:
    """One kind of evidence for or against a pose.

    Attributes:
        name: in `PoseSolution.scores`, settings, and features of certainty. function: scores (H,) of H poses, 0..1,
            higher is better. weights: in the total, by mode. applies: whether the evidence has what the function needs;
            the score is 0 elsewhere. bonus: added to the weighted mean of the others instead of being part of it.
        feature: whether certainty uses it.
    """

    name: str
    function: Callable[[ScoreInputs], Array]
    weights: Mapping[Mode, float]
    applies: Callable[[Evidence], bool] = lambda evidence: True
    bonus: bool = False
    feature: bool = True


SCORES: list[Score] = [
    Score("silhouette", silhouette,
          {"depth": 0.1, "rough": 2.0, "refined": 0.6, "rough_bins": 2.0, "refined_bins": 0.6}),
    Score("coordinates", coordinates,
          {"depth": 0.4, "rough": 0.75, "refined": 1.35, "rough_bins": 0.75, "refined_bins": 0.4}),
    Score("geometry", geometry, {"depth": 2.0}, applies=lambda evidence: evidence.points is not None),
    Score("texture", texture,
          {"depth": 2.4, "rough": 2.0, "refined": 0.8, "rough_bins": 2.0, "refined_bins": 1.4}),
    Score("outline", outline,
          {"depth": 1.0, "rough": 0.5, "refined": 1.15, "rough_bins": 0.5, "refined_bins": 1.8}),
    Score("contour", contour, {"refined": 1.05, "refined_bins": 2.5},
          applies=lambda evidence: evidence.region is not None),
    Score("likelihood", likelihood, {"rough_bins": 3.0, "refined_bins": 4.5},
          applies=lambda evidence: evidence.bins is not None),
    Score("landmarks", landmarks,
          {"depth": 0.3, "rough": 0.5, "refined": 0.5, "rough_bins": 0.5, "refined_bins": 0.5},
          applies=lambda evidence: evidence.matches is not None, bonus=True),
]
