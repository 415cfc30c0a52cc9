"""Where in a crop the object is, pixel by pixel, by its own colours against those around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.stages.localize import Localization
from posebot.stages.posing.sharpen import cells, colour_ratio, log_odds

Map = NDArray[np.float32]
_MASK = 0.5  # of the mask's log odds beside those of the colours
_AROUND = np.ones((25, 25), np.uint8)  # pixels by which a silhouette grows into the surroundings that count
_BESIDE = np.ones((3, 3), np.uint8)  # of them, those that may be either


@dataclass(frozen=True)
class Region:
    """What the crop (S x S pixels, camera `K`) says of each pixel.

    Attributes:
        odds: log odds of the object against its surroundings, (1, S, S) for all poses alike, from colours and mask, or
            (H, S, S) for H poses, from the colours of each (`of_silhouettes`). hidden: (S, S) probability that the
            object is there behind something. colours: (S, S) cell of each pixel, see `sharpen.cells`.
    """

    K: Array
    odds: Map = field(repr=False)
    hidden: Map = field(repr=False)
    colours: NDArray[np.int32] = field(repr=False)

    def of_silhouettes(self, covers: Sequence[Map]) -> Region:
        """The same for each pose by itself: the colours inside its silhouette (S, S), 0..1, against those around it.

        The network's mask leaves out what it does not know (a drill's chuck) and takes in what looks alike; the
        silhouette of a pose that is nearly right has all of the object's colours, and no mask's errors.
        """
        return replace(self, odds=np.stack([self._odds(cover) for cover in covers]))

    def _odds(self, cover: Map) -> Map:
        around = cv2.dilate(cover, _AROUND) * (1 - cv2.dilate(cover, _BESIDE))
        return colour_ratio(self.colours, cover * (1 - self.hidden), np.asarray(around, np.float32))


def region_of(localization: Localization, K: Array) -> Region:
    """Of a crop. K: 3x3 of the (undistorted) picture that it was cut from."""
    size = localization.crop.shape[0]
    visible, amodal = (cv2.resize(m, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.float32)
                       for m in (localization.visible, localization.amodal))
    colours = cells(localization.crop.astype(np.float32))
    ratio = colour_ratio(colours, visible, 1 - np.maximum(visible, amodal))
    odds = ratio + np.float32(_MASK) * log_odds(visible)
    return Region(localization.resampled(size) @ K, odds[None], np.clip(amodal - visible, 0, 1).astype(np.float32),
                  colours)
