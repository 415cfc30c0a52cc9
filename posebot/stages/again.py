"""A second look: where box and pose contradict each other, the crop is cut anew around the pose.

The network saw the object too large, too small or beside the middle of its crop, which costs it accuracy. With depth a
pose is near enough to the truth to say where the crop should have been; from colour alone it gains too little.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from posebot.core.camera import box_iou, project
from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, apply
from posebot.stages.detect import Detection
from posebot.stages.pose import PoseSolution

_FITS, _NONSENSE = 0.7, 0.3  # IoU of the two boxes: no need to look again from the one on, no sense below the other
_SURE = 0.69  # total score from which a pose is right whatever its box was
_LIKELY = 2.0  # times the detector's threshold: of boxes below, most are of something else, and looking costs time


def second_look(solution: PoseSolution, model: ObjectModel, K: Array, threshold: float) -> Detection | None:
    """The detection with the box (xyxy, pixels) of its pose, where it is worth another look.

    threshold: the score from which the detector tells of a box.
    """
    detection = solution.localization.detection
    doubtful = solution.with_depth and solution.total < _SURE and detection.score >= _LIKELY * threshold
    if solution.pose is None or not doubtful:
        return None
    points = apply(solution.pose, model.mesh.vertices)
    if points[:, 2].min() < 1e-3:
        return None
    pixels = project(K, points)
    box = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])
    overlap = float(box_iou(detection.box_xyxy, box)[0, 0])
    return replace(detection, box_xyxy=box) if _NONSENSE < overlap < _FITS else None
