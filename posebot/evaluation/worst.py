"""The worst cases of an evaluation: sure and wrong first, then what was overlooked in plain sight; with pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array
from posebot.datasets.bop import BopDataset, ImageKey
from posebot.evaluation.certainty import CORRECT
from posebot.evaluation.depth_image import render_depth
from posebot.evaluation.errors import BOP_STEPS, nearest_equivalent
from posebot.evaluation.localization import Table
from posebot.evaluation.records import Judged, Record
from posebot.evaluation.worker import read_scene

GREEN, RED = (60, 220, 90), (255, 60, 60)
_SIDE = 220  # of a picture, pixels


@dataclass(frozen=True)
class Case:
    """A target that went wrong. picture: RGB uint8 (_SIDE, _SIDE, 3), truth green, estimate red. what: one sentence."""

    frame_id: str
    label: str
    what: str
    picture: NDArray[np.uint8]


def worst_cases(dataset: BopDataset, records: Sequence[Record], table: Table, count: int = 20) -> list[Case]:
    """Up to `count` cases; a third of the places is left to targets without any estimate, where there are such."""
    found = table.estimate >= 0
    wrong = np.flatnonzero(found & (table.error[:, 0] >= CORRECT))
    sure = np.array([_sureness(records[table.frame[i]].estimates[table.estimate[i]]) for i in wrong])
    wrong = wrong[np.argsort(-sure, kind="stable")]
    missed = np.flatnonzero(~found)
    missed = missed[np.argsort(-table.visib_fract[missed], kind="stable")]
    places = max(count - len(missed), count - count // 3)
    chosen = [*wrong[:places], *missed][:count]
    return [_case(dataset, records[table.frame[row]], int(table.truth[row]), int(table.estimate[row]))
            for row in chosen]


def _sureness(estimate: Judged) -> float:
    return estimate.score if estimate.p_correct is None else estimate.p_correct


def _case(dataset: BopDataset, record: Record, truth: int, estimate: int) -> Case:
    scene_id, im_id = (int(part) for part in record.frame_id.split("/"))
    key = ImageKey(scene_id, im_id)
    frame, model = dataset.frame(key), dataset.objects[record.truths[truth].obj_id]
    gt = read_scene(dataset, key, frame, record.inst_count).poses[truth]
    judged = record.estimates[estimate] if estimate >= 0 else None
    pose = None if judged is None else judged.cam_from_obj
    drawn = [(gt, GREEN)] + ([] if pose is None else [(pose, RED)])
    picture = _picture(frame.rgb, frame.camera.K, model, drawn)
    what = f"{record.truths[truth].visib_fract:.0%} visible; {explain(model, gt, pose)}"
    return Case(record.frame_id, model.label, what + _claim(judged), picture)


def explain(model: ObjectModel, gt: Array, est: Array | None) -> str:
    """What is wrong with a pose, in words and numbers."""
    if est is None:
        return "no pose was given"
    near = nearest_equivalent(est, gt, model.symmetry_transforms(BOP_STEPS))[0]
    cosine = (np.trace(est[:3, :3] @ near[:3, :3].T) - 1) / 2
    angle = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    shift, ray = est[:3, 3] - near[:3, 3], near[:3, 3] / np.linalg.norm(near[:3, 3])
    along = float(shift @ ray)
    beside = float(np.linalg.norm(shift - along * ray))
    numbers = (f"{angle:.0f}° turned, {1000 * abs(along):.0f} mm too {'far' if along > 0 else 'near'}, "
               f"{1000 * beside:.0f} mm beside")
    return f"{_name(angle, abs(along) / model.diameter, beside / model.diameter)}: {numbers}"


def _name(angle: float, along: float, beside: float) -> str:
    if beside > 0.5:
        return "somewhere else"
    if angle > 150:
        return "flipped"
    if angle > 30:
        return "wrong attitude"
    if along > max(0.08, beside):
        return "wrong distance"
    return "imprecise"


def _claim(judged: Judged | None) -> str:
    if judged is None:
        return ""
    if judged.p_correct is None:
        return f"; score {judged.score:.2f}"
    others = f", other poses listed: {len(judged.alternatives)}" if judged.alternatives else ""
    return f"; p_correct {judged.p_correct:.2f}, {judged.status.replace('_', ' ')}{others}"


def _picture(rgb: NDArray[np.uint8], K: Array, model: ObjectModel,
             poses: Sequence[tuple[Array, tuple[int, int, int]]]) -> NDArray[np.uint8]:
    """The part of the picture around all poses, with the outline of the object at each."""
    import cv2

    height, width = rgb.shape[:2]
    masks = [render_depth(model.mesh, pose, K, width, height)[0] > 0 for pose, _ in poses]
    rows, columns = np.nonzero(np.any(masks, axis=0))
    if not rows.size:
        rows, columns = np.array([0, height - 1]), np.array([0, width - 1])
    side = 1.3 * max(float(np.ptp(rows)), float(np.ptp(columns)), 40.0)
    middle = (float(np.mean([columns.min(), columns.max()])), float(np.mean([rows.min(), rows.max()])))
    zoom = _SIDE / side
    crop = np.array([[zoom, 0, _SIDE / 2 - zoom * middle[0]], [0, zoom, _SIDE / 2 - zoom * middle[1]]])
    picture = cv2.warpAffine(rgb, crop, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR, borderValue=(40, 40, 40))
    for mask, (_, colour) in zip(masks, poses):
        large = cv2.warpAffine(mask.astype(np.uint8) * 255, crop, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR)
        outlines, _ = cv2.findContours((large > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, outlines, -1, colour, 1, cv2.LINE_AA)
    return np.asarray(picture, dtype=np.uint8)
