"""From trained networks to the files of a bundle, and from those to the bundle."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

import posebot
from posebot.core.errors import PosebotError
from posebot.core.objects import Landmarks, ObjectModel
from posebot.datasets.sample_cache import SampleCache
from posebot.models.bundle import DETECTOR, LOCALIZER, MODELS, write_bundle
from posebot.models.calibration import Calibration
from posebot.models.localizer_net import STRIDE
from posebot.models.manifest import DetectorSpec, LocalizerSpec, Manifest, ObjectRef, PoseStage
from posebot.models.training_range import TrainingRange
from posebot.models.verdict import Verdict
from posebot.objects.baking import decimate
from posebot.objects.bop_models import save_objects
from posebot.stages import POSE_STAGE_VERSION
from posebot.synth.landmark_extraction import extract_landmarks
from posebot.training.config import TrainConfig
from posebot.training.export import ExportView, compare_runtimes, export_onnx
from posebot.training.job import Job
from posebot.training.jobs import trained

_TOLERANCE = 0.05  # relative; 16-bit weights cause up to 0.01


def export_networks(folder: Path, detector: Job, localizer: Job) -> dict[str, Any]:
    """Write both networks as ONNX into `folder`, and compare the runtimes on cached samples.

    Returns:
        Bytes of both ONNX files, and the largest difference from torch in each runtime.
    Raises:
        PosebotError: an exported network differs from the trained one.
    """
    worst: dict[str, float] = {}
    for job, name in ((detector, DETECTOR), (localizer, LOCALIZER)):
        view = trained(job)
        export_onnx(view, folder / name)
        for runtime, differences in compare_runtimes(view, folder / name, _inputs(job, view)).items():
            # boxes of nearly equal scores may change places: the scores show whether the detector is the same
            shared = [differences["scores"]] if job.network == "detector" else list(differences.values())
            worst[runtime] = max(worst.get(runtime, 0.0), *shared)
            if max(shared) > _TOLERANCE:
                raise PosebotError(f"{name} in {runtime} differs from torch by {100 * max(shared):.1f} %")
    sizes = sum((folder / name).stat().st_size for name in (DETECTOR, LOCALIZER))
    return {"onnx_bytes": sizes, "differences": {name: round(value, 6) for name, value in worst.items()}}


def _inputs(job: Job, view: ExportView, count: int = 8) -> tuple[torch.Tensor, ...]:
    """Cached samples as the exported network takes them; blank images where nothing is cached."""
    example, samples = view.example(count), SampleCache(job.cache)
    images = example[0].numpy()
    for row in range(min(count, len(samples))):
        image = samples.sample(row)["image" if job.network == "detector" else "rgb"]
        height, width = images.shape[1:3]
        images[row] = image[(image.shape[0] - height) // 2:, (image.shape[1] - width) // 2:][:height, :width]
    return (torch.from_numpy(images), *example[1:])


def write_models(folder: Path, objects: Sequence[ObjectModel], faces: int) -> str:
    """The objects with meshes of at most `faces` triangles, coloured at the vertices; sizes stay those of the data.

    Textured ones get texture landmarks, others keep theirs (objects of another bundle, whose meshes are baked). Returns
    a line about it.
    """
    textured = sum(model.mesh.texture is not None for model in objects)
    landmarks, problem = _landmarks(objects) if textured else ({}, "")
    save_objects(folder, {model.obj_id: replace(model, mesh=decimate(model.mesh, faces),
                                                landmarks=landmarks.get(model.obj_id, model.landmarks))
                          for model in objects})
    return problem or f"{textured} of {len(objects)} objects have a texture, {len(landmarks)} texture landmarks"


def _landmarks(objects: Sequence[ObjectModel]) -> tuple[dict[int, Landmarks], str]:
    """Landmarks by object number, found in a process of its own: OpenGL's LLVM and torch's do not share one."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_find_all, list(objects)).result()


def _find_all(objects: list[ObjectModel]) -> tuple[dict[int, Landmarks], str]:
    try:
        return extract_landmarks(objects), ""
    except PosebotError as error:
        return {}, f"no landmarks: {error}"


def write(out: Path, parts: Path, objects: Sequence[ObjectModel], config: TrainConfig, threshold: float,
          calibration: Calibration, provenance: Mapping[str, Any], name: str = "", verdict: Verdict | None = None,
          ranges: tuple[TrainingRange, ...] = ()) -> Path:
    """The bundle of the files that `export_networks` and `write_models` (into `parts/models`) left in `parts`."""
    manifest = Manifest(
        name=name or out.name, version=config.version, licence=config.licence,
        objects=tuple(ObjectRef(model.obj_id, model.label) for model in objects),
        detector=DetectorSpec(config.detector.input_size, threshold, config.detector.kind,
                              config.calibration.tta_views),
        localizer=LocalizerSpec(config.localizer.crop_size, config.localizer.pad, STRIDE, config.localizer.box_jitter),
        calibration=calibration, upright_prior=config.calibration.upright_prior,
        pose_stage=PoseStage(POSE_STAGE_VERSION), verdict=verdict, training_range=ranges, provenance=dict(provenance))
    return write_bundle(out, manifest, (parts / DETECTOR).read_bytes(), (parts / LOCALIZER).read_bytes(),
                        parts / MODELS)


def commit() -> str:
    """The git commit of this posebot, with "+" where files were changed; its version outside a checkout."""
    home = Path(posebot.__file__).parent
    try:
        described = subprocess.run(["git", "describe", "--always", "--dirty=+", "--exclude=*"], cwd=home, text=True,
                               capture_output=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return f"posebot {posebot.__version__}"
    return described.stdout.strip()


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    """Numbers with four significant digits, fit for bundle.yaml."""
    return {name: float(np.format_float_positional(value, 4, fractional=False)) for name, value in values.items()}
