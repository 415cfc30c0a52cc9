"""Sources of estimates for `posebot evaluate`: a csv, or the pipeline of a bundle."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import isnan, radians
from pathlib import Path
from typing import Any

from posebot.core.errors import InputError, ResultFileError
from posebot.core.frame import Frame
from posebot.core.results import PoseEstimate
from posebot.datasets.bop import ImageKey
from posebot.evaluation.records import EvaluatedEstimate
from posebot.evaluation.seen_before import seen_before
from posebot.evaluation.worker import CsvEstimates, EstimateSource, EvaluationSplit, ImageEstimates
from posebot.models.bundle import Bundle, file_sha256
from posebot.models.calibration import LEVELS, ModeCalibration
from posebot.models.reference import resolve
from posebot.stages.certainty import radii
from posebot.stages.pipeline import Pipeline, bundle_settings
from posebot.stages.settings import PoseSettings, read_settings


def estimate_source(split: EvaluationSplit, bundle: str | None, estimates: Path | None, threads: int,
                    pose_settings: Path | None = None) -> tuple[Callable[[], EstimateSource], dict[str, Any]]:
    """A factory of the source, called in each process, and the subject of the evaluation for its report.

    Raises:
        InputError: both or neither are given, or the given one cannot be used.
    """
    if (bundle is None) == (estimates is None):
        raise InputError("evaluate", "needs a bundle or estimates", "either --bundle BUNDLE or --estimates FILE.csv")
    if estimates is not None and pose_settings is not None:
        raise InputError("--pose-settings", "applies to a bundle, not to a csv", "--bundle")
    if estimates is not None:
        CsvEstimates(estimates, split)  # fails early
        path = estimates.resolve()
        return partial(CsvEstimates, path, split), {"estimates": path.name, "sha256": file_sha256(path)}
    path, opened = resolve(str(bundle)), Bundle.open(str(bundle))
    known, targets = {model.obj_id for model in opened.objects}, set(split.open().objects)
    if not known & targets:
        raise ResultFileError(path, f"knows objects {sorted(known)}", f"one of the data set's: {sorted(targets)}")
    sums = file_sha256(path / "SHA256SUMS" if path.is_dir() else path)
    subject = {"bundle": f"{opened.manifest.name} {opened.manifest.version}", "sha256": sums, "depth": split.depth,
               "seen": seen_before(opened.manifest.provenance, split.root.resolve().name, split.name,
                                   split.open().truth_sha256())}
    settings = bundle_settings(opened)
    if pose_settings is not None:
        settings = read_settings(pose_settings, settings)
        subject["pose_settings"] = settings.overrides()
    return partial(BundleEstimates, str(path.resolve()), split, threads, settings), subject


class BundleEstimates:
    """Estimates of the pipeline of a bundle, without fusion of images.

    Objects without a model in the data set are left out: they cannot be evaluated.
    """

    def __init__(self, path: str, split: EvaluationSplit, threads: int, settings: PoseSettings | None = None) -> None:
        self.evaluable = set(split.open().objects)
        self.pipeline = Pipeline(Bundle.open(path), depth=split.depth, threads=threads, fuse=False,
                                 settings=settings)

    def estimate(self, key: ImageKey, frame: Frame) -> ImageEstimates:
        """Run the pipeline."""
        result = self.pipeline(frame)
        kept = [estimate for estimate in result.estimates if estimate.obj_id in self.evaluable]
        calibration = self.pipeline.bundle.manifest.calibration
        mode = calibration.rgb if frame.depth is None else calibration.depth
        sizes = {model.obj_id: model.diameter for model in self.pipeline.bundle.objects}
        return ImageEstimates(tuple(_evaluated_estimate(estimate, sizes[estimate.obj_id], mode) for estimate in kept),
                              tuple(estimate.covariance for estimate in kept), result.stage_ms["total"] / 1000)


def _evaluated_estimate(estimate: PoseEstimate, diameter: float, mode: ModeCalibration) -> EvaluatedEstimate:
    regions = None
    calibrated = not isnan(estimate.p_correct)
    if estimate.covariance is not None and calibrated:
        scaled = [radii(estimate.p_correct, estimate.covariance, diameter, estimate.obj_id, mode, level)
                  for level in LEVELS]
        regions = [[one.translation_mm / 1000, radians(one.rotation_deg)] for one in scaled]
    posed = estimate.cam_from_obj is not None
    return EvaluatedEstimate(
        estimate.obj_id, float(estimate.rank), estimate.cam_from_obj, estimate.box_xyxy.tolist(),
        estimate.status, float(estimate.p_correct) if posed and calibrated else None, regions,
        alternatives=[other.cam_from_obj for other in estimate.alternatives], box_score=float(estimate.score))
