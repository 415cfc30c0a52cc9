"""The inference pipeline: a frame in, a FrameResult out."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.frame import Frame
from posebot.core.results import FrameResult, ModelVersion, PoseEstimate
from posebot.models.bundle import Bundle
from posebot.models.calibration import ModeCalibration
from posebot.models.runtime import Network
from posebot.stages import POSE_STAGE_VERSION
from posebot.stages.certainty import assess
from posebot.stages.detect import Detector, OnnxDetector
from posebot.stages.fuse import CameraError, Fuser, suppress
from posebot.stages.localize import Localization, Localizer, OnnxLocalizer, refine_crops
from posebot.stages.nothing_found import why_nothing
from posebot.stages.pose import PoseSolver
from posebot.stages.recrop import recrop
from posebot.stages.settings import DEFAULTS, PoseSettings, read_overrides
from posebot.stages.solution import PoseSolution
from posebot.stages.undistort import undistort

_log = logging.getLogger(__name__)


class Pipeline:
    """All stages of one bundle for one camera stream. Fusion keeps state between frames; `reset` clears it.

    Args:
        bundle: an opened bundle. depth: use depth where the frame has it. runtime: see `Network`. threads: of the
            networks, and objects solved concurrently; 0: the number of cores.
        fuse: fuse views where the frame has `base_from_cam`. limit: maximum number of objects per frame.
        masks: fill `PoseEstimate.mask`. error: uncertainty of `base_from_cam`, for fusion; default: exact.
        settings: of the pose stage; default: the bundle's (`bundle_settings`).
        stages: detector, localizer and solver to use; default: the bundle's, in this process.
    """

    def __init__(self, bundle: Bundle, *, depth: bool = True, runtime: str = "auto", threads: int = 0,
                 fuse: bool = True, limit: int = 20, masks: bool = False, error: CameraError | None = None,
                 settings: PoseSettings | None = None,
                 stages: tuple[Detector, Localizer, PoseSolver] | None = None) -> None:
        self.bundle, self.depth, self.fuse, self.masks, self._error = bundle, depth, fuse, masks, error
        self.settings = bundle_settings(bundle) if settings is None else settings
        self.detector, self.localizer, self.solver = stages or self._own_stages(runtime, threads, limit)
        self._model = ModelVersion(bundle.manifest.name, bundle.manifest.version)
        self.reset()

    def _own_stages(self, runtime: str, threads: int, limit: int) -> tuple[Detector, Localizer, PoseSolver]:
        """The bundle's networks and solver, in this process."""
        bundle, manifest = self.bundle, self.bundle.manifest
        return (OnnxDetector(Network(bundle.detector, runtime, threads, "detector.onnx"), manifest.detector, limit),
                OnnxLocalizer(Network(bundle.localizer, runtime, threads, "localizer.onnx"), manifest.localizer),
                PoseSolver(bundle.objects, threads, manifest.upright_prior, self.settings))

    def reset(self) -> None:
        """Clear all tracks: a new scene or another camera."""
        self._fuser = Fuser(self.bundle.objects, error=self._error)
        self._mode: ModeCalibration | None = None

    def map(self) -> list[PoseEstimate]:
        """All tracked objects, in view or not, in the camera frame of the latest image (`Fuser.map`)."""
        return self._fuser.map(self._mode)

    def __call__(self, frame: Frame) -> FrameResult:
        """Estimate the poses in a frame.

        A distorted frame is undistorted first; boxes, poses and the result's camera belong to the undistorted image.
        """
        clock: dict[str, float] = {}
        with _timed(clock, "total"):
            frame = undistort(frame)
            solutions = self._solutions(frame, clock)
            with _timed(clock, "certainty"):
                estimates = [self._assess(solution, frame) for solution in solutions]
            with _timed(clock, "fuse"):
                estimates = self._fused(frame, estimates)
        age = max(0.0, 1000 * (time.time() - frame.captured_at)) if frame.captured_at > 0 else clock["total"]
        return FrameResult(frame.frame_id, frame.captured_at, frame.camera, tuple(estimates), age, clock,
                           model=self._model, base_from_cam=frame.base_from_cam,
                           nothing_found="" if estimates else self._why_nothing(frame))

    def _why_nothing(self, frame: Frame) -> str:
        best = self.detector.best(frame.rgb) if isinstance(self.detector, OnnxDetector) else None
        return why_nothing(frame, best, self.bundle.manifest)

    def observe(self, frame: Frame) -> list[PoseSolution]:
        """The solutions of a frame with the features of certainty (`certainty.features`), before any calibration."""
        return self._solutions(undistort(frame), {})

    def _solutions(self, frame: Frame, clock: dict[str, float]) -> list[PoseSolution]:
        with _timed(clock, "detect"):
            detections = self.detector(frame.rgb)
        with _timed(clock, "localize"):
            box_jitter = self.bundle.manifest.localizer.box_jitter
            localizations = refine_crops(self.localizer, frame.rgb, detections, box_jitter)
        with _timed(clock, "pose"):
            solutions = self.solver.all(frame, localizations, self.depth)
        return self._recropped(frame, solutions, clock)

    def _recropped(self, frame: Frame, solutions: list[PoseSolution], clock: dict[str, float]) -> list[PoseSolution]:
        """The solutions, replaced by those of a re-crop where that scores higher."""
        recrops, threshold, settings = {}, self.bundle.manifest.detector.threshold, self.settings.recrop
        for index, solution in enumerate(solutions):
            model = self.bundle.objects[solution.localization.detection.class_index]
            if (detection := recrop(solution, model, frame.camera.K, threshold, settings)) is not None:
                recrops[index] = detection
        if not recrops:
            return solutions
        with _timed(clock, "localize"):
            localizations = self.localizer(frame.rgb, list(recrops.values()))
        with _timed(clock, "pose"):
            for index, second in zip(recrops, self.solver.all(frame, localizations, self.depth), strict=True):
                if second.pose is not None and second.total > solutions[index].total:
                    solutions[index] = second
        return solutions

    def _assess(self, solution: PoseSolution, frame: Frame) -> PoseEstimate:
        model = self.bundle.objects[solution.localization.detection.class_index]
        estimate = assess(solution, model.label, model.obj_id, model.diameter, self.bundle.manifest.calibration)
        if estimate.cam_from_obj is not None and frame.base_from_cam is not None:
            estimate = estimate.replace(base_from_obj=frame.base_from_cam @ estimate.cam_from_obj)
        if self.masks:
            estimate = estimate.replace(mask=image_mask(solution.localization, frame.rgb.shape[:2]))
        return estimate

    def _fused(self, frame: Frame, estimates: list[PoseEstimate]) -> list[PoseEstimate]:
        if not self.fuse:
            return suppress(estimates, {model.obj_id: model for model in self.bundle.objects})
        calibration = self.bundle.manifest.calibration
        self._mode = mode = calibration.depth if self.depth and frame.depth is not None else calibration.rgb
        return self._fuser(frame, estimates, mode)


def bundle_settings(bundle: Bundle) -> PoseSettings:
    """The settings that a bundle records. Its calibration is valid for the version of the pose stage that it names:
    another one, or none, is logged as a warning.

    Raises:
        ConfigError: an unknown setting, or a value that does not fit.
    """
    recorded, name = bundle.manifest.pose_stage, f"{bundle.manifest.name} {bundle.manifest.version}"
    if recorded.version != POSE_STAGE_VERSION:
        _log.warning("bundle %s was calibrated with pose stage %s, this is %d: its certainty may be off; run `posebot "
                     "models recalibrate %s --dataset DATASET`", name, recorded.version or "unknown",
                     POSE_STAGE_VERSION, bundle.manifest.name)
    return read_overrides(recorded.settings, f"{name}: pose_stage.settings") if recorded.settings else DEFAULTS


def image_mask(localization: Localization, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The visible mask (H, W) in the image."""
    height, width = shape[:2]
    back = np.linalg.inv(localization.resampled(localization.visible.shape[0]))
    return cv2.warpAffine(localization.visible, back[:2], (width, height), flags=cv2.INTER_LINEAR) > 0.5


@contextmanager
def _timed(clock: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    clock[name] = clock.get(name, 0.0) + 1000 * (time.perf_counter() - start)
