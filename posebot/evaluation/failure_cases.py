"""Failure cases of an evaluation with images: confident wrong poses first, then missed targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array
from posebot.datasets.bop import BopDataset, ImageKey
from posebot.evaluation.depth_renderer import render_depth
from posebot.evaluation.localization import LocalizationTable
from posebot.evaluation.pose_errors import BOP_STEPS, nearest_equivalent
from posebot.evaluation.records import EvaluatedEstimate, ImageRecord
from posebot.evaluation.worker import read_ground_truth
from posebot.models.verdict import CORRECT

GREEN, RED = (60, 220, 90), (255, 60, 60)
_SIDE = 220  # pixels of an image


@dataclass(frozen=True)
class FailureCase:
    """A failed target. description: one sentence. image: RGB uint8 (_SIDE, _SIDE, 3), truth green, estimate red."""

    frame_id: str
    label: str
    description: str
    image: NDArray[np.uint8]


def failure_cases(dataset: BopDataset, records: Sequence[ImageRecord], table: LocalizationTable,
                  count: int = 20) -> list[FailureCase]:
    """Up to `count` cases; a third is reserved for targets without an estimate, where there are such."""
    matched = table.estimate >= 0
    wrong = np.flatnonzero(matched & (table.error[:, 0] >= CORRECT))
    certainty = np.array([_certainty(records[table.frame[i]].estimates[table.estimate[i]]) for i in wrong])
    wrong = wrong[np.argsort(-certainty, kind="stable")]
    missed = np.flatnonzero(~matched)
    missed = missed[np.argsort(-table.visib_fract[missed], kind="stable")]
    places = max(count - len(missed), count - count // 3)
    chosen = [*wrong[:places], *missed][:count]
    return [_failure_case(dataset, records[table.frame[row]], int(table.truth[row]), int(table.estimate[row]))
            for row in chosen]


def _certainty(estimate: EvaluatedEstimate) -> float:
    return estimate.score if estimate.p_correct is None else estimate.p_correct


def _failure_case(dataset: BopDataset, record: ImageRecord, truth: int, index: int) -> FailureCase:
    key = ImageKey.of(record.frame_id)
    frame, model = dataset.frame(key), dataset.objects[record.truths[truth].obj_id]
    gt = read_ground_truth(dataset, key, frame, record.inst_count).poses[truth]
    estimate = record.estimates[index] if index >= 0 else None
    pose = None if estimate is None else estimate.cam_from_obj
    poses = [(gt, GREEN)] + ([] if pose is None else [(pose, RED)])
    image = _crop_with_outlines(frame.rgb, frame.camera.K, model, poses)
    description = f"{record.truths[truth].visib_fract:.0%} visible; {describe_error(model, gt, pose)}"
    return FailureCase(record.frame_id, model.label, description + _describe_certainty(estimate), image)


def describe_error(model: ObjectModel, gt: Array, est: Array | None) -> str:
    """The error of a pose in words and numbers. gt, est: cam_from_obj (4x4)."""
    if est is None:
        return "no estimate"
    near = nearest_equivalent(est, gt, model.symmetry_transforms(BOP_STEPS))[0]
    cosine = (np.trace(est[:3, :3] @ near[:3, :3].T) - 1) / 2
    angle = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    offset, ray = est[:3, 3] - near[:3, 3], near[:3, 3] / np.linalg.norm(near[:3, 3])
    depth = float(offset @ ray)
    lateral = float(np.linalg.norm(offset - depth * ray))
    numbers = (f"rotation {angle:.0f}°, {1000 * abs(depth):.0f} mm too {'far' if depth > 0 else 'near'}, "
               f"lateral {1000 * lateral:.0f} mm")
    return f"{_error_kind(angle, abs(depth) / model.diameter, lateral / model.diameter)}: {numbers}"


def _error_kind(angle: float, depth: float, lateral: float) -> str:
    """Degrees, diameters, diameters."""
    if lateral > 0.5:
        return "wrong place"
    if angle > 150:
        return "flipped"
    if angle > 30:
        return "wrong rotation"
    if depth > max(0.08, lateral):
        return "wrong depth"
    return "imprecise"


def _describe_certainty(estimate: EvaluatedEstimate | None) -> str:
    if estimate is None:
        return ""
    if estimate.p_correct is None:
        return f"; score {estimate.score:.2f}"
    others = f", alternative poses: {len(estimate.alternatives)}" if estimate.alternatives else ""
    return f"; p_correct {estimate.p_correct:.2f}, {estimate.status.replace('_', ' ')}{others}"


def _crop_with_outlines(rgb: NDArray[np.uint8], K: Array, model: ObjectModel,
                        poses: Sequence[tuple[Array, tuple[int, int, int]]]) -> NDArray[np.uint8]:
    """The part of the image around all poses, with the silhouette of the object at each."""
    import cv2

    height, width = rgb.shape[:2]
    masks = [render_depth(model.mesh, pose, K, width, height)[0] > 0 for pose, _ in poses]
    rows, columns = np.nonzero(np.any(masks, axis=0))
    if not rows.size:
        rows, columns = np.array([0, height - 1]), np.array([0, width - 1])
    side = 1.3 * max(float(np.ptp(rows)), float(np.ptp(columns)), 40.0)
    center = (float(np.mean([columns.min(), columns.max()])), float(np.mean([rows.min(), rows.max()])))
    zoom = _SIDE / side
    crop = np.array([[zoom, 0, _SIDE / 2 - zoom * center[0]], [0, zoom, _SIDE / 2 - zoom * center[1]]])
    image = cv2.warpAffine(rgb, crop, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR, borderValue=(40, 40, 40))
    for mask, (_, color) in zip(masks, poses):
        large = cv2.warpAffine(mask.astype(np.uint8) * 255, crop, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR)
        contours, _ = cv2.findContours((large > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(image, contours, -1, color, 1, cv2.LINE_AA)
    return np.asarray(image, dtype=np.uint8)
