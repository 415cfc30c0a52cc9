"""2-D detection: estimated boxes with a class against the visible boxes of the ground truth."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from posebot.core.camera import box_iou
from posebot.core.transforms import Array
from posebot.evaluation.matching import match
from posebot.evaluation.records import EvaluatedEstimate, ImageRecord

MIN_VISIBLE, MIN_IOU = 0.1, 0.5
_EPSILON = 1e-9  # `match` wants errors below a threshold; an IoU equal to it counts


def has_boxes(records: Sequence[ImageRecord]) -> bool:
    """Whether the source has boxes (a BOP csv has none)."""
    return any(estimate.box is not None for record in records for estimate in record.estimates)


def box_recall(records: Sequence[ImageRecord]) -> tuple[Array, Array, Array]:
    """Of every instance with a visible box: object id, visible fraction, whether an estimate of its class matches.

    A match has an IoU of at least 0.5; best score first, one instance per estimate. Three arrays (N,).
    """
    rows: list[tuple[float, float, float]] = []
    for record in records:
        for obj_id in sorted({truth.obj_id for truth in record.truths}):
            truths = [t for t in record.truths if t.obj_id == obj_id and t.box is not None]
            estimates = [e for e in record.estimates if e.obj_id == obj_id and e.box is not None]
            iou = box_iou(np.array([e.box for e in estimates]), np.array([t.box for t in truths]))
            scores = np.array([_score(e) for e in estimates])
            hit = set(match(1 - iou, scores, np.array([1 - MIN_IOU + _EPSILON]))[0].tolist()) if len(truths) else set()
            rows += [(obj_id, truth.visib_fract, index in hit) for index, truth in enumerate(truths)]
    table = np.array(rows, dtype=float).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def mean_average_precision(records: Sequence[ImageRecord], count_absent: bool = True) -> dict[str, float | None]:
    """COCO's mAP (IoU .50 to .95) and mAP_50 by pycocotools; instances less than 10 % visible are ignored, as in BOP.

    Args:
        count_absent: count boxes of objects that the image's ground truth does not name as false positives.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truths, detections = _coco_truths(records), _coco_detections(records, count_absent)
    if not any(not truth["ignore"] for truth in truths):
        return {"mAP": None, "mAP_50": None}
    if not detections:
        return {"mAP": 0.0, "mAP_50": 0.0}
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        ground_truth = COCO()
        ground_truth.dataset = {"info": {}, "images": [{"id": i} for i in range(len(records))], "annotations": truths,
                                "categories": [{"id": c} for c in sorted({t["category_id"] for t in truths})]}
        ground_truth.createIndex()
        evaluation = COCOeval(ground_truth, ground_truth.loadRes(detections), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {"mAP": float(evaluation.stats[0]), "mAP_50": float(evaluation.stats[1])}


def _coco_truths(records: Sequence[ImageRecord]) -> list[dict[str, Any]]:
    entries = [(i, truth) for i, record in enumerate(records) for truth in record.truths if truth.box is not None]
    return [{"id": number, "image_id": i, "category_id": truth.obj_id, "bbox": _xywh(truth.box), "iscrowd": 0,
             "area": _area(truth.box), "ignore": int(truth.visib_fract < MIN_VISIBLE)}
            for number, (i, truth) in enumerate(entries, 1)]


def _coco_detections(records: Sequence[ImageRecord], count_absent: bool) -> list[dict[str, Any]]:
    return [{"image_id": i, "category_id": estimate.obj_id, "bbox": _xywh(estimate.box), "score": _score(estimate)}
            for i, record in enumerate(records) for estimate in record.estimates
            if estimate.box is not None
            and (count_absent or any(truth.obj_id == estimate.obj_id for truth in record.truths))]


def _score(estimate: EvaluatedEstimate) -> float:
    return estimate.score if estimate.box_score is None else estimate.box_score


def _xywh(box: Sequence[float] | None) -> list[float]:
    x0, y0, x1, y1 = box or (0, 0, 0, 0)
    return [x0, y0, x1 - x0, y1 - y0]


def _area(box: Sequence[float] | None) -> float:
    _, _, width, height = _xywh(box)
    return width * height
