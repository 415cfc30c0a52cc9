"""Duplicates in one place, and the association of estimates with tracks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import ObjectModel
from posebot.core.results import PoseEstimate
from posebot.core.transforms import Array
from posebot.stages.fusion.state import Measurement
from posebot.stages.fusion.track import Track

SAME_PLACE = 0.5  # of the diameter: estimates nearer than this are one object
_OVERLAP = 0.3  # of the smaller diameter: two objects cannot be nearer than this
_GATE = 16.3  # chi-square with 3 degrees of freedom, 99.9 %
_MAX_DISTANCE = 1.0  # diameters: beyond it, an estimate is another object whatever the covariance


def suppress(estimates: Sequence[PoseEstimate], models: dict[int, ObjectModel]) -> list[PoseEstimate]:
    """3-D non-maximum suppression: of estimates in one place the most certain stays. Those without a pose stay.

    Estimates of one object are in one place within half its diameter, those of two objects only within 30 %.
    """
    posed = [estimate for estimate in estimates if estimate.cam_from_obj is not None]
    posed.sort(key=lambda entry: -(float(np.nan_to_num(entry.p_correct)) + 1e-3 * entry.score))
    clash = _clashes(posed, models)
    kept: list[int] = []
    for place in range(len(posed)):
        if not clash[place, kept].any():
            kept.append(place)
    shown = [posed[place] for place in kept] + [entry for entry in estimates if entry.cam_from_obj is None]
    return sorted(shown, key=lambda entry: -entry.score)


def _clashes(estimates: Sequence[PoseEstimate], models: dict[int, ObjectModel]) -> NDArray[np.bool_]:
    """Which of the estimates (N, N), all with a pose, are in one place."""
    poses = np.array([entry.cam_from_obj for entry in estimates]).reshape(-1, 4, 4)
    offsets = np.array([models[entry.obj_id].center for entry in estimates]).reshape(-1, 3, 1)
    centers = (poses[:, :3, :3] @ offsets)[..., 0] + poses[:, :3, 3]
    kinds = np.array([entry.obj_id for entry in estimates])
    sizes = np.array([models[entry.obj_id].diameter for entry in estimates])
    reach = np.where(kinds[:, None] == kinds, SAME_PLACE, _OVERLAP) * np.minimum(sizes[:, None], sizes)
    apart = centers[:, None] - centers
    return np.asarray(np.einsum("ijk,ijk->ij", apart, apart) < reach**2)


def middle(pose: Array, model: ObjectModel) -> Array:
    """The middle (3,) of an object's box."""
    return np.asarray(pose[:3, :3] @ model.center + pose[:3, 3])


def associate(measured: Sequence[Measurement], tracks: Sequence[Track], model: ObjectModel) -> dict[int, Track]:
    """Which estimate of one object (by place in `measured`) continues which track: the cheapest assignment in all.

    Only places are compared: an object that was seen the wrong way round is the same object. A pair is possible within
    half a diameter, or where the covariances allow for it.
    """
    if not measured or not tracks:
        return {}
    if len(measured) == len(tracks) == 1 and _distance(measured[0], tracks[0], model)[0] < SAME_PLACE * model.diameter:
        return {0: tracks[0]}  # the usual case, and fast
    costs = np.array([[_cost(entry, track, model) for track in tracks] for entry in measured])
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(np.where(np.isfinite(costs), costs, 1e6))
    return {int(row): tracks[column] for row, column in zip(rows, columns) if np.isfinite(costs[row, column])}


def _cost(measured: Measurement, track: Track, model: ObjectModel) -> float:
    """Squared Mahalanobis distance of the places, infinite where they cannot be one."""
    distance, apart = _distance(measured, track, model)
    if distance > _MAX_DISTANCE * model.diameter:
        return np.inf
    spread = (measured.vision + measured.kinematics + track.best.covariance)[:3, :3]
    squared = float(apart @ np.linalg.solve(spread, apart))
    near = distance < SAME_PLACE * model.diameter or squared < _GATE
    return squared if near else np.inf


def _distance(measured: Measurement, track: Track, model: ObjectModel) -> tuple[float, Array]:
    """How far the middles are apart, metres, and the step (3,) between them."""
    apart = middle(measured.pose, model) - middle(track.best.pose, model)
    return math.sqrt(apart @ apart), apart
