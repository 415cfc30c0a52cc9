"""What a training run is told: plain dataclasses, and their YAML form, checked key by key with line numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

from posebot.core.errors import ConfigError

_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _between(default: Any, low: float, high: float) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True)
class DetectorConfig:
    """The detector's network and budget.

    Attributes:
        kind: "head" (on the ImageNet encoder) or "yolo" (Ultralytics, from scratch). input_size: (height, width) in
        pixels. width, frozen_stages: of the network (head only). minutes, pictures: the budget; the first that is
        reached ends it. batch: pictures a worker and step. lr: peak learning rate (head only). keep: share of the
        weights that training began with (`--from`) in the mean that is kept (head only; Wortsman et al., "Robust
        fine-tuning of zero-shot models", CVPR 2022); 1: it stays as it was.
    """

    kind: Literal["head", "yolo"] = "head"
    input_size: tuple[int, int] = _between((256, 320), 32, 2048)
    width: int = _between(64, 8, 512)
    frozen_stages: int = _between(2, 0, 6)
    minutes: float | None = _between(None, 0.01, 1e5)
    pictures: int | None = _between(None, 1, 1e10)
    batch: int = _between(16, 1, 1024)
    lr: float = _between(5e-4, 1e-6, 0.1)
    keep: float = _between(0.0, 0.0, 1.0)


@dataclass(frozen=True)
class LocalizerConfig:
    """The localizer's network, samples and budget; see `LocalizerNet` and `localizer.SampleConfig`.

    Attributes:
        minutes, crops: the budget; the first that is reached ends it. batch: crops a worker and step. keep: as for the
        detector.
    """

    bins: int = _between(16, 4, 64)
    width: int = _between(64, 8, 512)
    crop_size: int = _between(128, 32, 512)
    pad: float = _between(1.25, 1.0, 1.6)
    frozen_stages: int = _between(2, 0, 6)
    minutes: float | None = _between(None, 0.01, 1e5)
    crops: int | None = _between(None, 1, 1e10)
    batch: int = _between(32, 1, 4096)
    lr: float = _between(5e-4, 1e-6, 0.1)
    keep: float = _between(0.0, 0.0, 1.0)
    jitter: float = _between(0.35, 0.0, 0.4)
    turn: float = _between(3.14159, 0.0, 3.1416)
    replace_background: float = _between(0.35, 0.0, 1.0)
    cover: float = _between(0.45, 0.0, 1.0)
    relit: float = _between(0.6, 0.0, 1.0)


@dataclass(frozen=True)
class CalibrationConfig:
    """frames: held-out pictures to run. precision: share of right boxes that the detector's threshold aims at. looks:
    of the detector at a picture (`DetectorSpec`); 2 or 3 find more in photographs, not in rendered pictures. standing:
    share of the objects that stand upright where the bundle is to be used (`Manifest`), as in the held-out pictures.
    """

    frames: int = _between(200, 1, 1e6)
    precision: float = _between(0.5, 0.0, 1.0)
    looks: Literal[1, 2, 3] = 1
    standing: float = _between(0.0, 0.0, 1.0)


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what `posebot train` makes of a data set.

    Attributes:
        split: BOP split to learn from. val_split: split that calibration uses; without it every 20th scene is held out.
        source: "cache" cuts crops once, "stream" cuts them anew through Ray Data while training runs.
        workers: processes that train together. threads: of each, 0 = cores / workers.
        loaders: processes that make batches; without it none beside a CPU, and one for each core beside a GPU.
        faces: triangles of each mesh in the bundle. licence: of the bundle. tracking: whether MLflow is told.
        checkpoint_s: seconds between checkpoints.
    """

    split: str = "train"
    val_split: str = "val"
    seed: int = _between(0, 0, 2**31 - 1)
    source: Literal["cache", "stream"] = "cache"
    workers: int = _between(1, 1, 1024)
    threads: int = _between(0, 0, 256)
    loaders: int | None = _between(None, 0, 256)
    faces: int = _between(4000, 50, 200_000)
    version: str = "0.1.0"
    licence: str = "unspecified"
    tracking: bool = True
    checkpoint_s: float = _between(60.0, 1.0, 1e5)
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    localizer: LocalizerConfig = field(default_factory=LocalizerConfig)
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)


TINY = TrainConfig(
    faces=1500, checkpoint_s=5.0,
    detector=DetectorConfig(input_size=(192, 256), width=32, minutes=0.4, batch=8, lr=1e-3),
    localizer=LocalizerConfig(bins=8, width=32, crop_size=64, minutes=0.6, batch=32, lr=1e-3),
    calibration=CalibrationConfig(frames=16),
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
        InputError: no such file, no YAML, an unknown key or a value that does not fit, with file, line and key.
    """
    try:
        text = path.read_text("utf-8")
        node = yaml.compose(text, yaml.SafeLoader)
    except OSError as error:
        raise ConfigError(path, error.strerror or "cannot be read",
                          "a YAML file, see docs/how-to/training.md") from None
    except yaml.YAMLError as error:
        raise ConfigError(path, f"is no YAML: {error}", "key: value") from None
    base = base or TrainConfig()
    config: TrainConfig = base if node is None else _section(base, node, str(path), "")
    return config


def _section(base: Any, node: yaml.Node, where: str, prefix: str) -> Any:
    place = _place(where, node)
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(place, f"{prefix or 'the document'} is no mapping", "key: value")
    known = {entry.name: entry for entry in fields(base)}
    hints = get_type_hints(type(base))
    changes: dict[str, Any] = {}
    for key_node, value_node in node.value:
        name = str(key_node.value)
        if name not in known:
            raise ConfigError(_place(where, key_node), f"{prefix}{name}: unknown key", f"one of {', '.join(known)}")
        current = getattr(base, name)
        if is_dataclass(current):
            changes[name] = _section(current, value_node, where, f"{prefix}{name}.")
        else:
            changes[name] = _value(value_node, hints[name], known[name].metadata, where, prefix + name)
    return replace(base, **changes)


def _value(node: yaml.Node, hint: Any, limits: Any, where: str, name: str) -> Any:
    value = yaml.SafeLoader("").construct_object(node, deep=True)
    place, shown = _place(where, node), f"{name}: {str(value)[:60]}"
    kinds = [kind for kind in get_args(hint) if kind is not NoneType] if isinstance(hint, UnionType) else [hint]
    if value is None and isinstance(hint, UnionType):
        return None
    kind = kinds[0]
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ConfigError(place, f"{shown} is not known", f"one of {', '.join(map(str, get_args(kind)))}")
        return value
    if get_origin(kind) is tuple:
        return tuple(_numbers(value, get_args(kind), limits, place, shown))
    return _scalar(value, kind, limits, place, shown)


def _numbers(value: Any, kinds: tuple[type, ...], limits: Any, place: str, shown: str) -> list[Any]:
    if not isinstance(value, list) or len(value) != len(kinds):
        raise ConfigError(place, f"{shown} does not fit", f"a list of {len(kinds)} numbers")
    return [_scalar(entry, kind, limits, place, shown) for entry, kind in zip(value, kinds, strict=True)]


def _scalar(value: Any, kind: type, limits: Any, place: str, shown: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(place, f"{shown} does not fit", _WORDS[kind])
    if "low" in limits and not limits["low"] <= value <= limits["high"]:
        raise ConfigError(place, f"{shown} is out of range", f"{limits['low']:g} to {limits['high']:g}")
    return value


def _place(where: str, node: yaml.Node) -> str:
    return f"{where} line {node.start_mark.line + 1}"
