"""Stage 2, localization: object coordinates and masks of each detection, from a crop around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import box_iou, crop_matrix, transform_pixels
from posebot.core.transforms import Array
from posebot.models.manifest import LocalizerSpec
from posebot.models.runtime import Network
from posebot.models.runtimes import Arrays
from posebot.stages.detect import GREY, Detection

Map = NDArray[np.float32]
_MAX_IOU = 0.8  # of a box and of the mask in it, above which a second crop is not worth its time
_MIN_BOX_JITTER = 0.25  # in training, from which masks are right in boxes as inaccurate as a detector's
_MIN_AREA = 0.01  # of a crop's pixels: smaller masks are no object


@dataclass(frozen=True)
class Localization:
    """The network's output for one crop; the maps as in docs/explanation/architecture.md.

    Attributes:
        detection: the box of the crop. crop: uint8 (S, S, 3) RGB. crop_from_image: 3x3, image to crop pixels.
        stride: crop pixels per map pixel. visible, amodal: (M, M) probabilities. coordinates: (3, M, M), 0..1 in the
            object's bounding box. scale: (M, M) expected coordinate error in diameters. center: (3,) = (dx, dy, dz).
        bins: (3, B, M, M) probabilities that the coordinate lies near 0, 1/(B-1), ..., 1; None from a network
            without this output.
    """

    detection: Detection
    crop: NDArray[np.uint8] = field(repr=False)
    crop_from_image: Array = field(repr=False)
    stride: int
    visible: Map = field(repr=False)
    amodal: Map = field(repr=False)
    coordinates: Map = field(repr=False)
    scale: Map = field(repr=False)
    center: Map
    bins: Map | None = field(default=None, repr=False)

    @property
    def side(self) -> float:
        """Side of the crop in image pixels."""
        return float(self.crop.shape[0] / self.crop_from_image[0, 0])

    def resampled(self, size: int) -> Array:
        """3x3: image pixels to pixels of the crop resized to `size` x `size`."""
        factor = size / self.crop.shape[0]
        return np.array([[factor, 0, 0.5 * factor - 0.5], [0, factor, 0.5 * factor - 0.5], [0, 0, 1]]) @ (
            self.crop_from_image)


class Localizer(Protocol):
    """Anything that localizes: rgb uint8 (H, W, 3) and its detections to one Localization each, in the same order."""

    def __call__(self, rgb: NDArray[np.uint8], detections: Sequence[Detection]) -> list[Localization]: ...


class OnnxLocalizer:
    """The bundle's localizer. `batch`: maximum number of crops in one run of the network."""

    def __init__(self, network: Network, spec: LocalizerSpec, batch: int = 16) -> None:
        self.network, self.spec, self.batch = network, spec, batch

    def __call__(self, rgb: NDArray[np.uint8], detections: Sequence[Detection]) -> list[Localization]:
        results = []
        for start in range(0, len(detections), self.batch):
            results += self._run(rgb, detections[start:start + self.batch])
        return results

    def inputs(self, rgb: NDArray[np.uint8], detections: Sequence[Detection]) -> tuple[Arrays, list[Array]]:
        """The network's inputs for these boxes, and each crop's matrix (3x3, image to crop pixels)."""
        matrices = [crop_matrix(detection.box_xyxy, self.spec.crop_size, self.spec.pad) for detection in detections]
        crops = np.stack([cut(rgb, matrix, self.spec.crop_size) for matrix in matrices])
        classes = np.array([detection.class_index for detection in detections], dtype=np.int64)
        return {"crops": crops, "classes": classes}, matrices

    def _run(self, rgb: NDArray[np.uint8], detections: Sequence[Detection]) -> list[Localization]:
        arrays, matrices = self.inputs(rgb, detections)
        maps = self.network(arrays)
        return [Localization(detection, arrays["crops"][i], matrices[i], self.spec.stride, maps["visible"][i],
                             maps["amodal"][i], maps["coordinates"][i], maps["scale"][i], maps["center"][i],
                             maps["bins"][i] if "bins" in maps else None)
                for i, detection in enumerate(detections)]


def refine_crops(localizer: Localizer, rgb: NDArray[np.uint8], detections: Sequence[Detection], box_jitter: float
                 ) -> list[Localization]:
    """Localize with crop refinement: where the amodal mask does not fit its box, the crop is cut again around the mask.

    A detector's boxes are inaccurate, those of long objects most of all; a crop that cuts off half of a drill cannot
    show how it is turned. box_jitter: see `LocalizerSpec`; a network trained on exact boxes runs once.
    """
    results = localizer(rgb, detections)
    if box_jitter < _MIN_BOX_JITTER:
        return results
    refined = {index: detection for index, localization in enumerate(results)
               if (detection := _fitted_to_mask(localization, rgb.shape[:2])) is not None}
    again = localizer(rgb, list(refined.values())) if refined else []
    for index, localization in zip(refined, again, strict=True):
        results[index] = localization
    return results


def _fitted_to_mask(localization: Localization, shape: tuple[int, ...]) -> Detection | None:
    """The detection with the box of its amodal mask's largest component, or None where the old box fits that well."""
    size = localization.crop.shape[0]
    mask = cv2.resize(localization.amodal, (size, size), interpolation=cv2.INTER_LINEAR) > 0.5
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if len(stats) < 2:
        return None
    x, y, width, height, area = stats[1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))]
    if area < _MIN_AREA * mask.size:
        return None
    corners = np.array([[x, y], [x + width - 1, y + height - 1]], dtype=float)
    box = transform_pixels(np.asarray(np.linalg.inv(localization.crop_from_image), float), corners).ravel()
    box = np.clip(box, -0.5, np.array([shape[1], shape[0]] * 2) - 0.5)
    iou = float(box_iou(localization.detection.box_xyxy, box)[0, 0])
    return replace(localization.detection, box_xyxy=box) if iou < _MAX_IOU else None


def cut(rgb: NDArray[np.uint8], matrix: Array, size: int) -> NDArray[np.uint8]:
    """The crop (size, size, 3) that a `crop_matrix` describes, bilinear, grey beyond the image border."""
    crop = cv2.warpAffine(rgb, matrix[:2], (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
                          borderValue=(GREY, GREY, GREY))
    return np.asarray(crop, dtype=np.uint8)
