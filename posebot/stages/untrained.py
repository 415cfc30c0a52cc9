"""Untrained objects: detected and solved by their meshes alone, on a table, with a depth camera.

The part of the image above the table is segmented where depth jumps. Each segment is compared with every object that it
may be, by silhouette, depth, texture and outline (the scores with depth, without coordinates), and takes the one that
explains it best. A segment that none explains, because objects touch, is split where its surface is concave. What an
object explains anywhere in the image is not searched again.
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
_MAX_LENGTH = 2.5  # of a segment, largest diameters: a longer one is a wall
_ON_SURFACE, _EXPLAINED = 0.008, 0.012  # metres from the surface: part of the object; explained by it
_MIN_GEOMETRY = 0.75  # geometry score from which an object explains a segment
_MIN_FAIR_GEOMETRY, _MIN_AGREEMENT = 0.45, 0.9  # or this, with this share confirmed by depth: touching objects
_MAX_OBJECTS = 4  # in a segment
_MIN_UNEXPLAINED = 0.2  # share of a segment, to be searched
_MIN_GROWTH = 0.1  # share of a segment that an object explains elsewhere in the image, to be solved again with it
_MIN_PIXELS = 150  # pixels
# fitted on 101 estimates of the kit in 12 simulated scenes: it ranks estimates and weighs views of any part, and is a
# calibration of none, so no pose is ok and its probability is not output
_CALIBRATION = Calibration(depth=ModeCalibration(
    weights={"silhouette": (2.5,), "geometry": (3.7,), "margin": (6.0,)}, bias=-5.1, ok_threshold=1.01, samples=101))


@dataclass(frozen=True)
class Explanation:
    """An object that explains a segment. index: its place in the list of objects. piece: mask (H, W)."""

    index: int
    piece: Mask
    solution: PoseSolution


class UntrainedPipeline:
    """As `Pipeline`, without a bundle. Its certainty is not calibrated, so that no pose is `ok`.

    Args:
        objects: with meshes; construction takes some tenths of a second for each. fuse, error: as in `Pipeline`.
    """

    def __init__(self, objects: Sequence[ObjectModel], *, fuse: bool = True, error: CameraError | None = None) -> None:
        self.objects, self.fuse, self._error = tuple(objects), fuse, error
        self._surfaces = [build_surface(model) for model in objects]
        self._longest = _MAX_LENGTH * max(model.diameter for model in objects)
        self.reset()

    def reset(self) -> None:
        """Clear all tracks."""
        self._fuser = Fuser(self.objects, error=self._error)

    def __call__(self, frame: Frame) -> FrameResult:
        """Poses of all objects on the table.

        Raises:
            InputError: the frame has no depth.
        """
        start, frame = time.perf_counter(), undistort(frame)
        if frame.depth is None:
            raise DepthError(f"frame {frame.frame_id}", "has no depth", "a depth camera: shape is all there is")
        estimates = [self._estimate(found, frame) for found in self.observe(frame)]
        if self.fuse:
            estimates = self._fuser(frame, estimates)
        estimates = [entry.replace(status="low_certainty", reason=REASON, p_correct=float("nan"), region90=None)
                     for entry in estimates]
        total = 1000 * (time.perf_counter() - start)
        age = max(0.0, 1000 * (time.time() - frame.captured_at)) if frame.captured_at > 0 else total
        return FrameResult(frame.frame_id, frame.captured_at, frame.camera, tuple(estimates), age, {"total": total},
                           base_from_cam=frame.base_from_cam)

    def observe(self, frame: Frame) -> Iterator[Explanation]:
        """The objects that explain the segments above the table. The frame is undistorted and has depth."""
        assert frame.depth is not None
        points = unproject(frame.camera.K, np.where(np.isfinite(frame.depth), frame.depth, 0))
        above = above_table(points)
        if above is None:
            return
        free = above.copy()
        for piece in split(above, points[..., 2]):
            for _ in range(_MAX_OBJECTS):
                found = self._explained(frame, points, piece, free)
                parts = iter(split_at_concavities(piece & free, points) if found is None else [])
                while found is None and (part := next(parts, None)) is not None:
                    found = self._explained(frame, points, part, free)
                if found is None:
                    break
                found = self._extended(frame, points, found, above)
                free[above] &= self._distance(found, points[above]) > _EXPLAINED
                yield found

    def _explained(self, frame: Frame, points: Array, piece: Mask, free: Mask) -> Explanation | None:
        """The object that explains the rest of a segment best, if one does."""
        rest = piece & free
        if rest.sum() < max(_MIN_PIXELS, _MIN_UNEXPLAINED * piece.sum()):
            return None
        solved = [Explanation(index, rest, self._solved(frame, points, rest, index))
                  for index, surface in enumerate(self._surfaces) if _span(points[rest]) < self._longest]
        sound = [entry for entry in solved if entry.solution.scores["geometry"] > _MIN_GEOMETRY or (
            entry.solution.scores["geometry"] > _MIN_FAIR_GEOMETRY and self._agreement(frame, entry) > _MIN_AGREEMENT)]
        return max(sound, key=lambda entry: entry.solution.total, default=None)

    def _agreement(self, frame: Frame, found: Explanation) -> float:
        """Share of an object's drawn pixels that depth confirms, hidden ones excluded; 0 where most are hidden.

        Unlike the score it does not require that the object explains all of its segment.
        """
        surface, localization = self._surfaces[found.index], found.solution.localization
        evidence = gather(frame, localization, surface.model)
        assert evidence.points is not None and found.solution.pose is not None
        depth = splat(found.solution.pose[None], surface, evidence.K, len(evidence.visible)).depth[0]
        sensor = evidence.points[..., 2]
        ahead = (sensor - depth)[(depth > 0) & (sensor > 0)]
        agree, hidden = (np.abs(ahead) < _ON_SURFACE).sum(), (ahead < -_ON_SURFACE).sum()
        return float(agree / max(len(ahead) - hidden, 1)) if agree > hidden else 0.0

    def _extended(self, frame: Frame, points: Array, found: Explanation, above: Mask) -> Explanation:
        """The object solved again from all that lies on its surface, if it is more and fits as well."""
        more = found.piece.copy()
        more[above] |= self._distance(found, points[above]) < _ON_SURFACE
        if more.sum() < (1 + _MIN_GROWTH) * found.piece.sum():
            return found
        solution = self._solved(frame, points, more, found.index)
        return Explanation(found.index, more, solution) if solution.total > found.solution.total else found

    def _solved(self, frame: Frame, points: Array, piece: Mask, index: int) -> PoseSolution:
        surface, localization = self._surfaces[index], _localization(frame, piece, index)
        evidence = gather(frame, localization, surface.model)
        return solve(_shape_only(evidence, np.median(points[piece], axis=0)), surface, localization)

    def _distance(self, found: Explanation, points: Array) -> Array:
        """How far (N,) points (N, 3), camera frame, are from the object's surface, metres."""
        surface, pose = self._surfaces[found.index], found.solution.pose
        assert pose is not None
        there = ((points - pose[:3, 3]) @ pose[:3, :3]).astype(np.float32)
        return np.asarray(np.linalg.norm(there - surface.points[surface.nearest(there)], axis=1), float)

    def _estimate(self, found: Explanation, frame: Frame) -> PoseEstimate:
        model, solution = self.objects[found.index], found.solution
        solution = replace(solution, localization=replace(
            solution.localization, detection=replace(solution.localization.detection, score=solution.total)))
        estimate = assess(solution, model.label, model.obj_id, model.diameter, _CALIBRATION)
        if estimate.cam_from_obj is not None and frame.base_from_cam is not None:
            estimate = estimate.replace(base_from_obj=frame.base_from_cam @ estimate.cam_from_obj)
        return estimate


def _span(points: Array) -> float:
    """Length (metres) of a cloud of points (N, 3) along its principal axis."""
    middle = points - points.mean(axis=0)
    along = middle @ np.linalg.eigh(middle.T @ middle)[1][:, 2]
    low, high = np.quantile(along, [0.01, 0.99])
    return float(high - low)


def _localization(frame: Frame, piece: Mask, index: int) -> Localization:
    """The localization of a segment: the mask alone."""
    box = box_from_mask(piece)
    assert box is not None
    matrix = crop_matrix(box, _CROP, _PAD)
    mask = _crop_mask(piece, matrix)
    size = len(mask)
    return Localization(Detection(index, 1.0, box), cut(frame.rgb, matrix, _CROP), matrix, _CROP // size, mask, mask,
                        np.zeros((3, size, size), np.float32), np.ones((size, size), np.float32),
                        np.zeros(3, np.float32))


def _crop_mask(piece: Mask, matrix: Array) -> NDArray[np.float32]:
    """A mask (H, W) in the crop, at half its resolution."""
    crop = cv2.warpAffine(piece.astype(np.float32), matrix[:2], (_CROP, _CROP), flags=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(crop, (_CROP // 2, _CROP // 2), interpolation=cv2.INTER_AREA), np.float32)


def _shape_only(evidence: Evidence, origin: Array) -> Evidence:
    """The evidence without coordinates, which no network predicted."""
    return replace(evidence, pixels=evidence.pixels[:0], coordinates=evidence.coordinates[:0],
                   sigma=evidence.sigma[:0], weight=evidence.weight[:0], origin=origin)
