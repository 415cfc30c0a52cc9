"""Objects that no network has learned: by their meshes, on a table, for a depth camera.

What stands on the table is cut into pieces where depth jumps. Each piece is compared with every object that it may be,
by silhouette, depth, print and outline (`stages.depth`, the coordinates left out), and takes the one that explains it
best. A piece that none explains, because things touch, is cut again where its surface is concave. What an object
explains anywhere in the picture is not looked at again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import box_from_mask, crop_matrix, unproject
from posebot.core.errors import DepthError
from posebot.core.frame import Frame
from posebot.core.objects import ObjectModel
from posebot.core.results import FrameResult, PoseEstimate
from posebot.core.transforms import Array
from posebot.models.calibration import Calibration, ModeCalibration
from posebot.stages.certainty import assess
from posebot.stages.detect import Detection
from posebot.stages.fuse import CameraError, Fuser
from posebot.stages.geometry.splat import splat
from posebot.stages.localize import Localization, cut
from posebot.stages.observation.evidence import Evidence, gather
from posebot.stages.pose import solve
from posebot.stages.segment import Mask, above_table, split, split_at_concavities
from posebot.stages.solution import PoseSolution
from posebot.stages.surface_builder import build_surface
from posebot.stages.undistort import undistort

REASON = "not trained: found by its shape alone"
_CROP, _PAD = 128, 1.25
_SPARE = 2.5  # times the largest object's diameter: a longer piece is a wall
_ON, _NEAR = 0.008, 0.012  # metres from the surface: explained, and not worth a look of its own
_GOOD = 0.75  # geometry score from which an object explains a piece
_FAIR, _AGREE = 0.45, 0.9  # or this, with so much of the object agreeing with the sensor: things that touch
_ROUNDS = 4  # most objects in a piece
_FRESH = 0.2  # of a piece that nothing explains yet, to be looked at
_MORE = 0.1  # of a piece, explained elsewhere in the picture, to be looked at together with it
_FEWEST = 150  # pixels
# fitted on 101 estimates of the kit in 12 simulated scenes; `samples` stays 0, so that no pose is ever ok
_CALIBRATION = Calibration(depth=ModeCalibration(
    weights={"silhouette": (2.5,), "geometry": (3.7,), "margin": (6.0,)}, bias=-5.1))


@dataclass(frozen=True)
class Found:
    """An object that explains a piece. index: its place in the list of objects. piece: mask (H, W)."""

    index: int
    piece: Mask
    solution: PoseSolution


class UntrainedPipeline:
    """As `Pipeline`, without a bundle. Nothing that it says is calibrated, and so no pose is `ok`.

    Args:
        objects: with meshes; building takes some tenths of a second for each. fuse, error: as in `Pipeline`.
    """

    def __init__(self, objects: Sequence[ObjectModel], *, fuse: bool = True, error: CameraError | None = None) -> None:
        self.objects, self.fuse, self._error = tuple(objects), fuse, error
        self._surfaces = [build_surface(model) for model in objects]
        self._longest = _SPARE * max(model.diameter for model in objects)
        self.reset()

    def reset(self) -> None:
        """Forget all tracks."""
        self._fuser = Fuser(self.objects, error=self._error)

    def __call__(self, frame: Frame) -> FrameResult:
        """All objects that stand on the table.

        Raises:
            InputError: the frame has no depth.
        """
        start, frame = time.perf_counter(), undistort(frame)
        if frame.depth is None:
            raise DepthError(f"frame {frame.frame_id}", "has no depth", "a depth camera: shape is all there is")
        estimates = [self._estimate(found, frame) for found in self.observe(frame)]
        if self.fuse:
            estimates = [entry.replace(status="low_certainty", reason=REASON)
                         for entry in self._fuser(frame, estimates)]
        total = 1000 * (time.perf_counter() - start)
        age = max(0.0, 1000 * (time.time() - frame.captured_at)) if frame.captured_at > 0 else total
        return FrameResult(frame.frame_id, frame.captured_at, frame.camera, tuple(estimates), age, {"total": total},
                           base_from_cam=frame.base_from_cam)

    def observe(self, frame: Frame) -> Iterator[Found]:
        """The objects that explain what stands on the table. The frame is undistorted and has depth."""
        assert frame.depth is not None
        points = unproject(frame.camera.K, np.where(np.isfinite(frame.depth), frame.depth, 0))
        above = above_table(points)
        if above is None:
            return
        free = above.copy()
        for piece in split(above, points[..., 2]):
            for _ in range(_ROUNDS):
                found = self._explained(frame, points, piece, free)
                parts = iter(split_at_concavities(piece & free, points) if found is None else [])
                while found is None and (part := next(parts, None)) is not None:
                    found = self._explained(frame, points, part, free)
                if found is None:
                    break
                found = self._extended(frame, points, found, above)
                free[above] &= self._distance(found, points[above]) > _NEAR
                yield found

    def _explained(self, frame: Frame, points: Array, piece: Mask, free: Mask) -> Found | None:
        """The object that explains best what is left of a piece, if one does."""
        rest = piece & free
        if rest.sum() < max(_FEWEST, _FRESH * piece.sum()):
            return None
        solved = [Found(index, rest, self._solved(frame, points, rest, index))
                  for index, surface in enumerate(self._surfaces) if _span(points[rest]) < self._longest]
        sound = [entry for entry in solved if entry.solution.scores["geometry"] > _GOOD or (
            entry.solution.scores["geometry"] > _FAIR and self._agreement(frame, entry) > _AGREE)]
        return max(sound, key=lambda entry: entry.solution.total, default=None)

    def _agreement(self, frame: Frame, found: Found) -> float:
        """Share of an object's picture where the sensor sees it, of that which nothing nearer hides; 0 where most is.

        Unlike the score it does not ask whether the object explains all of its piece.
        """
        surface, localization = self._surfaces[found.index], found.solution.localization
        evidence = gather(frame, localization, surface.model)
        assert evidence.points is not None and found.solution.pose is not None
        depth = splat(found.solution.pose[None], surface, evidence.K, len(evidence.visible)).depth[0]
        sensor = evidence.points[..., 2]
        ahead = (sensor - depth)[(depth > 0) & (sensor > 0)]
        agree, hidden = (np.abs(ahead) < _ON).sum(), (ahead < -_ON).sum()
        return float(agree / max(len(ahead) - hidden, 1)) if agree > hidden else 0.0

    def _extended(self, frame: Frame, points: Array, found: Found, above: Mask) -> Found:
        """The same object from all that lies on its surface, if that is more than the piece and fits as well."""
        more = found.piece.copy()
        more[above] |= self._distance(found, points[above]) < _ON
        if more.sum() < (1 + _MORE) * found.piece.sum():
            return found
        solution = self._solved(frame, points, more, found.index)
        return Found(found.index, more, solution) if solution.total > found.solution.total else found

    def _solved(self, frame: Frame, points: Array, piece: Mask, index: int) -> PoseSolution:
        surface, localization = self._surfaces[index], _localization(frame, piece, index)
        evidence = gather(frame, localization, surface.model)
        return solve(_shape_only(evidence, np.median(points[piece], axis=0)), surface, localization)

    def _distance(self, found: Found, points: Array) -> Array:
        """How far (N,) points (N, 3), camera frame, are from the surface of what was found, metres."""
        surface, pose = self._surfaces[found.index], found.solution.pose
        assert pose is not None
        there = ((points - pose[:3, 3]) @ pose[:3, :3]).astype(np.float32)
        return np.asarray(np.linalg.norm(there - surface.points[surface.nearest(there)], axis=1), float)

    def _estimate(self, found: Found, frame: Frame) -> PoseEstimate:
        model, solution = self.objects[found.index], found.solution
        solution = replace(solution, localization=replace(
            solution.localization, detection=replace(solution.localization.detection, score=solution.total)))
        estimate = assess(solution, model.label, model.obj_id, model.diameter, _CALIBRATION)
        if estimate.cam_from_obj is not None and frame.base_from_cam is not None:
            estimate = estimate.replace(base_from_obj=frame.base_from_cam @ estimate.cam_from_obj)
        return estimate.replace(status="low_certainty", reason=REASON, region90=None)


def _span(points: Array) -> float:
    """How long (metres) a cloud of points (N, 3) is, in the direction in which it is longest."""
    middle = points - points.mean(axis=0)
    along = middle @ np.linalg.eigh(middle.T @ middle)[1][:, 2]
    low, high = np.quantile(along, [0.01, 0.99])
    return float(high - low)


def _localization(frame: Frame, piece: Mask, index: int) -> Localization:
    """What a network would say of a piece: the mask alone."""
    box = box_from_mask(piece)
    assert box is not None
    matrix = crop_matrix(box, _CROP, _PAD)
    mask = _shrunk(piece, matrix)
    size = len(mask)
    return Localization(Detection(index, 1.0, box), cut(frame.rgb, matrix, _CROP), matrix, _CROP // size, mask, mask,
                        np.zeros((3, size, size), np.float32), np.ones((size, size), np.float32),
                        np.zeros(3, np.float32))


def _shrunk(piece: Mask, matrix: Array) -> NDArray[np.float32]:
    """A mask (H, W) in the crop, at half its resolution."""
    crop = cv2.warpAffine(piece.astype(np.float32), matrix[:2], (_CROP, _CROP), flags=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(crop, (_CROP // 2, _CROP // 2), interpolation=cv2.INTER_AREA), np.float32)


def _shape_only(evidence: Evidence, origin: Array) -> Evidence:
    """Without coordinates, which nobody predicted."""
    return replace(evidence, pixels=evidence.pixels[:0], coordinates=evidence.coordinates[:0],
                   sigma=evidence.sigma[:0], weight=evidence.weight[:0], origin=origin)
