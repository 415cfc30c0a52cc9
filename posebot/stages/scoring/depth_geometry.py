"""Score `geometry`: share of drawn and masked pixels where the depth readings agree with the pose."""

from __future__ import annotations

import numpy as np

from posebot.core.transforms import Array
from posebot.stages.scoring.inputs import ScoreInputs


def geometry(inputs: ScoreInputs) -> Array:
    """Share (H,), 0..1.

    A drawn pixel with a nearer reading is hidden by something and costs only its visible probability; with a farther
    reading it costs 1, since the sensor sees through the object. A masked pixel that is not drawn costs its
    probability. A reading that agrees counts even where the mask does not expect it: masks of handles and rims come out
    too small, and the sensor is more reliable.
    """
    assert inputs.evidence.points is not None
    visible, read = inputs.evidence.visible, inputs.evidence.points[..., 2] > 0
    difference, measured = inputs.depth_difference, inputs.measured
    unmasked = inputs.settings.unmasked_weight
    weight = np.where(read, unmasked + (1 - unmasked) * visible, 0).astype(np.float32)
    gain = np.where(measured, np.exp(np.float32(-0.5) * np.minimum(difference**2, 40)), 0) * weight
    cost = np.where(inputs.hidden, visible, np.where(difference > inputs.settings.through, np.float32(1), weight))
    missed = np.where(read & (visible > 0.5), visible, 0)
    total = np.where(inputs.covered, np.where(measured, cost, 0), missed)
    return np.asarray(gain.sum(axis=(1, 2)) / np.maximum(total.sum(axis=(1, 2)), 1.0), dtype=float)
