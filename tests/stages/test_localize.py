"""Crop refinement: crops are cut again where the mask does not fit the box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from posebot.core.camera import box_iou, crop_matrix, transform_pixels
from posebot.stages.detect import Detection
from posebot.stages.localize import Localization, cut, refine_crops

RGB = np.zeros((240, 320, 3), np.uint8)
WIDE = 0.35
TRUE = np.array([100.0, 60, 180, 150])


class Sees:
    """A localizer that sees one object, which fills a box of the picture, in whatever crop."""

    def __init__(self, box: NDArray[np.float64]) -> None:
        self.box, self.asked = box, 0

    def __call__(self, rgb: NDArray[np.uint8], detections: Sequence[Detection]) -> list[Localization]:
        self.asked += len(detections)
        return [self._one(rgb, detection) for detection in detections]

    def _one(self, rgb: NDArray[np.uint8], detection: Detection) -> Localization:
        matrix = crop_matrix(detection.box_xyxy, 128, 1.25)
        pixels = np.stack(np.meshgrid(np.arange(32), np.arange(32)), axis=-1) * 4 + 1.5
        places = transform_pixels(np.linalg.inv(matrix), pixels.reshape(-1, 2))
        inside = ((places >= self.box[:2]) & (places <= self.box[2:])).all(axis=1).reshape(32, 32).astype(np.float32)
        return Localization(detection, cut(rgb, matrix, 128), matrix, 4, inside, inside,
                            np.zeros((3, 32, 32), np.float32), np.ones((32, 32), np.float32), np.zeros(3, np.float32))


@pytest.mark.parametrize("off", [(35, 0, 35, 0), (0, -30, 10, -30), (-40, -40, 40, 40), (25, 20, -5, -5)])
def test_a_box_beside_the_object_is_moved_onto_it(off: tuple[float, ...]) -> None:
    rough = Detection(0, 0.5, TRUE + np.array(off))
    (found,) = refine_crops(Sees(TRUE), RGB, [rough], WIDE)
    before, after = (float(box_iou(TRUE, box)[0, 0]) for box in (rough.box_xyxy, found.detection.box_xyxy))
    assert before < 0.75 and after > max(0.7, before + 0.1)
    assert found.detection.score == rough.score


def test_a_box_that_fits_is_not_looked_at_twice() -> None:
    network = Sees(TRUE)
    (found,) = refine_crops(network, RGB, [Detection(0, 0.5, TRUE + 3)], WIDE)
    assert network.asked == 1
    np.testing.assert_array_equal(found.detection.box_xyxy, TRUE + 3)


def test_what_is_not_seen_keeps_its_box() -> None:
    network = Sees(np.array([300.0, 200, 301, 201]))
    boxes = [Detection(0, 0.5, TRUE), Detection(1, 0.4, TRUE + 20)]
    found = refine_crops(network, RGB, boxes, WIDE)
    assert network.asked == 2 and [each.detection for each in found] == boxes
    assert refine_crops(network, RGB, [], WIDE) == []


def test_the_order_stays_and_boxes_end_at_the_picture() -> None:
    edge = np.array([260.0, 180, 400, 300])
    found = refine_crops(Sees(edge), RGB, [Detection(0, 0.5, TRUE), Detection(1, 0.4, edge - 40)], WIDE)
    assert [each.detection.class_index for each in found] == [0, 1]
    assert found[1].detection.box_xyxy[2:].tolist() <= [319.5, 239.5]


def test_a_network_that_knows_exact_boxes_alone_is_asked_once() -> None:
    network = Sees(TRUE)
    rough = Detection(0, 0.5, TRUE + np.array([35, 0, 35, 0]))
    assert refine_crops(network, RGB, [rough], 0.12)[0].detection == rough and network.asked == 1
