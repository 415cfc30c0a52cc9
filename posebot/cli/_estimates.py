"""Where `posebot evaluate` takes estimates from: a csv, or a bundle's pipeline run on the pictures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import radians
from pathlib import Path
from typing import Any

from posebot.core.errors import InputError, ResultFileError
from posebot.core.frame import Frame
from posebot.core.results import PoseEstimate
from posebot.datasets.bop import ImageKey
from posebot.evaluation.records import Judged
from posebot.evaluation.worker import CsvSource, Estimates, Source, Split
from posebot.models.bundle import Bundle, file_sha256, resolve
from posebot.models.calibration import LEVELS, ModeCalibration
from posebot.stages.certainty import radii


def recipe(split: Split, bundle: str | None, estimates: Path | None,
           threads: int) -> tuple[Callable[[], Source], dict[str, Any]]:
    """How a process makes the source of estimates, and what identifies it.

    Raises:
        InputError: both or neither are given, or what is given cannot be used.
    """
    if (bundle is None) == (estimates is None):
        raise InputError("evaluate", "needs one thing to judge", "either --bundle BUNDLE or --estimates FILE.csv")
    if estimates is not None:
        CsvSource(estimates, split)  # its errors belong before any work
        path = estimates.resolve()
        return partial(CsvSource, path, split), {"estimates": path.name, "sha256": file_sha256(path)}
    path, opened = resolve(str(bundle)), Bundle.open(str(bundle))
    known, asked = {model.obj_id for model in opened.objects}, set(split.open().objects)
    if not known & asked:
        raise ResultFileError(path, f"knows objects {sorted(known)}", f"one of the data set's: {sorted(asked)}")
    sums = file_sha256(path / "SHA256SUMS" if path.is_dir() else path)
    return (partial(BundleSource, str(path.resolve()), split, threads),
            {"bundle": f"{opened.manifest.name} {opened.manifest.version}", "sha256": sums, "depth": split.depth})


class BundleSource:
    """Estimates of a bundle's pipeline, each picture by itself.

    Objects that the data set has no model of are left out: nobody could judge them.
    """

    def __init__(self, path: str, split: Split, threads: int) -> None:
        from posebot.stages.pipeline import Pipeline

        self.judgeable = set(split.open().objects)
        self.pipeline = Pipeline(Bundle.open(path), depth=split.depth, threads=threads, fuse=False)

    def estimate(self, key: ImageKey, frame: Frame) -> Estimates:
        """Run the pipeline."""
        result = self.pipeline(frame)
        kept = [estimate for estimate in result.estimates if estimate.obj_id in self.judgeable]
        calibration = self.pipeline.bundle.manifest.calibration
        mode = calibration.rgb if frame.depth is None else calibration.depth
        sizes = {model.obj_id: model.diameter for model in self.pipeline.bundle.objects}
        return Estimates(tuple(_judged(estimate, sizes[estimate.obj_id], mode) for estimate in kept),
                         tuple(estimate.covariance for estimate in kept), result.stage_ms["total"] / 1000)


def _judged(estimate: PoseEstimate, diameter: float, mode: ModeCalibration) -> Judged:
    regions = None
    if estimate.covariance is not None:
        scaled = [radii(estimate.p_correct, estimate.covariance, diameter, estimate.obj_id, mode, level)
                  for level in LEVELS]
        regions = [[one.translation_mm / 1000, radians(one.rotation_deg)] for one in scaled]
    posed = estimate.cam_from_obj is not None
    return Judged(
        estimate.obj_id, float(estimate.rank), estimate.cam_from_obj, estimate.box_xyxy.tolist(),
        estimate.status, float(estimate.p_correct) if posed else None, regions,
        alternatives=[other.cam_from_obj for other in estimate.alternatives], box_score=float(estimate.score))
