"""Stage 5, fusion: estimates of many views are fused in the robot's base frame into a map of the objects.

A track is one object. It holds a few alternative poses (a box may have been seen the wrong way round), each filtered
from the views that agree with it; the best supported one is reported. An object that should be visible and is not
detected loses support and is dropped within five views; one that the depth camera sees through is dropped at once.
Memory and time are bounded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posebot.core.frame import Frame
from posebot.core.objects import ObjectModel
from posebot.core.results import Alternative, PoseEstimate, Region90
from posebot.core.transforms import Array, apply, inverse, rotate_covariance
from posebot.models.calibration import ModeCalibration
from posebot.stages.certainty import restate
from posebot.stages.fusion.error import CameraError, jacobian, velocity
from posebot.stages.fusion.place import SAME_PLACE, associate, middle, suppress
from posebot.stages.fusion.sight import Shape, Visibility, in_view, occluders, shape_of, visibility
from posebot.stages.fusion.state import Hypothesis, Measurement
from posebot.stages.fusion.track import Track

__all__ = ["CameraError", "Fuser", "suppress"]

_MAX_TRACKS, _MAX_LOST = 64, 32
_MIN_VISIBLE = 0.3  # visible share from which an object should be detected
_CORRECT_DISTANCE = 0.1  # of the diameter: error below which a pose is correct
_SIGMA_TO_RADIUS_90 = 1.5  # root of the summed variances to a radius; 1.44 where all three axes err alike
_MIN_SEEN_THROUGH = 0.6  # share of depth readings behind an object that prove its absence
_DEPTH_TOLERANCE, _POSITION_SIGMAS = 0.012, 2.5  # metres, and sigmas of the position, that a reading may differ
_MIN_POSITION_SIGMA, _MIN_ROTATION_SIGMA = 0.005, 0.01  # of any single view: diameters, radians
UNSEEN = "should be in sight, but was not found in the latest picture"


class Fuser:
    """Fuses estimates of successive frames of one camera.

    Args:
        objects: all that estimates may name. patience: frames after which an object out of view is dropped.
        error: uncertainty of `base_from_cam`; default: exact.
    """

    def __init__(self, objects: Sequence[ObjectModel], patience: int = 600, error: CameraError | None = None) -> None:
        self._models = {model.obj_id: model for model in objects}
        self._shapes = {model.obj_id: shape_of(model) for model in objects}
        self._min_covariance = {model.obj_id: _min_covariance(model.diameter) for model in objects}
        self._error = error or CameraError()
        self._shared = self._error.shared
        self._causes = ("vision", *self._error.causes, "total")
        self._patience = patience
        self._tracks: list[Track] = []
        self._lost: list[Track] = []
        self._camera: tuple[Array, float] | None = None
        self._frame, self._next_id = 0, 1

    def __call__(self, frame: Frame, estimates: Sequence[PoseEstimate], mode: ModeCalibration | None = None
                 ) -> list[PoseEstimate]:
        """Estimates without duplicates; where `base_from_cam` is known, with fused poses, track ids and view counts.

        mode: calibration by which fused estimates get their status and region90.
        """
        kept = suppress(estimates, self._models)
        if frame.base_from_cam is None:
            return kept
        self._frame += 1
        self._tracks, self._lost = ([track for track in tracks if self._frame - track.seen <= self._patience]
                                    for tracks in (self._tracks, self._lost))
        speed = self._speed(frame)
        owners = self._update(kept, frame.base_from_cam, speed)
        self._camera = frame.base_from_cam, frame.captured_at
        cam_from_base = inverse(frame.base_from_cam)
        self._drop_disproved(frame, cam_from_base)
        self._check_undetected(frame, cam_from_base)
        fused = [estimate if track is None else self._reported(track, cam_from_base, estimate, mode)
                 for estimate, track in zip(kept, owners)]
        return suppress(fused, self._models)

    def map(self, mode: ModeCalibration | None = None) -> list[PoseEstimate]:
        """All tracked objects, in view or not, in the camera frame of the latest image.

        `box_xyxy` and `score` are those of the object's latest detection. An object that was not detected where it
        should have been is `low_certainty`. mode: as in a call.
        """
        if self._camera is None:
            return []
        cam_from_base = inverse(self._camera[0])
        known = []
        for track in self._tracks:
            estimate = self._reported(track, cam_from_base, track.estimate, mode)
            known.append(estimate.replace(status="low_certainty", reason=UNSEEN) if track.misses else estimate)
        return suppress(known, self._models)

    def _update(self, estimates: Sequence[PoseEstimate], base_from_cam: Array, speed: Array) -> list[Track | None]:
        """The track of each estimate (None without a pose), updated by it."""
        owners: list[Track | None] = [None] * len(estimates)
        everything = self._measured(estimates, base_from_cam, speed)
        for obj_id in dict.fromkeys(estimate.obj_id for estimate in estimates):
            places = [i for i in everything if estimates[i].obj_id == obj_id]
            measured = [everything[i] for i in places]
            model = self._models[obj_id]
            found = associate(measured, [track for track in self._tracks if track.obj_id == obj_id], model)
            for number, (place, entry) in enumerate(zip(places, measured)):
                track = found.get(number) or self._start(estimates[place], entry, model)
                side = base_from_cam[:3, 3] - middle(entry.pose, model)
                track.see(entry, estimates[place], model, self._shared, side / np.linalg.norm(side), self._frame)
                owners[place] = track
        return owners

    def _measured(self, estimates: Sequence[PoseEstimate], base_from_cam: Array, speed: Array
                  ) -> dict[int, Measurement]:
        """Estimates that have a pose, in the base frame, by their index."""
        places = [i for i, e in enumerate(estimates) if e.cam_from_obj is not None and e.covariance is not None]
        poses = base_from_cam @ np.array([estimates[i].cam_from_obj for i in places]).reshape(-1, 4, 4)
        covariances = np.array([estimates[i].covariance for i in places]).reshape(-1, 6, 6)
        vision = rotate_covariance(base_from_cam[:3, :3], covariances)
        by_camera = jacobian(base_from_cam, poses[:, :3, 3] - base_from_cam[:3, 3])
        kinematics = by_camera @ self._error.kinematics @ np.swapaxes(by_camera, 1, 2)
        shared = np.concatenate([by_camera, (by_camera @ speed)[..., None]], axis=2)
        vision = vision + np.array([self._min_covariance[estimates[i].obj_id] for i in places]).reshape(-1, 6, 6)
        certain = np.clip(np.nan_to_num([estimates[i].p_correct for i in places], nan=0.5), 1e-3, 1 - 1e-3)
        return {i: Measurement(poses[n], vision[n], kinematics[n], shared[n], float(certain[n]))
                for n, i in enumerate(places)}

    def _start(self, estimate: PoseEstimate, measured: Measurement, model: ObjectModel) -> Track:
        """A lost track at the same place, or a new one."""
        for track in self._lost:
            if track.obj_id == model.obj_id and np.linalg.norm(
                    middle(track.best.pose, model) - middle(measured.pose, model)) < SAME_PLACE * model.diameter:
                self._lost.remove(track)
                break
        else:
            track = Track(self._next_id, estimate, self._frame)
            self._next_id += 1
        self._tracks = sorted([*self._tracks, track], key=lambda entry: -entry.seen)[:_MAX_TRACKS]
        return track

    def _drop_disproved(self, frame: Frame, cam_from_base: Array) -> None:
        """Drop alternative poses that the depth camera sees through."""
        ambiguous = [track for track in self._tracks if len(track.hypotheses) > 1 and track.seen == self._frame]
        if frame.depth is None or not ambiguous:
            return
        pairs = [(track, alternative) for track in ambiguous for alternative in track.hypotheses]
        possible = iter(self._visibility(pairs, frame, cam_from_base).through < _MIN_SEEN_THROUGH)
        for track in ambiguous:
            track.keep([alternative for alternative in track.hypotheses if next(possible)])

    def _check_undetected(self, frame: Frame, cam_from_base: Array) -> None:
        """Negative evidence: an object that should be visible, but was not detected, may be gone."""
        if all(track.seen == self._frame for track in self._tracks):
            return
        models = [self._models[track.obj_id] for track in self._tracks]
        centers = apply(cam_from_base, [middle(track.best.pose, model) for track, model in zip(self._tracks, models)])
        radii = np.array([model.diameter / 2 for model in models])
        hidden_by = occluders(centers, radii)
        unseen = [int(i) for i in np.flatnonzero(in_view(centers, radii, frame.camera))
                  if self._tracks[i].seen != self._frame]
        if not unseen:
            return
        poses = cam_from_base @ np.array([track.best.pose for track in self._tracks])
        others = [[(self._shapes[self._tracks[i].obj_id], poses[i]) for i in np.flatnonzero(hidden_by[place])]
                  for place in unseen]
        tracks = [self._tracks[place] for place in unseen]
        seen = self._visibility([(track, track.best) for track in tracks], frame, cam_from_base, others)
        for track, visible, through in zip(tracks, seen.visible, seen.through):
            if visible >= _MIN_VISIBLE:
                track.miss(float(visible))
            if track.gone or through >= _MIN_SEEN_THROUGH:
                self._lose(track)

    def _visibility(self, pairs: Sequence[tuple[Track, Hypothesis]], frame: Frame, cam_from_base: Array,
              others: Sequence[Sequence[tuple[Shape, Array]]] = ()) -> Visibility:
        spreads = np.array([hypothesis.covariance for _, hypothesis in pairs])
        sigmas = np.sqrt(np.trace(spreads[:, :3, :3], axis1=1, axis2=2) / 3)
        poses = cam_from_base @ np.array([hypothesis.pose for _, hypothesis in pairs])
        return visibility([self._shapes[track.obj_id] for track, _ in pairs], poses, frame,
                    _DEPTH_TOLERANCE + _POSITION_SIGMAS * sigmas, others)

    def _lose(self, track: Track) -> None:
        """Remove a track from the map; its id and pose are kept for a while, for when it is detected again."""
        self._tracks.remove(track)
        track.presence, track.misses = 0.0, 0
        self._lost = [track, *self._lost][:_MAX_LOST]

    def _reported(self, track: Track, cam_from_base: Array, estimate: PoseEstimate, mode: ModeCalibration | None
                   ) -> PoseEstimate:
        best, budget = track.best, track.best.budget()
        others: tuple[Alternative, ...] = ()
        if track.views == 1 and estimate.cam_from_obj is not None:  # with more views they are hypotheses of the track
            others = _moved(estimate.alternatives, cam_from_base @ best.pose @ inverse(estimate.cam_from_obj))
        model, p_correct = self._models[track.obj_id], estimate.p_correct if track.views == 1 else track.p_correct
        fused = estimate.replace(
            budget={cause: budget[cause] for cause in self._causes}, region90=_widened(estimate.region90, best),
            alternatives=others,
            cam_from_obj=cam_from_base @ best.pose, base_from_obj=best.pose, track_id=track.track_id, views=track.views,
            covariance=rotate_covariance(cam_from_base[:3, :3], best.covariance),
            p_correct=p_correct * best.reached(_CORRECT_DISTANCE * model.diameter) if self._error.causes else p_correct)
        return fused if mode is None else restate(fused, model.diameter, mode, len(track.sides))

    def _speed(self, frame: Frame) -> Array:
        """The camera's twist (6,) per second along its own axes; 0 without latency."""
        if self._camera is None or not self._error.latency_s or frame.base_from_cam is None:
            return np.zeros(6)
        before, then = self._camera
        return velocity(before, frame.base_from_cam, frame.captured_at - then)


def _min_covariance(diameter: float) -> Array:
    return np.diag([(_MIN_POSITION_SIGMA * diameter) ** 2] * 3 + [_MIN_ROTATION_SIGMA**2] * 3)


def _moved(others: Sequence[Alternative], now_from_then: Array) -> tuple[Alternative, ...]:
    """Alternatives of one view, in the frame of a camera that has moved since."""
    return tuple(Alternative(now_from_then @ other.cam_from_obj, other.gap) for other in others)


def _widened(region: Region90 | None, hypothesis: Hypothesis) -> Region90 | None:
    """The region of a single view with the errors of `base_from_cam` added."""
    if region is None or hypothesis.views > 1:
        return region
    robot = hypothesis.covariance - hypothesis.vision
    place, turn = (_SIGMA_TO_RADIUS_90 * float(np.sqrt(np.trace(block))) for block in (robot[:3, :3], robot[3:, 3:]))
    return Region90(float(np.hypot(region.translation_mm, 1000 * place)),
                    min(180.0, float(np.hypot(region.rotation_deg, np.degrees(turn)))))
