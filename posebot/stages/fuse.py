"""Stage 5: one object, many views. Estimates are joined in the robot's base frame into a map of what lies there.

A track is one object. It holds a few rival poses (a box may have been seen the wrong way round), each filtered from the
views that agree with it; the one that is best supported is published. What should be in sight and is not found loses
support and goes within five views; what the depth camera sees through goes at once. All is bounded.
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
from posebot.stages.fusion.sight import Looks, Shape, hiders, in_view, look, shape_of
from posebot.stages.fusion.state import Hypothesis, Measurement
from posebot.stages.fusion.track import Track

__all__ = ["CameraError", "Fuser", "suppress"]

_TRACKS, _LOST = 64, 32
_EXPECTED = 0.3  # visible share from which an object should be found
_CORRECT = 0.1  # of the diameter: what p_correct is about
_NINE_IN_TEN = 1.5  # root of the summed variances to a radius; 1.44 where all three axes err alike
_THROUGH = 0.6  # share of depth readings behind an object that prove it is not there
_DEPTH_TOLERANCE, _SIGMAS = 0.012, 2.5  # metres, and sigmas of the place, that a reading may differ
_PLACE, _ATTITUDE = 0.005, 0.01  # sigma (diameters, radians) of any single view, whatever its covariance says
UNSEEN = "should be in sight, but was not found in the latest picture"


class Fuser:
    """Fuses estimates of successive frames of one camera.

    Args:
        objects: all that estimates may name. patience: frames that an object out of sight is remembered.
        error: how wrong `base_from_cam` may be; default: exact.
    """

    def __init__(self, objects: Sequence[ObjectModel], patience: int = 600, error: CameraError | None = None) -> None:
        self._models = {model.obj_id: model for model in objects}
        self._shapes = {model.obj_id: shape_of(model) for model in objects}
        self._least = {model.obj_id: np.diag([(_PLACE * model.diameter) ** 2] * 3 + [_ATTITUDE**2] * 3)
                       for model in objects}
        self._error = error or CameraError()
        self._shared = self._error.shared
        self._told = ("vision", *self._error.causes, "total")
        self._patience = patience
        self._tracks: list[Track] = []
        self._lost: list[Track] = []
        self._camera: tuple[Array, float] | None = None
        self._frame, self._next_id = 0, 1

    def __call__(self, frame: Frame, estimates: Sequence[PoseEstimate], mode: ModeCalibration | None = None
                 ) -> list[PoseEstimate]:
        """Estimates without duplicates; where `base_from_cam` is known with fused poses, track ids and view counts.

        mode: gives what was fused its status and region90 anew.
        """
        kept = suppress(estimates, self._models)
        if frame.base_from_cam is None:
            return kept
        self._frame += 1
        self._tracks, self._lost = ([track for track in tracks if self._frame - track.seen <= self._patience]
                                    for tracks in (self._tracks, self._lost))
        speed = self._speed(frame)
        owners = self._take_in(kept, frame.base_from_cam, speed)
        self._camera = frame.base_from_cam, frame.captured_at
        cam_from_base = inverse(frame.base_from_cam)
        self._look_at_rivals(frame, cam_from_base)
        self._look_for_unseen(frame, cam_from_base)
        fused = [estimate if track is None else self._published(track, cam_from_base, estimate, mode)
                 for estimate, track in zip(kept, owners)]
        return suppress(fused, self._models)

    def map(self, mode: ModeCalibration | None = None) -> list[PoseEstimate]:
        """All objects that are held to be there, in sight or not, as seen from the latest camera pose.

        `box_xyxy` and `score` are those of the picture in which the object was found last. What was not found where it
        should have been is `low_certainty`, however sure it was before. mode: gives status and region90 anew.
        """
        if self._camera is None:
            return []
        cam_from_base = inverse(self._camera[0])
        known = []
        for track in self._tracks:
            estimate = self._published(track, cam_from_base, track.estimate, mode)
            known.append(estimate.replace(status="low_certainty", reason=UNSEEN) if track.misses else estimate)
        return suppress(known, self._models)

    def _take_in(self, estimates: Sequence[PoseEstimate], base_from_cam: Array, speed: Array) -> list[Track | None]:
        """The track of each estimate (None without a pose), after it has been taken in."""
        owners: list[Track | None] = [None] * len(estimates)
        everything = self._measured(estimates, base_from_cam, speed)
        for obj_id in dict.fromkeys(estimate.obj_id for estimate in estimates):
            places = [i for i in everything if estimates[i].obj_id == obj_id]
            measured = [everything[i] for i in places]
            model = self._models[obj_id]
            found = associate(measured, [track for track in self._tracks if track.obj_id == obj_id], model)
            for number, (place, entry) in enumerate(zip(places, measured)):
                track = found.get(number) or self._begin(estimates[place], entry, model)
                side = base_from_cam[:3, 3] - middle(entry.pose, model)
                track.see(entry, estimates[place], model, self._shared, side / np.linalg.norm(side), self._frame)
                owners[place] = track
        return owners

    def _measured(self, estimates: Sequence[PoseEstimate], base_from_cam: Array, speed: Array
                  ) -> dict[int, Measurement]:
        """Those estimates that have a pose, in the base frame, by their place in the list."""
        places = [i for i, e in enumerate(estimates) if e.cam_from_obj is not None and e.covariance is not None]
        poses = base_from_cam @ np.array([estimates[i].cam_from_obj for i in places]).reshape(-1, 4, 4)
        covariances = np.array([estimates[i].covariance for i in places]).reshape(-1, 6, 6)
        vision = rotate_covariance(base_from_cam[:3, :3], covariances)
        by_camera = jacobian(base_from_cam, poses[:, :3, 3] - base_from_cam[:3, 3])
        kinematics = by_camera @ self._error.kinematics @ np.swapaxes(by_camera, 1, 2)
        shared = np.concatenate([by_camera, (by_camera @ speed)[..., None]], axis=2)
        return {i: Measurement(poses[n], vision[n] + self._least[estimates[i].obj_id], kinematics[n], shared[n],
                               min(max(estimates[i].p_correct, 1e-3), 1 - 1e-3)) for n, i in enumerate(places)}

    def _begin(self, estimate: PoseEstimate, measured: Measurement, model: ObjectModel) -> Track:
        """A lost track that is found again, or a new one."""
        for track in self._lost:
            if track.obj_id == model.obj_id and np.linalg.norm(
                    middle(track.best.pose, model) - middle(measured.pose, model)) < SAME_PLACE * model.diameter:
                self._lost.remove(track)
                break
        else:
            track = Track(self._next_id, estimate, self._frame)
            self._next_id += 1
        self._tracks = sorted([*self._tracks, track], key=lambda entry: -entry.seen)[:_TRACKS]
        return track

    def _look_at_rivals(self, frame: Frame, cam_from_base: Array) -> None:
        """A rival pose that the depth camera sees through is none."""
        doubted = [track for track in self._tracks if len(track.hypotheses) > 1 and track.seen == self._frame]
        if frame.depth is None or not doubted:
            return
        pairs = [(track, rival) for track in doubted for rival in track.hypotheses]
        stands = iter(self._look(pairs, frame, cam_from_base).through < _THROUGH)
        for track in doubted:
            track.keep([rival for rival in track.hypotheses if next(stands)])

    def _look_for_unseen(self, frame: Frame, cam_from_base: Array) -> None:
        """Negative evidence: what should be in sight, but was not found, may be gone."""
        if all(track.seen == self._frame for track in self._tracks):
            return
        models = [self._models[track.obj_id] for track in self._tracks]
        centers = apply(cam_from_base, [middle(track.best.pose, model) for track, model in zip(self._tracks, models)])
        radii = np.array([model.diameter / 2 for model in models])
        hidden_by = hiders(centers, radii)
        unseen = [int(i) for i in np.flatnonzero(in_view(centers, radii, frame.camera))
                  if self._tracks[i].seen != self._frame]
        if not unseen:
            return
        poses = cam_from_base @ np.array([track.best.pose for track in self._tracks])
        others = [[(self._shapes[self._tracks[i].obj_id], poses[i]) for i in np.flatnonzero(hidden_by[place])]
                  for place in unseen]
        tracks = [self._tracks[place] for place in unseen]
        looks = self._look([(track, track.best) for track in tracks], frame, cam_from_base, others)
        for track, visible, through in zip(tracks, looks.visible, looks.through):
            if visible >= _EXPECTED:
                track.miss(float(visible))
            if track.gone or through >= _THROUGH:
                self._lose(track)

    def _look(self, pairs: Sequence[tuple[Track, Hypothesis]], frame: Frame, cam_from_base: Array,
              others: Sequence[Sequence[tuple[Shape, Array]]] = ()) -> Looks:
        spreads = np.array([hypothesis.covariance for _, hypothesis in pairs])
        sigmas = np.sqrt(np.trace(spreads[:, :3, :3], axis1=1, axis2=2) / 3)
        poses = cam_from_base @ np.array([hypothesis.pose for _, hypothesis in pairs])
        return look([self._shapes[track.obj_id] for track, _ in pairs], poses, frame,
                    _DEPTH_TOLERANCE + _SIGMAS * sigmas, others)

    def _lose(self, track: Track) -> None:
        """Out of the map; its number and pose are kept for a while, should it be found again."""
        self._tracks.remove(track)
        track.presence, track.misses = 0.0, 0
        self._lost = [track, *self._lost][:_LOST]

    def _published(self, track: Track, cam_from_base: Array, estimate: PoseEstimate, mode: ModeCalibration | None
                   ) -> PoseEstimate:
        best, budget = track.best, track.best.budget()
        others: tuple[Alternative, ...] = ()
        if track.views == 1 and estimate.cam_from_obj is not None:  # more views have weighed them as rivals
            others = _moved(estimate.alternatives, cam_from_base @ best.pose @ inverse(estimate.cam_from_obj))
        model, p_correct = self._models[track.obj_id], estimate.p_correct if track.views == 1 else track.p_correct
        fused = estimate.replace(
            budget={cause: budget[cause] for cause in self._told}, region90=_widened(estimate.region90, best),
            alternatives=others,
            cam_from_obj=cam_from_base @ best.pose, base_from_obj=best.pose, track_id=track.track_id, views=track.views,
            covariance=rotate_covariance(cam_from_base[:3, :3], best.covariance),
            p_correct=p_correct * best.reached(_CORRECT * model.diameter) if self._error.causes else p_correct)
        return fused if mode is None else restate(fused, model.diameter, mode, len(track.sides))

    def _speed(self, frame: Frame) -> Array:
        """The camera's twist (6,) per second along its own axes, as far as latency makes it matter."""
        if self._camera is None or not self._error.latency_s or frame.base_from_cam is None:
            return np.zeros(6)
        before, then = self._camera
        return velocity(before, frame.base_from_cam, frame.captured_at - then)


def _moved(others: Sequence[Alternative], now_from_then: Array) -> tuple[Alternative, ...]:
    """What one view left possible, in the frame of a camera that has moved since."""
    return tuple(Alternative(now_from_then @ other.cam_from_obj, other.gap) for other in others)


def _widened(region: Region90 | None, hypothesis: Hypothesis) -> Region90 | None:
    """The region of a single view, which knows nothing of the robot, with the errors of `base_from_cam` added."""
    if region is None or hypothesis.views > 1:
        return region
    robot = hypothesis.covariance - hypothesis.vision
    place, turn = (_NINE_IN_TEN * float(np.sqrt(np.trace(block))) for block in (robot[:3, :3], robot[3:, 3:]))
    return Region90(float(np.hypot(region.translation_mm, 1000 * place)),
                    min(180.0, float(np.hypot(region.rotation_deg, np.degrees(turn)))))
