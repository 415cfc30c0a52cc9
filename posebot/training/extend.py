"""`posebot train --from BUNDLE --add OBJECTS` (or `--only LABEL`): one more object, without training from scratch.

New images show the new objects among the old ones. Half of the localizer's crops are of the new ones, half replay the
old ones, so that these are not forgotten; the encoder's lower stages stay as they are, the rest learns gently. Then
everything is calibrated again. `--only` does the same for an object that the bundle has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from posebot.core.errors import BundleError, InputError
from posebot.core.objects import ObjectModel
from posebot.models.bundle import Bundle
from posebot.models.manifest import Manifest
from posebot.models.reference import resolve
from posebot.objects.bop_models import load_objects, save_objects
from posebot.training.config import RENAMED, DetectorConfig, LocalizerConfig, TrainConfig
from posebot.training.progress import Narrator, Say
from posebot.training.run import Request
from posebot.training.timeline import IMAGE_S, Stage, Timeline

SHARE = 0.25
"""Share of the samples that the bundle was trained on: the budget where none is given."""
FROZEN, LR = 3, 3e-4
HELD_OUT = 150
_SAMPLED = ("bins", "width", "box_jitter", "turn", "replace_background", "cover")
_Settings = TypeVar("_Settings", DetectorConfig, LocalizerConfig)
_SAMPLES = {"detector": 12_000, "localizer": 120_000}  # of a bundle that does not record its own


@dataclass(frozen=True)
class Extension:
    """What the command line asks for.

    Attributes:
        start: bundle to start from. out: folder of the new one. add: BOP models folder of the new objects, or None.
        only: label of an object of the bundle that is trained again, or "". frames: images to render. backgrounds,
        distractors: as in `SynthConfig`. models: full meshes of the bundle's objects, which has decimated ones itself.
    """

    start: str | Path
    out: Path
    add: Path | None = None
    only: str = ""
    frames: int = 1500
    backgrounds: Path | None = None
    distractors: tuple[Path, ...] = ()
    models: Path | None = None
    runs: Path = Path("runs")
    workers: int = 2

    @property
    def folder(self) -> Path:
        return self.runs / "train" / self.out.name


def request(extension: Extension, config: TrainConfig, given: Callable[[str], bool], say: Say = print) -> Request:
    """Render what is missing, and make the request to train on it.

    Args:
        config: settings; `given(name)`: whether "detector", "localizer" has a budget or settings of its own.
    Raises:
        InputError: an object is known already, is not known, or cannot be read.
    """
    bundle = Bundle.open(extension.start)
    old = _with_full_meshes(bundle, extension.models)
    objects, focus = joined(old, extension, say)
    models = extension.folder / "models"
    if not (models / "models_info.json").is_file():
        save_objects(models, objects)
    _render(extension, models, tuple(focus), say)
    labels = tuple(objects[number].label for number in focus)
    settings = extension_settings(config, bundle.manifest, given)
    return Request(extension.folder / "data", extension.out, settings, resolve(extension.start), runs=extension.runs,
                   focus=labels)


def _with_full_meshes(bundle: Bundle, models: Path | None) -> dict[int, ObjectModel]:
    own = {model.obj_id: model for model in bundle.objects}
    if models is None:
        return own
    full = {model.label: model for model in load_objects(models).values()}
    missing = [model.label for model in own.values() if model.label not in full]
    if missing:
        raise BundleError(models, f"has no {missing[0]}", "the objects of the bundle, under the same names")
    return {number: replace(full[model.label], obj_id=number) for number, model in own.items()}


def joined(old: Mapping[int, ObjectModel], extension: Extension, say: Say) -> tuple[dict[int, ObjectModel], list[int]]:
    """Old and new objects by number, and the numbers of those to learn. A number that is taken is changed.

    Raises:
        InputError: a name is known already; `only` is not; there is nothing to learn.
    """
    objects, focus = dict(old), []
    labels = {model.label: number for number, model in old.items()}
    if extension.only:
        if extension.only not in labels:
            raise InputError("--only", f"{extension.only!r} is not in {extension.start}", f"one of {', '.join(labels)}")
        focus.append(labels[extension.only])
    for number, model in (load_objects(extension.add) if extension.add else {}).items():
        if model.label in labels:
            raise BundleError(extension.add, f"{model.label!r} is in the bundle already",
                              f"another name, or --only {model.label} to train it again")
        free = number if number not in objects else max(objects) + 1
        if free != number:
            say(f"{'objects':<10} {model.label} becomes number {free}: {number} is {objects[number].label}")
        objects[free] = replace(model, obj_id=free)
        focus.append(free)
    if not focus:
        raise InputError("--add", "names no object", "a BOP models folder, or --only LABEL")
    return dict(sorted(objects.items())), focus


def _render(extension: Extension, models: Path, focus: tuple[int, ...], say: Say) -> None:
    from posebot.synth import SynthConfig, generate

    common = SynthConfig(models, extension.frames, extension.folder / "data", seed=1, required_objects=focus,
                         jitter=0.2, backgrounds=extension.backgrounds, distractors=extension.distractors,
                         workers=extension.workers)
    held = common.replace(split="val", frames=HELD_OUT, per_scene=25, seed=1001, depth_noise=True, required_objects=())
    for config in (common, held):
        with Narrator(say, Timeline({"images": Stage(IMAGE_S * config.frames)})) as narrator:
            narrator.begin("images", "rendering")
            generate(config, lambda done, total, said=narrator: said.at(  # type: ignore[misc]
                "images", done / total, f"{done} of {total}", every_s=5.0))


def extension_settings(config: TrainConfig, parent: Manifest, given: Callable[[str], bool]) -> TrainConfig:
    """The settings with the parent's sizes, and a quarter of its training at a low learning rate by default."""
    known: dict[str, Any] = parent.provenance.get("trained") or {}
    recorded = {section: _current_names(section, settings)
            for section, settings in (parent.provenance.get("settings") or {}).items()}

    def budget(name: str) -> int:
        return round(SHARE * float((known.get(name) or {}).get("samples") or _SAMPLES[name]))

    detector = replace(inherited(config.detector, recorded.get("detector") or {}, ("width",)),
                       input_size=parent.detector.input_size)
    localizer = replace(inherited(config.localizer, recorded.get("localizer") or {}, _SAMPLED),
                        crop_size=parent.localizer.crop_size, pad=parent.localizer.pad)
    if not given("detector"):
        detector = replace(detector, pictures=budget("detector"), minutes=None, frozen_stages=FROZEN, lr=LR, batch=8)
    if not given("localizer"):
        localizer = replace(localizer, crops=budget("localizer"), minutes=None, frozen_stages=FROZEN, lr=LR)
    licence = parent.licence if config.licence == TrainConfig().licence else config.licence
    version = next_version(parent.version) if config.version == TrainConfig().version else config.version
    calibration = replace(config.calibration, tta_views=3) if parent.detector.tta_views == 3 else config.calibration
    calibration = replace(calibration, upright_prior=calibration.upright_prior or parent.upright_prior)
    return replace(config, detector=detector, localizer=localizer, calibration=calibration, licence=licence,
                   version=version)


def _current_names(section: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that an older posebot recorded, under today's keys."""
    return {RENAMED.get(f"{section}.{key}", key): value for key, value in settings.items()}


def inherited(settings: _Settings, recorded: Mapping[str, Any], names: tuple[str, ...]) -> _Settings:
    """The settings with the parent's values of `names`, where the setting has its default."""
    default = type(settings)()
    return replace(settings, **{name: recorded[name] for name in names
                                if name in recorded and getattr(settings, name) == getattr(default, name)})


def next_version(version: str) -> str:
    """0.2.0 -> 0.3.0; anything else gets `.1` appended."""
    parts = version.split(".")
    if len(parts) >= 2 and parts[1].isdigit():
        return ".".join([parts[0], str(int(parts[1]) + 1), *("0" for _ in parts[2:])])
    return f"{version}.1"
