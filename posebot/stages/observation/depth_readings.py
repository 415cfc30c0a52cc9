"""Depth readings of one object: its point cloud in the camera frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.stages.observation.evidence import Evidence

Points = NDArray[np.float32]


def depth_readings(evidence: Evidence) -> tuple[Points, Points]:
    """Depth readings that probably lie on the object: points (N, 3), camera frame, shuffled, and their weights (N,)."""
    assert evidence.points is not None
    chosen = (evidence.visible > 0.5) & (evidence.points[..., 2] > 0)
    points, weights = evidence.points[chosen], evidence.visible[chosen] ** 2
    if len(points):
        near = np.abs(points[:, 2] - np.median(points[:, 2])) < evidence.model.diameter
        points, weights = points[near], weights[near]
    order = np.random.default_rng(0).permutation(len(points))
    return points[order], weights[order]
