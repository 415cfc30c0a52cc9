"""Stage 5: one object, many views. Estimates are joined in the robot's base frame.

A track is one object on the table. It holds a few rival poses (a box may have been seen the wrong way round), each
fused from the views that agree with it; the one with the most support is published. All is bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from posebot.core.frame import Frame
from posebot.core.objects import ObjectModel
from posebot.core.results import PoseEstimate
from posebot.core.transforms import Array, difference, inverse, perturb, rotate_covariance
from posebot.stages.symmetry import nearest_equivalent

_GATE = 22.5  # chi-square with 6 degrees of freedom, 99.9 %
_SAME_PLACE = 0.5  # of the diameter: estimates nearer than this are one object
_OVERLAP = 0.3  # of the smaller diameter: two objects cannot be nearer than this
_RIVALS, _TRACKS = 3, 64
_FADE = 0.97  # of a rival's support, per frame in which its object is seen
_SYSTEMATIC = 0.3  # of a view's sigma that more views of the same thing cannot take away
_PROCESS = np.diag([0.0005**2] * 3 + [0.003**2] * 3)  # what may change between two frames: metres, radians


@dataclass(eq=False)  # two rivals are the same only if they are one
class Rival:
    """One pose of a track: base_from_obj, its 6x6 covariance along the base's axes, and how far it is supported."""

    pose: Array
    covariance: Array
    support: float
    logit: float
    views: int = 1


@dataclass
class Track:
    """One object seen over time. `seen`: number of the frame in which it was seen last."""

    track_id: int
    obj_id: int
    seen: int
    rivals: list[Rival] = field(default_factory=list)

    @property
    def best(self) -> Rival:
        return max(self.rivals, key=lambda rival: rival.support)


class Fuser:
    """Fuses estimates of successive frames of one camera. `patience`: frames that an unseen object is remembered."""

    def __init__(self, objects: Sequence[ObjectModel], patience: int = 60) -> None:
        self._models = {model.obj_id: model for model in objects}
        self._patience = patience
        self._tracks: list[Track] = []
        self._frame, self._next_id = 0, 1

    def __call__(self, frame: Frame, estimates: Sequence[PoseEstimate]) -> list[PoseEstimate]:
        """Estimates without duplicates; where `base_from_cam` is known with fused poses, track ids and view counts."""
        kept = suppress(estimates, self._models)
        if frame.base_from_cam is None:
            return kept
        self._frame += 1
        self._tracks = [track for track in self._tracks if self._frame - track.seen <= self._patience]
        taken: set[int] = set()
        return [self._fused(estimate, frame.base_from_cam, taken) for estimate in kept]

    def _fused(self, estimate: PoseEstimate, base_from_cam: Array, taken: set[int]) -> PoseEstimate:
        if estimate.cam_from_obj is None or estimate.covariance is None:
            return estimate
        model = self._models[estimate.obj_id]
        measured = Rival(base_from_cam @ estimate.cam_from_obj,
                         rotate_covariance(base_from_cam[:3, :3], estimate.covariance),
                         estimate.p_correct, _logit(estimate.p_correct))
        track = self._associate(measured, model, taken)
        taken.add(track.track_id)
        track.seen = self._frame
        rival = _join(track, measured, model)
        cam_from_base = inverse(base_from_cam)
        return estimate.replace(
            cam_from_obj=cam_from_base @ rival.pose, base_from_obj=rival.pose, track_id=track.track_id,
            views=rival.views, covariance=rotate_covariance(cam_from_base[:3, :3], rival.covariance),
            p_correct=float(1 / (1 + np.exp(-rival.logit))))

    def _associate(self, measured: Rival, model: ObjectModel, taken: set[int]) -> Track:
        """The nearest free track of the object, or a new one."""
        near = [(float(np.linalg.norm(track.best.pose[:3, 3] - measured.pose[:3, 3])), track.track_id, track)
                for track in self._tracks if track.obj_id == model.obj_id and track.track_id not in taken]
        if near and min(near)[0] < _SAME_PLACE * model.diameter:
            return min(near)[2]
        track = Track(self._next_id, model.obj_id, self._frame)
        self._next_id += 1
        self._tracks = sorted([*self._tracks, track], key=lambda entry: -entry.seen)[:_TRACKS]
        return track


def suppress(estimates: Sequence[PoseEstimate], models: dict[int, ObjectModel]) -> list[PoseEstimate]:
    """3-D non-maximum suppression: of estimates in one place the most certain stays. Those without a pose stay.

    Estimates of one object are in one place within half its diameter, those of two objects only within 30 %.
    """
    kept: list[PoseEstimate] = []
    for estimate in sorted(estimates, key=lambda entry: -(entry.p_correct + 1e-3 * entry.score)):
        if estimate.cam_from_obj is None or not any(_clash(estimate, other, models) for other in kept):
            kept.append(estimate)
    return sorted(kept, key=lambda entry: -entry.score)


def _clash(a: PoseEstimate, b: PoseEstimate, models: dict[int, ObjectModel]) -> bool:
    if a.cam_from_obj is None or b.cam_from_obj is None:
        return False
    first, second = models[a.obj_id], models[b.obj_id]
    centers = [pose @ np.append(model.center, 1) for pose, model in ((a.cam_from_obj, first), (b.cam_from_obj, second))]
    reach = _SAME_PLACE if a.obj_id == b.obj_id else _OVERLAP
    return float(np.linalg.norm(centers[0] - centers[1])) < reach * min(first.diameter, second.diameter)


def _join(track: Track, measured: Rival, model: ObjectModel) -> Rival:
    """Fuse a measurement into the rival that it agrees with, or start a new one; returns the best rival after that."""
    for rival in track.rivals:
        rival.support *= _FADE
        rival.covariance = rival.covariance + _PROCESS
    ranked = sorted(((_mahalanobis(measured, rival, model), i) for i, rival in enumerate(track.rivals)))
    if ranked and ranked[0][0] < _GATE:
        _fuse(track.rivals[ranked[0][1]], measured, model)
    else:
        track.rivals = sorted([*track.rivals, measured], key=lambda rival: -rival.support)[:_RIVALS]
        if measured not in track.rivals:
            track.rivals[-1] = measured
    return track.best


def _mahalanobis(measured: Rival, rival: Rival, model: ObjectModel) -> float:
    step = difference(nearest_equivalent(measured.pose, rival.pose, model), rival.pose)
    return float(step @ np.linalg.solve(measured.covariance + rival.covariance, step))


def _fuse(rival: Rival, measured: Rival, model: ObjectModel) -> None:
    """Kalman update in the chart of `transforms.perturb`; the result is never surer than what views share allows."""
    step = difference(nearest_equivalent(measured.pose, rival.pose, model), rival.pose)
    gain = rival.covariance @ np.linalg.inv(rival.covariance + measured.covariance)
    floor = _SYSTEMATIC**2 * measured.covariance
    rival.pose = perturb(rival.pose, gain @ step)
    fused = (np.eye(6) - gain) @ rival.covariance
    rival.covariance = _at_least((fused + fused.T) / 2, floor)
    rival.views += 1
    rival.logit += (measured.logit - rival.logit) / min(rival.views, 10)
    rival.support += measured.support


def _at_least(covariance: Array, floor: Array) -> Array:
    """The smallest matrix that is no less than both in every direction of `floor`'s eigenvectors."""
    scale, axes = np.linalg.eigh(floor)
    root = axes * np.sqrt(np.maximum(scale, 1e-18))
    inverse_root = np.linalg.inv(root)
    values, vectors = np.linalg.eigh(inverse_root @ covariance @ inverse_root.T)
    shape = root @ vectors
    return np.asarray((shape * np.maximum(values, 1.0)) @ shape.T)


def _logit(p: float) -> float:
    bounded = min(max(p, 1e-4), 1 - 1e-4)
    return float(np.log(bounded / (1 - bounded)))
