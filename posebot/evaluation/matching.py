"""Assignment of estimates to ground-truth instances: greedy, best score first, as in the BOP challenge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array

Indices = NDArray[np.int64]


def by_score(scores: Array) -> Indices:
    """Order of estimates, best score first; equal scores keep their order."""
    return np.argsort(-np.asarray(scores, dtype=float), kind="stable")


def match(errors: Array, scores: Array, thresholds: Array) -> Indices:
    """Match estimates to ground-truth instances at several thresholds at once.

    In order of decreasing score, each estimate takes the instance with the smallest error among those still free, if
    that error is *below* the threshold (not equal to it).

    Args:
        errors: (E, G), or (H, E, G) where the error itself depends on the threshold. scores: (E,). thresholds: (H,).
    Returns:
        (H, E): the index of the matched instance, or -1.
    """
    thresholds = np.atleast_1d(thresholds)
    errors = np.broadcast_to(errors, (len(thresholds), *errors.shape[-2:]))
    levels = np.arange(len(thresholds))
    free = np.ones((len(levels), errors.shape[2]), dtype=bool)
    matched = np.full(errors.shape[:2], -1)
    if not free.size:
        return matched
    for estimate in by_score(scores):
        open_errors = np.where(free, errors[:, estimate], np.inf)
        nearest = open_errors.argmin(axis=1)
        hit = open_errors[levels, nearest] < thresholds
        matched[hit, estimate] = nearest[hit]
        free[levels[hit], nearest[hit]] = False
    return matched
