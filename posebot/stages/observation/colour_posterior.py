"""Pixel-wise colour posterior: masks sharpened by the object's colours against those around it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.stages.geometry.compiled import compiled
from posebot.stages.settings import DEFAULTS
from posebot.stages.settings.observation import ColourSettings

Map = NDArray[np.float32]
_BINS = 20  # of each colour channel


def colour_posterior(mask: Map, rgb: Map, settings: ColourSettings = DEFAULTS.observation.colour) -> Map:
    """The probability (S, S) of a mask given the colours (S, S, 3), 0..255.

    The mask gives a colour histogram of the object and one of its surroundings; Bayes' rule gives each pixel's
    probability with the mask as prior and the histograms as likelihoods. As in region-based tracking: Bibby and Reid,
    "Robust real-time visual tracking using pixel-wise posteriors", 2008.
    """
    ratio = colour_ratio(colour_cells(rgb), mask, 1 - mask, settings.max_log_ratio)
    odds = log_odds(mask, settings.min_probability) + settings.posterior_weight * cv2.blur(ratio, (3, 3))
    return np.asarray(1 / (1 + np.exp(-odds)), np.float32)


def colour_cells(rgb: Map) -> NDArray[np.int32]:
    """The histogram cell (S, S) of each pixel's colour (S, S, 3), 0..255."""
    return (rgb * np.float32(_BINS / 256)).astype(np.int32) @ np.array([_BINS * _BINS, _BINS, 1], np.int32)


def colour_ratio(cell: NDArray[np.int32], inside: Map, outside: Map, limit: float) -> Map:
    """Log likelihood ratio (S, S) of each pixel's colour cell, object against surroundings, from weights (S, S) of
    both; clipped to plus and minus `limit`."""
    return _ratio(cell, np.asarray(inside, np.float32), np.asarray(outside, np.float32), limit)


def log_odds(mask: Map, min_probability: float) -> Map:
    """Log odds (S, S) of probabilities, clipped to `min_probability` and 1 - this."""
    clipped = np.clip(mask, min_probability, 1 - min_probability)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float32)


@compiled
def _ratio(cell: NDArray[np.int32], inside: Map, outside: Map, limit: float) -> Map:
    ours, others = _histogram(cell, inside), _histogram(cell, outside)
    for i in range(len(ours)):
        ratio = np.log((ours[i] + np.float32(1e-4)) / (others[i] + np.float32(1e-4)))
        ours[i] = min(max(ratio, np.float32(-limit)), np.float32(limit))
    odds = np.empty(cell.shape, np.float32)
    for v in range(cell.shape[0]):
        for u in range(cell.shape[1]):
            odds[v, u] = ours[cell[v, u]]
    return odds


@compiled
def _histogram(cell: NDArray[np.int32], weights: Map) -> Map:
    """Normalised histogram (BINS^3,) of colour cells, each blurred into its neighbours along the three channels."""
    counts, blurred, total = np.zeros(_BINS**3, np.float32), np.empty(_BINS**3, np.float32), np.float32(1e-6)
    for v in range(cell.shape[0]):
        for u in range(cell.shape[1]):
            counts[cell[v, u]] += weights[v, u]
    for step in (1, _BINS, _BINS * _BINS):
        for i in range(len(counts)):
            place = i // step % _BINS
            low = counts[i - step] if place > 0 else np.float32(0)
            high = counts[i + step] if place < _BINS - 1 else np.float32(0)
            blurred[i] = np.float32(0.5) * counts[i] + np.float32(0.25) * (low + high)
        counts, blurred = blurred, counts
    for i in range(len(counts)):
        total += counts[i]
    return counts / total
