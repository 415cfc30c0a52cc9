"""Score `landmarks`: how many keypoints lie where the pose has a texture landmark like them."""

from __future__ import annotations

import numpy as np

from posebot.core.transforms import Array
from posebot.stages.observation.texture_landmarks import LandmarkMatches
from posebot.stages.scoring.inputs import ScoreInputs
from posebot.stages.settings import DEFAULTS
from posebot.stages.settings.scoring import ScoringSettings


def landmarks(inputs: ScoreInputs) -> Array:
    """Agreement (H,), 0..1, see `landmark_agreement`."""
    assert inputs.evidence.matches is not None
    return landmark_agreement(inputs.poses, inputs.evidence.matches, inputs.evidence.K, inputs.settings)


def landmark_agreement(poses: Array, matches: LandmarkMatches, K: Array,
                       settings: ScoringSettings = DEFAULTS.scoring) -> Array:
    """Number of keypoints that agree with poses (H, 4, 4), mapped to 0..1, 0.5 at `half_keypoints`."""
    points = poses[:, :3, :3] @ matches.points.T + poses[:, :3, 3:]
    pixels = (K @ points)[:, :2] / np.maximum(points[:, 2:], 1e-3)
    error = np.linalg.norm(pixels - matches.pixels.T, axis=1)
    eyes = -np.einsum("hij,hi->hj", poses[:, :3, :3], poses[:, :3, 3])
    towards = eyes[:, None] - matches.points
    facing = (towards * matches.directions).sum(axis=2) > settings.min_facing * np.linalg.norm(towards, axis=2)
    fits = (error < matches.tolerance) & facing
    starts = np.flatnonzero(np.diff(matches.keypoint, prepend=-1))
    count = np.logical_or.reduceat(fits, starts, axis=1).sum(axis=1).astype(float)
    return np.asarray(count**2 / (count**2 + settings.half_keypoints**2))
