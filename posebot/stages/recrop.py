"""Re-crop: where box and pose contradict each other, the crop is cut again around the pose.

The network saw the object too large, too small or off-center in its crop, which costs accuracy. With depth, a pose is
close enough to the truth to place the crop better; from colour alone the gain is too small.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from posebot.core.camera import box_iou, project
from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, apply
from posebot.stages.detect import Detection
from posebot.stages.settings import DEFAULTS
from posebot.stages.settings.scoring import RecropSettings
from posebot.stages.solution import PoseSolution


def recrop(solution: PoseSolution, model: ObjectModel, K: Array, threshold: float,
           settings: RecropSettings = DEFAULTS.recrop) -> Detection | None:
    """The detection with the box (xyxy, pixels) of its pose, or None where a re-crop is not worth its time.

    threshold: score threshold of the detector.
    """
    detection = solution.localization.detection
    doubtful = solution.with_depth and solution.total < settings.max_total
    if solution.pose is None or not doubtful or detection.score < settings.min_score_ratio * threshold:
        return None
    points = apply(solution.pose, model.mesh.vertices)
    if points[:, 2].min() < 1e-3:
        return None
    pixels = project(K, points)
    box = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])
    iou = float(box_iou(detection.box_xyxy, box)[0, 0])
    return replace(detection, box_xyxy=box) if settings.min_iou < iou < settings.max_iou else None
