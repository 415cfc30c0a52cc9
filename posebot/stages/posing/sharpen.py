"""Masks made sharper by the picture itself: the object's colours against those around it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]
_BINS = 20  # of each colour channel
_SURE = 0.02  # the mask's probability is held between this and 1 - this
_STRENGTH = 1.5  # of the colours' evidence, whose pixels are not independent of their neighbours'
_LIMIT = 3.0  # of the log likelihood ratio of one pixel
_BLUR = np.array([0.25, 0.5, 0.25], np.float32)


def sharpened(mask: Map, rgb: Map) -> Map:
    """The probability (S, S) of a mask after the colours (S, S, 3), 0..255, have been heard.

    The mask gives a colour histogram of the object and one of its surroundings; Bayes' rule gives each pixel's
    probability from the mask as prior and the two as likelihoods. As in region-based tracking: Bibby and Reid, "Robust
    real-time visual tracking using pixel-wise posteriors", 2008.
    """
    ratio = colour_ratio(cells(rgb), mask, 1 - mask)
    odds = log_odds(mask) + _STRENGTH * cv2.blur(ratio, (3, 3))
    return np.asarray(1 / (1 + np.exp(-odds)), np.float32)


def cells(rgb: Map) -> NDArray[np.int32]:
    """The cell (S, S) of a colour histogram that each pixel (S, S, 3), 0..255, belongs to."""
    return (rgb * np.float32(_BINS / 256)).astype(np.int32) @ np.array([_BINS * _BINS, _BINS, 1], np.int32)


def colour_ratio(cell: NDArray[np.int32], inside: Map, outside: Map) -> Map:
    """Log likelihood ratio (S, S) of each pixel's colour (see `cells`), object against surroundings, from weights
    (S, S) of both."""
    ours, others = (_histogram(cell, weights) for weights in (inside, outside))
    return np.asarray(np.clip(np.log((ours + 1e-4) / (others + 1e-4)), -_LIMIT, _LIMIT)[cell], np.float32)


def log_odds(mask: Map) -> Map:
    """Log odds (S, S) of probabilities, none of them taken as certain."""
    sure = np.clip(mask, _SURE, 1 - _SURE)
    return np.asarray(np.log(sure / (1 - sure)), np.float32)


def _histogram(cell: NDArray[np.int32], weights: Map) -> Map:
    """Normalised, smoothed histogram (BINS^3,) of colour cells."""
    histogram = np.bincount(cell.ravel(), weights.ravel(), _BINS**3).astype(np.float32).reshape(_BINS, _BINS * _BINS)
    for _ in range(3):  # each axis in turn
        smooth = cv2.filter2D(histogram, -1, _BLUR[:, None], borderType=cv2.BORDER_CONSTANT)
        histogram = np.ascontiguousarray(smooth.T.astype(np.float32).reshape(_BINS, -1))
    return histogram.ravel() / max(float(histogram.sum()), 1e-6)
