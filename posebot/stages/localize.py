"""Stage 2: which point of the object lies at which pixel, and how surely?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import crop_matrix
from posebot.core.transforms import Array
from posebot.models.manifest import LocalizerSpec
from posebot.models.runtime import Arrays, Network
from posebot.stages.detect import GREY, Detection

Map = NDArray[np.float32]


@dataclass(frozen=True)
class Localization:
    """What the network says about one crop; the maps as in docs/architecture.md.

    Attributes:
        detection: the box that was cut. crop: uint8 (S, S, 3) RGB. crop_from_picture: 3x3, picture to crop pixels.
        stride: crop pixels per map pixel. visible, amodal: (M, M) probabilities. coordinates: (3, M, M), 0..1 in the
            object's bounding box. scale: (M, M) expected coordinate error in diameters. center: (3,) = (dx, dy, dz).
    """

    detection: Detection
    crop: NDArray[np.uint8] = field(repr=False)
    crop_from_picture: Array = field(repr=False)
    stride: int
    visible: Map = field(repr=False)
    amodal: Map = field(repr=False)
    coordinates: Map = field(repr=False)
    scale: Map = field(repr=False)
    center: Map

    @property
    def side(self) -> float:
        """Side of the crop in picture pixels."""
        return float(self.crop.shape[0] / self.crop_from_picture[0, 0])

    def resampled(self, size: int) -> Array:
        """3x3: picture pixels to pixels of the crop resized to `size` x `size`."""
        factor = size / self.crop.shape[0]
        return np.array([[factor, 0, 0.5 * factor - 0.5], [0, factor, 0.5 * factor - 0.5], [0, 0, 1]]) @ (
            self.crop_from_picture)


class Localizer(Protocol):
    """Anything that localizes: rgb uint8 (H, W, 3) and its detections to one Localization each, in the same order."""

    def __call__(self, rgb: NDArray[np.uint8], detections: Sequence[Detection]) -> list[Localization]: ...


class OnnxLocalizer:
    """The bundle's localizer. `batch`: most crops in one run of the network."""

    def __init__(self, network: Network, spec: LocalizerSpec, batch: int = 16) -> None:
        self.network, self.spec, self.batch = network, spec, batch

    def __call__(self, rgb: NDArray[np.uint8], detections: Sequence[Detection]) -> list[Localization]:
        results = []
        for start in range(0, len(detections), self.batch):
            results += self._run(rgb, detections[start:start + self.batch])
        return results

    def inputs(self, rgb: NDArray[np.uint8], detections: Sequence[Detection]) -> tuple[Arrays, list[Array]]:
        """What the network gets for these boxes, and each crop's matrix (3x3, picture to crop pixels)."""
        matrices = [crop_matrix(detection.box_xyxy, self.spec.crop_size, self.spec.pad) for detection in detections]
        crops = np.stack([cut(rgb, matrix, self.spec.crop_size) for matrix in matrices])
        classes = np.array([detection.class_index for detection in detections], dtype=np.int64)
        return {"crops": crops, "classes": classes}, matrices

    def _run(self, rgb: NDArray[np.uint8], detections: Sequence[Detection]) -> list[Localization]:
        arrays, matrices = self.inputs(rgb, detections)
        maps = self.network(arrays)
        return [Localization(detection, arrays["crops"][i], matrices[i], self.spec.stride, maps["visible"][i],
                             maps["amodal"][i], maps["coordinates"][i], maps["scale"][i], maps["center"][i])
                for i, detection in enumerate(detections)]


def cut(rgb: NDArray[np.uint8], matrix: Array, size: int) -> NDArray[np.uint8]:
    """The crop (size, size, 3) that a `crop_matrix` describes, bilinear, grey beyond the picture's border."""
    crop = cv2.warpAffine(rgb, matrix[:2], (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
                          borderValue=(GREY, GREY, GREY))
    return np.asarray(crop, dtype=np.uint8)
