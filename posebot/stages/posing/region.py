"""Where in a crop the object is, pixel by pixel, by its own colours against those around it."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.stages.localize import Localization
from posebot.stages.posing.sharpen import colour_ratio, log_odds

Map = NDArray[np.float32]
_MASK = 0.5  # of the mask's log odds beside those of the colours


@dataclass(frozen=True)
class Region:
    """What the crop (S x S pixels, camera `K`) says of each pixel.

    Attributes:
        odds: (S, S) log odds of the object against its surroundings, from colours and mask. hidden: (S, S) probability
            that the object is there behind something.
    """

    K: Array
    odds: Map = field(repr=False)
    hidden: Map = field(repr=False)


def region_of(localization: Localization, K: Array) -> Region:
    """Of a crop. K: 3x3 of the (undistorted) picture that it was cut from."""
    size = localization.crop.shape[0]
    visible, amodal = (cv2.resize(m, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.float32)
                       for m in (localization.visible, localization.amodal))
    ratio = colour_ratio(localization.crop.astype(np.float32), visible, 1 - np.maximum(visible, amodal))
    odds = ratio + np.float32(_MASK) * log_odds(visible)
    return Region(localization.resampled(size) @ K, odds, np.clip(amodal - visible, 0, 1).astype(np.float32))
