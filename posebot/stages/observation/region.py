"""Log odds of the object for each pixel of a crop, from the object's own colours against those around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.transforms import Array
from posebot.stages.localize import Localization
from posebot.stages.observation.colour_posterior import colour_cells, colour_ratio, log_odds
from posebot.stages.settings import DEFAULTS
from posebot.stages.settings.observation import ColourSettings

Map = NDArray[np.float32]


@dataclass(frozen=True)
class Region:
    """Pixel-wise evidence of a crop (S x S pixels, camera `K`).

    Attributes:
        odds: log odds of the object against its surroundings: (1, S, S), the same for all poses, from colours and mask;
            or (H, S, S), one for each of H poses, from its own colours (`from_silhouettes`).
        hidden: (S, S) probability that the object is there behind something. colours: (S, S) colour cell of each pixel.
    """

    K: Array
    odds: Map = field(repr=False)
    hidden: Map = field(repr=False)
    colours: NDArray[np.int32] = field(repr=False)
    settings: ColourSettings = DEFAULTS.observation.colour

    def from_silhouettes(self, silhouettes: Sequence[Map]) -> Region:
        """The region of each pose by itself: colours inside its silhouette (S, S), 0..1, against those around it.

        The network's mask lacks unfamiliar parts (a drill's chuck) and includes similar surroundings; the silhouette of
        a nearly correct pose has all of the object's colours and no mask errors.
        """
        return replace(self, odds=np.stack([self._odds(silhouette) for silhouette in silhouettes]))

    def _odds(self, silhouette: Map) -> Map:
        surroundings, margin = (np.ones((side, side), np.uint8) for side in (
            self.settings.surroundings_px, self.settings.margin_px))
        around = cv2.dilate(silhouette, surroundings) * (1 - cv2.dilate(silhouette, margin))
        return colour_ratio(self.colours, silhouette * (1 - self.hidden), np.asarray(around, np.float32),
                            self.settings.max_log_ratio)


def region_of_crop(localization: Localization, K: Array, settings: ColourSettings = DEFAULTS.observation.colour
                   ) -> Region:
    """The region of a crop. K: 3x3 of the (undistorted) image that it was cut from."""
    size = localization.crop.shape[0]
    visible, amodal = (cv2.resize(m, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.float32)
                       for m in (localization.visible, localization.amodal))
    colours = colour_cells(localization.crop.astype(np.float32))
    ratio = colour_ratio(colours, visible, 1 - np.maximum(visible, amodal), settings.max_log_ratio)
    odds = ratio + np.float32(settings.mask_weight) * log_odds(visible, settings.min_probability)
    return Region(localization.resampled(size) @ K, odds[None], np.clip(amodal - visible, 0, 1).astype(np.float32),
                  colours, settings)
