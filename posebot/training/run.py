"""`posebot train` from end to end: samples -> detector -> localizer -> export -> calibration -> bundle.

Every stage writes its result into the run's folder (`runs/train/NAME`) and is skipped when it is there; training
continues from its last checkpoint. The same command again continues a run that was interrupted, at any point.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import posebot
from posebot.core.errors import DatasetError, InputError
from posebot.core.objects import ObjectModel
from posebot.datasets import ray_data, sample_source
from posebot.datasets.bop import BopDataset, ImageKey
from posebot.datasets.sample_cache import SampleCache
from posebot.datasets.sample_source import Kind, SampleSource
from posebot.models.bundle import MODELS, Bundle
from posebot.models.calibration import Calibration, plain
from posebot.models.manifest import MANIFEST, Manifest, read_manifest
from posebot.models.reference import PACKAGED, resolve
from posebot.models.verdict import sentences
from posebot.training import assemble, calibrate, jobs, judge, networks, processes, progress
from posebot.training.calibrate import Boxes
from posebot.training.config import TrainConfig
from posebot.training.job import Job, Name
from posebot.training.progress import Narrator, Say, followed
from posebot.training.state import RunState, locked, token
from posebot.training.timeline import CALIBRATE_S, EXPORT_S, IMAGE_S, OPEN_S, Stage, Timeline, network_stage, planned
from posebot.training.tracking import Tracker

NETWORKS: tuple[Name, ...] = ("detector", "localizer")
_BOXES = 0.1  # of the calibration's time goes to the detector's threshold
HOLD_OUT = 20
"""Without a validation split, one scene in so many is held out."""


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Attributes:
        dataset: BOP data set. out: the bundle's folder; its name is the bundle's and the run's. config: see there.
        start: bundle whose weights training starts from. start_note: said after its name. ray: run through Ray Train
            and Ray Data. address: of a Ray cluster. runs: folder for run folders and the MLflow store. focus: labels
            of objects that are learned anew.
    """

    dataset: Path
    out: Path
    config: TrainConfig
    start: str | Path | None = None
    start_note: str = ""
    ray: bool = False
    address: str | None = None
    runs: Path = Path("runs")
    focus: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return self.runs / "train" / self.out.name


def train(request: Request, narrator: Narrator) -> dict[str, Any]:
    """Train and write the bundle; returns what was measured (also in its provenance) and the verdict.

    `usable`: whether the bundle is worth using, by the held-out frames. `verdict`: a sentence an object. `problems`:
    why it is not usable. `advice`: what to change.

    Raises:
        InputError: data set, bundle or run folder do not fit the request.
    """
    if not request.ray and request.config.source == "stream":
        raise InputError("--no-ray", "source: stream needs Ray", "leave --no-ray out")
    if not request.ray:
        request = replace(request, config=processes.with_workers(request.config))
    with locked(request.folder):
        return _Run(request, narrator).all()


class _Run:
    """One call of `train`: what its stages share."""

    def __init__(self, request: Request, narrator: Narrator) -> None:
        self.request, self.config, self.narrator = request, request.config, narrator
        self.say: Say = narrator
        self.folder = request.folder.resolve()  # workers of Ray have another working directory
        data = BopDataset(request.dataset.resolve(), self.config.split)
        self.data = data
        self.objects: list[ObjectModel] = list(data.objects.values())
        labels = tuple((model.obj_id, index) for index, model in enumerate(self.objects))
        learned, self.held, self.held_scenes = split_scenes(data, self.config, self.say)
        self.source = SampleSource(str(data.root), self.config.split, str(data.models_dir), labels, tuple(learned),
                             self.config.detector.input_size)
        size = "x".join(str(side) for side in self.config.detector.input_size)
        self.caches: dict[Kind, Path] = {"crops": self.folder / "crops", "frames": self.folder / f"images-{size}"}
        self.state = RunState(self.folder, self._identity())
        self.tracker = Tracker(self.folder, request.runs, self.config.tracking)
        self.open, self.connected = ExitStack(), False

    def all(self) -> dict[str, Any]:
        """All stages, in their order."""
        config = self.config
        self._announce()
        self.tracker.params(asdict(config) | {"dataset": self.request.dataset.name, "run": self.folder.name})
        succeeded = False
        try:
            if config.source == "cache":
                self._cut()
            tokens: dict[str, str] = {name: token(asdict(getattr(config, name))) for name in NETWORKS}
            learned = {str(name): self._stage(name, tokens[name], partial(self._learn, name)) for name in NETWORKS}
            self.open.close()
            tokens["export"] = token(tokens, config.faces)
            exported = self._stage("export", tokens["export"], self._export)
            tokens["calibrate"] = token(tokens, asdict(config.calibration))
            calibrated = self._stage("calibrate", tokens["calibrate"], partial(self._calibrate, tokens["calibrate"]))
            result = self._write(learned, exported, calibrated)
            succeeded = True
            return result
        finally:
            self.open.close()
            self.tracker.close(succeeded)

    def _stage(self, name: str, own: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        self.narrator.begin(name)
        result = self.state.stage(name, own, work, self.say)
        self.narrator.end(name)
        return result

    def _announce(self) -> None:
        """Say what training begins with, and plan the time."""
        start = self.request.start
        manifest = None if start is None else Bundle.open(start).manifest
        name = "ImageNet" if manifest is None else f"{manifest.name} {manifest.version}"
        self.say(f"{'weights':<10} begun from {name}{self.request.start_note}")
        stages = self._stages()
        workers = self.config.workers or 1
        if workers > 1:
            self.say(f"{'workers':<10} {workers} processes{' on Ray' if self.request.ray else ''}")
        self.say(f"{'time':<10} {planned(stages)}")
        self.narrator.timeline = Timeline(stages)

    def _stages(self) -> dict[str, Stage]:
        """What each stage is expected to take."""
        detector, localizer, calibration = self.config.detector, self.config.localizer, self.config.calibration
        cached = self.config.source == "cache"
        missing = set(sample_source.missing_scenes(self.source, self.caches)) if cached else set()
        images = sum(key.scene_id in missing for key in self.data.keys()) if missing else 0  # noqa: SIM118
        held = min(calibration.frames, sum(key.scene_id in self.held_scenes for key in self.held.keys()))  # noqa: SIM118
        height, width = detector.input_size
        return {"samples": Stage(IMAGE_S * images),
                "detector": network_stage(detector.minutes, detector.pictures, height * width),
                "localizer": network_stage(localizer.minutes, localizer.crops, localizer.crop_size**2),
                "export": Stage(EXPORT_S), "calibrate": Stage(OPEN_S + CALIBRATE_S * held)}

    def _identity(self) -> dict[str, Any]:
        detector, localizer = self.config.detector, self.config.localizer
        return {"dataset": str(self.request.dataset.resolve()), "split": self.config.split,
                "objects": [[model.obj_id, model.label] for model in self.objects], "seed": self.config.seed,
                "from": str(self.request.start).removesuffix(f"@{PACKAGED}"), "detector.kind": detector.kind,
                "detector.input_size": detector.input_size, "detector.width": detector.width,
                "localizer.width": localizer.width, "localizer.bins": localizer.bins,
                "localizer.crop_size": localizer.crop_size, "localizer.pad": localizer.pad}

    def _connect(self) -> None:
        """Be on a Ray cluster until training is over. Not before it is needed: it takes seconds."""
        from posebot.training import ray_train

        if not self.connected:
            self.narrator.doing("ray", "starting")
            self.open.enter_context(ray_train.cluster(self.request.address, self.config.workers or 1))
            self.connected = True

    def _cut(self) -> None:
        """Cut what is not cut yet; scenes that were added since are taken up."""
        missing = sample_source.missing_scenes(self.source, self.caches)
        self.narrator.begin("samples", "cutting")
        if missing:
            self.say(f"{'samples':<10} cutting {len(missing)} scenes of {len(self.source.scenes)}")
        if missing and self.request.ray:
            self._connect()
        fill = ray_data.fill_caches if self.request.ray else sample_source.fill_caches_locally
        for count, _ in enumerate(fill(self.source, self.caches) if missing else (), 1):
            self.narrator.at("samples", count / len(missing), f"{count} of {len(missing)} scenes", every_s=5.0)
        self.narrator.end("samples")
        sizes = {kind: len(SampleCache(root)) for kind, root in self.caches.items()}
        self.say(f"{'samples':<10} {sizes['crops']} crops in {sizes['frames']} images")
        if not sizes["crops"]:
            raise DatasetError(self.request.dataset, "no object can be seen well enough to learn from",
                               "frames with depth, masks and objects of 150 pixels and more")

    def _job(self, name: Name) -> Job:
        cache = self.caches["frames" if name == "detector" else "crops"]
        start = None if self.request.start is None else resolve(self.request.start).resolve()
        focus = tuple(index for index, model in enumerate(self.objects) if model.label in self.request.focus)
        return Job(name, self.config, self.source, cache, self.folder / name, start, focus)

    def _learn(self, name: Name) -> dict[str, Any]:
        job = self._job(name)
        self._show(job)
        self.narrator.doing(name, "starting: the first steps take longer")
        with followed(name, job.out / "metrics.jsonl", self.narrator, self.tracker,
                      _ended(self.request.start) if name == "localizer" else ""):
            if self.request.ray:
                import ray

                from posebot.training import ray_train

                self._connect()
                ray_train.train(job, use_gpu=ray.cluster_resources().get("GPU", 0) >= 1)
            else:
                processes.train(job, self.config.workers or 1)
        reports = progress.read(job.out / "metrics.jsonl")[0]
        errors = [report.metrics["error"] for report in reports if "error" in report.metrics]
        return jobs.spent(job) | ({"error": round(errors[-1], 4)} if errors else {})

    def _show(self, job: Job) -> None:
        """Log a mosaic of augmented samples."""
        if self.config.source == "cache":
            self.tracker.picture(f"{job.network}_samples", networks.mosaic(job))

    def _export(self) -> dict[str, Any]:
        self.say(f"{'export':<10} ONNX, meshes, landmarks")
        self.narrator.doing("export", "comparing the networks with torch")
        parts = self.folder / "parts"
        sizes = assemble.export_networks(parts, self._job("detector"), self._job("localizer"))
        self.say(f"{'export':<10} {assemble.write_models(parts / MODELS, self.objects, self.config.faces)}")
        return sizes

    def _calibrate(self, own: str) -> dict[str, Any]:
        parts, config = self.folder / "parts", self.config
        keys = calibrate.held_out(self.held, self.held_scenes, config.calibration.frames, config.seed)

        def draft(threshold: float) -> Bundle:
            folder = self.folder / "draft"
            assemble.write(folder, parts, self.objects, config, threshold, Calibration(), {}, self.request.out.name)
            return Bundle.open(folder)

        def tick(what: str, low: float, high: float, done: int) -> None:
            self.narrator.at("calibrate", low + (high - low) * done / len(keys),
                             f"{what} {done} of {len(keys)} held-out images", every_s=5.0)

        seen = calibrate.boxes(draft(calibrate.LOWEST), calibrate.LOWEST, self.held, keys,
                               partial(tick, "boxes", 0.0, _BOXES))
        threshold, found = calibrate.detector_threshold(seen, config.calibration.precision, self._before(keys))
        log = self.folder / f"observations-{own}.jsonl"  # of this calibration alone
        observations = calibrate.observe(draft(threshold), self.held, keys, log, partial(tick, "poses", _BOXES, 1.0))
        self.narrator.doing("calibrate", "fitting")
        calibration, errors = calibrate.fitted(observations, self.objects)
        metrics = assemble.rounded(found | errors)
        verdict = judge.verdict(observations, self.held, keys, self.objects, calibration, metrics["detector_precision"])
        self.tracker.metrics(0, metrics)
        self.say(f"{'calibrate':<10} detector: {100 * metrics['detector_recall']:.0f} % of the instances found, "
                 f"{100 * metrics['detector_precision']:.0f} % of the detections right")
        return {"threshold": threshold, "calibration": calibration.to_dict(), "metrics": metrics, "frames": len(keys),
                "verdict": plain(asdict(verdict))}

    def _before(self, keys: list[ImageKey]) -> Boxes | None:
        """Detections by the parent bundle of the objects that are not trained again."""
        if self.request.start is None or not self.request.focus:
            return None
        parent = Bundle.open(self.request.start)
        seen = calibrate.boxes(parent, parent.manifest.detector.threshold, self.held, keys)
        trained = [model.obj_id for model in self.objects if model.label in self.request.focus]
        kept = ~np.isin(seen.objects, trained)
        return Boxes(seen.scores[kept], seen.right[kept], seen.found[kept], seen.objects[kept], seen.wanted)

    def _write(self, learned: dict[str, Any], exported: dict[str, Any], calibrated: dict[str, Any]) -> dict[str, Any]:
        provenance = {
            "posebot": posebot.__version__, "commit": assemble.commit(), "finished": time.strftime("%Y-%m-%d"),
            "data": {"name": self.request.dataset.resolve().name, "split": self.config.split,
                     "truth_sha256": self.data.truth_sha256(), "scenes": len(self.source.scenes),
                     "held_out_frames": calibrated["frames"]},
            "calibrated": [{"name": self.held.root.name, "split": self.held.split,
                            "truth_sha256": self.held.truth_sha256(), "frames": calibrated["frames"]}],
            "seed": self.config.seed, "settings": {name: asdict(getattr(self.config, name)) for name in NETWORKS},
            "trained": learned, "metrics": calibrated["metrics"], "export": exported,
        }
        if self.request.start is not None:
            parent = Bundle.open(self.request.start).manifest
            provenance["parent"] = {"name": parent.name, "version": parent.version}
        if self.request.focus:
            provenance["learned"] = list(self.request.focus)
        ranges = tuple(judge.training_ranges(self.data, self.source.scenes, self.objects))
        out = assemble.write(self.request.out, self.folder / "parts", self.objects, self.config,
                             calibrated["threshold"], Calibration.from_dict(calibrated["calibration"]), provenance,
                             verdict=judge.read(calibrated.get("verdict")), ranges=ranges)
        self.tracker.file(out / "bundle.yaml")
        self.say(f"{'bundle':<10} {out}  {exported['onnx_bytes'] / 1e6:.1f} MB of networks")
        return {"bundle": str(out), **provenance, **self._judged(read_manifest(out / MANIFEST), learned)}

    def _judged(self, manifest: Manifest, learned: dict[str, Any]) -> dict[str, Any]:
        """Say what the bundle is worth, and what would help; the same for the caller."""
        verdict = manifest.verdict
        if verdict is None:
            return {"usable": True, "verdict": [], "problems": [], "advice": []}
        labels = {model.obj_id: model.label for model in self.objects}
        falling = {name: found for name in NETWORKS
                   if (found := progress.falling(progress.read(self.folder / name / "metrics.jsonl")[0])) is not None}
        crops = len(SampleCache(self.caches["crops"])) if self.config.source == "cache" else 0
        epochs = learned["localizer"].get("samples", 0.0) / crops if crops else None
        pixels = {one.obj_id: one.pixels[1] for one in manifest.training_range}
        samples = {name: float(learned[name].get("samples", 0.0)) for name in NETWORKS}
        problems = verdict.failures()
        advice = judge.advice(verdict, labels, *((epochs, falling, pixels, samples) if problems else ()))
        said = sentences(manifest)
        for title, lines in (("verdict", said), ("not usable", problems), ("to change", advice)):
            for line in lines:
                self.say(f"{title:<10} {line}")
        return {"usable": not problems, "verdict": said, "problems": problems, "advice": advice}


def _ended(start: str | Path | None) -> str:
    """Where the localizer of the bundle that training begins with ended, as a scale; "" where that is not recorded."""
    if start is None:
        return ""
    manifest = Bundle.open(start).manifest
    error = ((manifest.provenance.get("trained") or {}).get("localizer") or {}).get("error")
    return f"{manifest.name} ended at {float(error):.3f}" if error is not None else ""


def split_scenes(data: BopDataset, config: TrainConfig, say: Say) -> tuple[list[int], BopDataset, list[int]]:
    """Scenes to learn from, and the data set and scenes to calibrate with."""
    if (data.root / config.val_split).is_dir() and config.val_split != config.split:
        held = BopDataset(data.root, config.val_split, data.models_dir)
        return data.scenes, held, held.scenes
    if len(data.scenes) < 2:
        say(f"only one scene and no split '{config.val_split}': calibrated on training images, so overconfident")
        return data.scenes, data, data.scenes
    count = max(1, len(data.scenes) // HOLD_OUT)
    return data.scenes[:-count], data, data.scenes[-count:]
