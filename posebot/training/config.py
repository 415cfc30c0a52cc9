"""The recipe of a training run: dataclasses, and their YAML form (`posebot train --config`)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from posebot.config import read_yaml
from posebot.core.errors import InputError
from posebot.models.manifest import TtaViews
from posebot.training.detectors import TRAINERS, known_kind

RENAMED = {"detector.keep": "weight_averaging", "localizer.keep": "weight_averaging", "localizer.jitter": "box_jitter",
           "calibration.looks": "tta_views", "calibration.standing": "upright_prior"}
"""Deprecated keys of a recipe, see `config.read_document`."""

_CONFIG = ConfigDict(extra="forbid", use_attribute_docstrings=True)
_Side = Annotated[int, Field(ge=32, le=2048)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Width = Annotated[int, Field(ge=8, le=512)]
_Stages = Annotated[int, Field(ge=0, le=6)]
_Minutes = Annotated[float, Field(ge=0.01, le=1e5)]
_Samples = Annotated[int, Field(ge=1, le=10**10)]
_Kind = Annotated[str, AfterValidator(lambda kind: _detector_kind(kind)),
                  Field(json_schema_extra=lambda schema: schema.update(enum=list(TRAINERS)))]
_Rate = Annotated[float, Field(ge=1e-6, le=0.1)]


def _detector_kind(kind: str) -> str:
    try:
        return known_kind(kind)
    except InputError as error:
        raise ValueError(f"is not a trainer; {error.expected}") from None


@dataclass(frozen=True)
class DetectorConfig:
    """The detector's network and budget."""

    __pydantic_config__ = _CONFIG

    kind: _Kind = "heatmap"
    """Trainer: "heatmap" (on the ImageNet encoder) or "yolo" (Ultralytics, from scratch), see `training.detectors`."""
    input_size: tuple[_Side, _Side] = (256, 320)
    """(height, width) of the network's input, pixels."""
    width: _Width = 64
    """Channels of the network (heatmap only)."""
    frozen_stages: _Stages = 2
    """Stages of the encoder that are not trained (heatmap only)."""
    minutes: _Minutes | None = None
    """Budget of time; training ends at the first budget that is reached."""
    pictures: _Samples | None = None
    """Budget of images."""
    batch: Annotated[int, Field(ge=1, le=1024)] = 16
    """Images a worker and step."""
    lr: _Rate = 5e-4
    """Peak learning rate (heatmap only)."""
    weight_averaging: _Share = 0.0
    """Share of the weights that training started from (`--from`) in the mean with the trained ones (heatmap only;
    Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022); 1 keeps the old weights."""


@dataclass(frozen=True)
class LocalizerConfig:
    """The localizer's network, samples and budget; see `LocalizerNet` and `localizer.SampleConfig`."""

    __pydantic_config__ = _CONFIG

    bins: Annotated[int, Field(ge=4, le=64)] = 16
    """Bins of each object coordinate."""
    width: _Width = 64
    """Channels of the network."""
    crop_size: Annotated[int, Field(ge=32, le=512)] = 128
    """Side of a crop, pixels."""
    pad: Annotated[float, Field(ge=1.0, le=1.6)] = 1.25
    """Side of a crop / longer side of the box."""
    frozen_stages: _Stages = 2
    """Stages of the encoder that are not trained."""
    minutes: _Minutes | None = None
    """Budget of time; training ends at the first budget that is reached."""
    crops: _Samples | None = None
    """Budget of crops."""
    batch: Annotated[int, Field(ge=1, le=4096)] = 32
    """Crops a worker and step."""
    lr: _Rate = 5e-4
    """Peak learning rate."""
    weight_averaging: _Share = 0.0
    """As for the detector."""
    box_jitter: Annotated[float, Field(ge=0.0, le=0.4)] = 0.35
    """How far off the boxes are, as a share of their side."""
    turn: Annotated[float, Field(ge=0.0, le=3.1416)] = 3.14159
    """Largest rotation of a crop in the image plane, radians."""
    replace_background: _Share = 0.35
    """Share of the crops whose background is replaced."""
    cover: _Share = 0.45
    """Share of the crops that get an occluder."""
    relit: _Share = 0.6
    """Share of the crops that are relit."""


@dataclass(frozen=True)
class CalibrationConfig:
    """Calibration on held-out frames, and how the bundle is used."""

    __pydantic_config__ = _CONFIG

    frames: Annotated[int, Field(ge=1, le=10**6)] = 200
    """Held-out frames to run."""
    precision: _Share = 0.5
    """Precision that the detector's threshold aims at."""
    tta_views: TtaViews = 1
    """Test-time augmentation of the detector (`DetectorSpec`); 2 or 3 raise the recall on photographs, not on
    rendered images."""
    upright_prior: _Share = 0.0
    """Share of the objects that stand upright where the bundle is used (`Manifest`), and in the held-out frames."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what `posebot train` makes of a data set."""

    __pydantic_config__ = _CONFIG

    split: str = "train"
    """BOP split to learn from."""
    val_split: str = "val"
    """Split for calibration; where it is missing, every 20th scene of `split` is held out."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    """The same seed gives the same samples."""
    source: Literal["cache", "stream"] = "cache"
    """"cache" cuts crops once, "stream" cuts them through Ray Data while training runs."""
    workers: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Processes that train together. null: one for each core, up to 4, which share the batches; one beside a GPU, and
    for less than five minutes."""
    threads: Annotated[int, Field(ge=0, le=256)] = 0
    """Threads of each worker; 0: cores / workers, and half of the cores for one worker."""
    loaders: Annotated[int, Field(ge=0, le=256)] | None = None
    """Processes that make batches; null: none beside a CPU, one for each core beside a GPU."""
    faces: Annotated[int, Field(ge=50, le=200_000)] = 4000
    """Triangles of each mesh in the bundle."""
    version: str = "0.1.0"
    """Version of the bundle."""
    licence: str = "unspecified"
    """Licence of the bundle."""
    tracking: bool = True
    """Log the run to MLflow."""
    checkpoint_s: Annotated[float, Field(ge=1.0, le=1e5)] = 60.0
    """Seconds between checkpoints."""
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    """The detector."""
    localizer: LocalizerConfig = field(default_factory=LocalizerConfig)
    """The localizer."""
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)
    """Calibration."""


TINY = TrainConfig(
    faces=1500, checkpoint_s=5.0,
    detector=DetectorConfig(input_size=(192, 256), width=32, minutes=0.2, batch=8, lr=1e-3),
    localizer=LocalizerConfig(bins=8, width=32, crop_size=64, minutes=0.3, batch=32, lr=1e-3),
    calibration=CalibrationConfig(frames=8),
)
"""A run of about a minute, to see that all parts fit: networks of a quarter of the size, no accuracy to speak of."""

DETECTOR_SHARE = 0.3
"""Share of a total time budget that goes to the detector, which learns sooner."""


def with_budget(config: TrainConfig, minutes: float | None = None, crops: int | None = None,
                pictures: int | None = None) -> TrainConfig:
    """The config with a budget from the command line, where one is given, and with a default where there is none."""
    detector, localizer = config.detector, config.localizer
    if minutes is not None:
        detector = replace(detector, minutes=minutes * DETECTOR_SHARE, pictures=None)
        localizer = replace(localizer, minutes=minutes * (1 - DETECTOR_SHARE), crops=None)
    if pictures is not None:
        detector = replace(detector, pictures=pictures, minutes=None)
    if crops is not None:
        localizer = replace(localizer, crops=crops, minutes=None)
    if detector.minutes is None and detector.pictures is None:
        detector = replace(detector, pictures=60_000)
    if localizer.minutes is None and localizer.crops is None:
        localizer = replace(localizer, crops=1_000_000)
    return replace(config, detector=detector, localizer=localizer)


def load_config(path: Path, base: TrainConfig | None = None) -> TrainConfig:
    """Read a YAML file over `base` (default: the defaults); what the file does not name stays.

    Raises:
        InputError: no such file, not valid YAML, an unknown key or a value that does not fit, with file, line and key.
    """
    return read_yaml(path, TrainConfig, over=base, renamed=RENAMED)
