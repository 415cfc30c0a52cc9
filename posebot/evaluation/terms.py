"""What the figures of a report mean, in a few words each; told where they first stand."""

from __future__ import annotations

TERMS = {
    "targets": "objects to find: at least 10 % visible, or named in test_targets_bop19.json",
    "AR": "average recall: mean of VSD, MSSD and MSPD",
    "VSD": "visible surface discrepancy: share of targets whose visible depth is right, over BOP's thresholds",
    "MSSD": "maximum surface distance, symmetry-aware: share of targets whose farthest point is less off than 5 to "
            "50 % of the diameter",
    "MSPD": "maximum projection distance, symmetry-aware: the same seen in the image, 5 to 50 pixels",
    "ADD": "share of targets whose points are off by less than 10 % of the diameter on average (ADD-S if symmetric)",
    "AP": "average precision: counts also what was found where nothing is",
    "mm": "median error of position, over all targets",
    "deg": "median error of rotation, over all targets",
    "IoU": "overlap of two boxes / their union",
    "mAP": "mean average precision of boxes, IoU 0.5 to 0.95; mAP_50: IoU 0.5",
    "2-D recall": "share of targets with a box of the right class, IoU at least 0.5",
    "p_correct": "probability that a pose is right, as posebot states it",
    "ECE": "expected calibration error: mean difference of p_correct and the share that is right",
    "Brier": "mean squared difference of p_correct and 1 (right) or 0 (wrong)",
    "AUC": "area under the recall curve",
    "NLL": "negative log likelihood of the true pose",
}
