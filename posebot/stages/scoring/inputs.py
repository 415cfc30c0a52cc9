"""What a score is computed from: poses, the evidence about an object, its surface, and the poses drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.stages.geometry.splat import Splats, splat
from posebot.stages.geometry.surface import Surface
from posebot.stages.observation.evidence import Evidence
from posebot.stages.settings.scoring import ScoringSettings

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ScoreInputs:
    """Inputs of all scores of H poses.

    Attributes:
        poses: (H, 4, 4). drawn: the poses in the working image of S x S pixels.
    """

    poses: Array
    evidence: Evidence
    surface: Surface
    drawn: Splats = field(repr=False)

    @classmethod
    def of(cls, poses: Array, evidence: Evidence, surface: Surface, count: int | None = None) -> ScoreInputs:
        """Draw the poses. count: number of surface points to draw; default: all."""
        return cls(poses, evidence, surface, splat(poses, surface, evidence.K, len(evidence.visible), count))

    @property
    def settings(self) -> ScoringSettings:
        """Settings of the scores."""
        return self.evidence.settings.scoring

    @cached_property
    def covered(self) -> Mask:
        """(H, S, S) where the pose is drawn."""
        return self.drawn.depth > 0

    @cached_property
    def depth_difference(self) -> Map:
        """(H, S, S) depth reading minus drawn depth, in tolerances of sensor and pose."""
        assert self.evidence.points is not None
        tolerance = self.settings.depth_noise_m + self.settings.depth_tolerance * self.evidence.model.diameter
        return (self.evidence.points[..., 2] - self.drawn.depth) * np.float32(1 / tolerance)

    @cached_property
    def measured(self) -> Mask:
        """(H, S, S) where the pose is drawn and there is a depth reading."""
        assert self.evidence.points is not None
        return self.covered & (self.evidence.points[..., 2] > 0)

    @cached_property
    def hidden(self) -> Mask:
        """(H or 1, S, S) where the pose is hidden. With depth: something is nearer. Without: no pixel within two is
        visible, so that a rim there cannot be judged."""
        if self.evidence.points is not None:
            return self.measured & (self.depth_difference < -self.settings.hidden)
        return (cv2.dilate(self.evidence.visible, np.ones((5, 5), np.uint8)) < 0.5)[None]

    @cached_property
    def seen(self) -> Mask:
        """(H, S, S) where the drawn object is visible by the mask and, with depth, by the depth reading."""
        if self.evidence.points is None:
            return self.covered & (self.evidence.visible > 0.5)
        agrees = np.abs(self.depth_difference) < self.settings.agrees
        return self.measured & agrees & (self.evidence.visible > 0.5)
