"""`posebot models recalibrate`: calibrate a bundle again, its networks as they are.

After a change of the pose stage, or on images from where the bundle is used. The bundle runs on images with known poses
(every other one made darker, softer and noisier, as `posebot train` does), and `p_correct`, `region90` and the
covariance are fitted to its errors. The detector's threshold stays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from posebot.core.errors import BundleError, DatasetError, InputError
from posebot.datasets.bop import BopDataset
from posebot.models.bundle import MODELS, SUMS, Bundle, file_sha256, write_bundle
from posebot.models.manifest import Manifest, PoseStage
from posebot.models.reference import resolve
from posebot.stages import POSE_STAGE_VERSION
from posebot.training import calibrate, judge
from posebot.training.assemble import rounded
from posebot.training.progress import Narrator, Say
from posebot.training.state import token
from posebot.training.timeline import CALIBRATE_S, OPEN_S, Stage, Timeline


@dataclass(frozen=True)
class Recalibration:
    """What to calibrate, and on what.

    Attributes:
        bundle: reference of a folder. dataset, split: BOP images with known poses. modes: kinds of input. frames: how
            many images. upright_prior: new share of upright objects (`Manifest`), None: as it is. version: of the new
            bundle, "": the next patch level. out: folder of the new bundle, None: in the place of the old one.
        log: file of observations, one image a line, from which an interrupted run continues; None: one of its own for
            this bundle and these images in `runs`.
    """

    bundle: str | Path
    dataset: Path
    split: str = "val"
    modes: tuple[Literal["rgb", "depth"], ...] = ("rgb", "depth")
    frames: int = 150
    seed: int = 0
    upright_prior: float | None = None
    version: str = ""
    out: Path | None = None
    log: Path | None = None
    runs: Path = Path("runs")


def recalibrate(request: Recalibration, say: Say = print) -> Manifest:
    """Write the bundle with its new calibration; returns its manifest, whose metrics say what was observed.

    Raises:
        InputError: the bundle is not a folder, a value is out of range, or there are too few estimates.
    """
    folder = resolve(request.bundle)
    if not folder.is_dir():
        raise BundleError(folder, "cannot be rewritten", "a bundle's folder; unpack the zip")
    bundle, data = Bundle.open(folder), BopDataset(request.dataset, request.split)
    if request.upright_prior is not None:
        if not 0 <= request.upright_prior <= 1:
            raise InputError("--upright-prior", f"is {request.upright_prior:g}", "0 to 1")
        bundle = replace(bundle, manifest=replace(bundle.manifest, upright_prior=request.upright_prior))
    keys = calibrate.held_out(data, data.scenes, request.frames, request.seed)
    log = request.log or _own_log(request, folder)

    def tick(done: int) -> None:
        narrator.at("calibrate", done / len(keys), f"{done} of {len(keys)} images", every_s=5.0)

    with Narrator(say, Timeline({"calibrate": Stage(OPEN_S + CALIBRATE_S * len(keys))})) as narrator:
        narrator.begin("calibrate")
        observations = calibrate.observe(bundle, data, keys, log, tick, request.modes)
        narrator.doing("calibrate", "fitting")
        fitted, metrics = calibrate.fitted(observations, bundle.objects)
    found = rounded(metrics)
    for mode in request.modes:
        if f"{mode}_estimates" not in found:
            raise DatasetError(request.dataset, f"gives too few estimates to calibrate {mode}", "more images")
    new = replace(bundle.manifest.calibration, **{mode: getattr(fitted, mode) for mode in request.modes})
    images = {"name": data.root.resolve().name, "split": data.split, "truth_sha256": data.truth_sha256(),
              "frames": len(keys)}
    verdict = judge.merged(judge.verdict(observations, data, keys, bundle.objects, fitted), bundle.manifest.verdict,
                           request.modes)
    manifest = _updated(replace(bundle.manifest, calibration=new, verdict=verdict), request, found, images)
    write_bundle(request.out or folder, manifest, bundle.detector, bundle.localizer, folder / MODELS)
    return manifest


def next_patch(version: str) -> str:
    """0.4.1 -> 0.4.2; what does not end in a number gets `.1`."""
    head, dot, last = version.rpartition(".")
    return f"{head}.{int(last) + 1}" if dot and last.isdigit() else f"{version}.1"


def _updated(manifest: Manifest, request: Recalibration, found: Mapping[str, float],
             images: Mapping[str, Any]) -> Manifest:
    """Metrics, images, version, and the pose stage, if no older calibration is left."""
    others = {"rgb", "depth"} - set(request.modes)
    older = any(getattr(manifest.calibration, mode).samples for mode in others)
    stage = manifest.pose_stage if older else PoseStage(POSE_STAGE_VERSION, manifest.pose_stage.settings)
    metrics = {**(manifest.provenance.get("metrics") or {}), **found}
    before = manifest.provenance.get("calibrated") if older else None
    calibrated = [*(before if isinstance(before, list) else ()), dict(images)]
    return replace(manifest, version=request.version or next_patch(manifest.version), pose_stage=stage,
                   provenance={**manifest.provenance, "metrics": metrics, "calibrated": calibrated})


def _own_log(request: Recalibration, folder: Path) -> Path:
    digest = token(file_sha256(folder / SUMS), str(request.dataset.resolve()), request.split, request.seed,
                   request.upright_prior, json.dumps(request.modes))
    path = request.runs / "recalibrate" / f"{folder.name}-{digest}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
