"""BOP's error functions, written as plainly as their definitions read: one pose and one symmetry at a time.

Slow on purpose, and sharing nothing with `posebot.evaluation.pose_errors`: it is what that module is compared with.
Lengths in whatever unit the caller uses.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial.distance import cdist


def symmetries(info: dict, max_step: float = 0.01) -> list[np.ndarray]:
    """All symmetric transforms (4x4) of an entry of models_info.json, in its own unit (millimetres)."""
    discrete = [np.eye(4), *(np.reshape(numbers, (4, 4)) for numbers in info.get("symmetries_discrete", []))]
    turns = []
    for entry in info.get("symmetries_continuous", []):
        axis = np.array(entry["axis"], float) / np.linalg.norm(entry["axis"])
        offset = np.array(entry["offset"], float)
        steps = math.ceil(math.pi / max_step)
        for step in range(steps):
            rotation = turn_about(axis, step * 2 * math.pi / steps)
            turn = np.eye(4)
            turn[:3, :3], turn[:3, 3] = rotation, offset - rotation @ offset
            turns.append(turn)
    if not turns:
        return discrete
    return [turn @ sym for sym in discrete for turn in turns]


def turn_about(axis: np.ndarray, angle: float) -> np.ndarray:
    x, y, z = axis
    c, s = math.cos(angle), math.sin(angle)
    return np.array([
        [c + x * x * (1 - c), x * y * (1 - c) - z * s, x * z * (1 - c) + y * s],
        [y * x * (1 - c) + z * s, c + y * y * (1 - c), y * z * (1 - c) - x * s],
        [z * x * (1 - c) - y * s, z * y * (1 - c) + x * s, c + z * z * (1 - c)],
    ])


def placed(pose: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    return (pose[:3, :3] @ vertices.T).T + pose[:3, 3]


def projected(K: np.ndarray, pose: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    x, y, z = K @ placed(pose, vertices).T
    return np.stack([x / z, y / z], axis=1)


def mssd(est: np.ndarray, gt: np.ndarray, vertices: np.ndarray, syms: list[np.ndarray]) -> float:
    here = placed(est, vertices)
    return min(np.linalg.norm(here - placed(gt @ sym, vertices), axis=1).max() for sym in syms)


def mspd(est: np.ndarray, gt: np.ndarray, K: np.ndarray, vertices: np.ndarray, syms: list[np.ndarray]) -> float:
    here = projected(K, est, vertices)
    return min(np.linalg.norm(here - projected(K, gt @ sym, vertices), axis=1).max() for sym in syms)


def add(est: np.ndarray, gt: np.ndarray, vertices: np.ndarray) -> float:
    return float(np.mean(np.linalg.norm(placed(est, vertices) - placed(gt, vertices), axis=1)))


def adi(est: np.ndarray, gt: np.ndarray, vertices: np.ndarray) -> float:
    return float(cdist(placed(gt, vertices), placed(est, vertices)).min(axis=1).mean())


def vsd(test: np.ndarray, gt: np.ndarray, est: np.ndarray, delta: float, taus: list[float]) -> list[float]:
    """Errors for tolerances `taus`, of distance images (H, W; 0 = nothing there), visibility as of BOP 2019."""
    wrong, union = [0] * len(taus), 0
    for t, g, e in zip(test.ravel(), gt.ravel(), est.ravel()):
        seen_gt = g > 0 and (t == 0 or g - t <= delta)
        seen_est = e > 0 and (t == 0 or e - t <= delta or seen_gt)
        if seen_gt or seen_est:
            union += 1
            for i, tau in enumerate(taus):
                wrong[i] += not (seen_gt and seen_est) or abs(g - e) >= tau
    return [count / union if union else 1.0 for count in wrong]


def rotation_error(est: np.ndarray, gt: np.ndarray, syms: list[np.ndarray]) -> float:
    """Radians."""
    best = math.pi
    for sym in syms:
        cosine = (np.trace(est[:3, :3] @ np.linalg.inv(gt[:3, :3] @ sym[:3, :3])) - 1) / 2
        best = min(best, math.acos(min(1.0, max(-1.0, cosine))))
    return best
