"""What certainty needs and only held-out data can tell. Part of `bundle.yaml`; used by `stages.certainty`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from posebot.core.errors import BundleError

LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Shares of the cases that a region can be asked to hold."""


@dataclass(frozen=True)
class ModeCalibration:
    """Calibration for one kind of input (with depth, or colour alone).

    Attributes:
        weights: of named features (see `stages.certainty.FEATURES`) in the log odds of a right pose: for each the
            slopes (>= 0) below, between and above its `knots`, one more than there are knots.
        bias: the constant of the log odds. object_bias: added to it, by object number.
        ok_threshold: `p_correct` from which a pose is "ok".
        sample_factor: factor on the covariance of the weighted Hessian. Pixels of one object err together, so fewer of
            them are independent than their count says.
        floor: sigma that no evidence takes away, of position (diameters) and attitude (radians).
        edges: inner limits of the `p_correct` bins, increasing. translation_quantiles, rotation_quantiles: for each bin
            (one more than edges) the conformal radius in units of the covariance's sigma (metres, radians).
        region_scale: factor on these radii so that both hold in `LEVELS` of the cases; object_scale: by object number.
        alike: correlation of errors from different sides, 0..1, which widens the regions of fused poses.
        samples: estimates that were fitted; 0 = nothing was, and no pose is called "ok".
    """

    weights: dict[str, tuple[float, ...]] = field(default_factory=dict)
    knots: dict[str, tuple[float, ...]] = field(default_factory=dict)
    bias: float = -2.0
    object_bias: dict[int, float] = field(default_factory=dict)
    ok_threshold: float = 0.5
    sample_factor: float = 64.0
    floor: tuple[float, ...] = (0.0, 0.0)
    edges: tuple[float, ...] = ()
    translation_quantiles: tuple[float, ...] = (6.0,)
    rotation_quantiles: tuple[float, ...] = (6.0,)
    region_scale: tuple[float, ...] = (0.5, 0.8, 1.0, 1.2)
    object_scale: dict[int, tuple[float, ...]] = field(default_factory=dict)
    alike: float = 0.0
    samples: int = 0


@dataclass(frozen=True)
class Calibration:
    """Calibration of a bundle: `rgb` for colour alone, `depth` where the frame has depth."""

    rgb: ModeCalibration = field(default_factory=ModeCalibration)
    depth: ModeCalibration = field(default_factory=ModeCalibration)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and strings, as in bundle.yaml."""
        return {mode: {name: _plain(value) for name, value in numbers.items()}
                for mode, numbers in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Any, where: object = "calibration") -> Calibration:
        """Inverse of `to_dict`; None gives the default. Raises InputError naming the field that is wrong."""
        if data is None:
            return cls()
        _require(isinstance(data, dict) and set(data) <= {"rgb", "depth"}, where, "calibration", data, "rgb and depth")
        return cls(**{mode: _mode(numbers, where, f"calibration.{mode}") for mode, numbers in data.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}  # objects' numbers stay numbers in YAML
    return list(value) if isinstance(value, tuple) else value


def _mode(data: Any, where: object, key: str) -> ModeCalibration:
    known = set(ModeCalibration.__dataclass_fields__)
    _require(isinstance(data, dict) and set(data) <= known, where, key, data, ", ".join(sorted(known)))
    values = {name: _READERS[name](value, where, f"{key}.{name}") for name, value in data.items()}
    mode = ModeCalibration(**values)
    bins = len(mode.edges) + 1
    _require(len(mode.translation_quantiles) == len(mode.rotation_quantiles) == bins, where, key, data,
             f"{bins} quantiles each, one more than edges")
    scales = [mode.region_scale, *mode.object_scale.values()]
    _require(all(len(scale) == len(LEVELS) for scale in scales), where, f"{key}.region_scale", mode.region_scale,
             f"{len(LEVELS)} numbers, for {', '.join(f'{level:.0%}' for level in LEVELS)}")
    _require(0 <= mode.alike <= 1, where, f"{key}.alike", mode.alike, "0 to 1")
    _require(len(mode.floor) == 2, where, f"{key}.floor", mode.floor, "two numbers, of position and attitude")
    for name, slopes in mode.weights.items():
        _require(len(slopes) == len(mode.knots.get(name, ())) + 1, where, f"{key}.weights.{name}", slopes,
                 "slopes, one more than knots")
    return mode


def _number(value: Any, where: object, key: str) -> Any:
    _require(_is_number(value), where, key, value, "a finite number")
    return value


def _numbers(value: Any, where: object, key: str) -> tuple[float, ...]:
    _require(_is_numbers(value), where, key, value, "a list of finite numbers")
    return tuple(float(number) for number in value)


def _by_name(value: Any, where: object, key: str) -> dict[str, tuple[float, ...]]:
    _require(isinstance(value, dict), where, key, value, "feature: list of finite numbers")
    return {str(name): (float(entry),) if _is_number(entry) else _numbers(entry, where, f"{key}.{name}")
            for name, entry in value.items()}


def _by_object(value: Any, where: object, key: str) -> dict[int, Any]:
    _require(isinstance(value, dict) and all(str(number).isdigit() for number in value), where, key, value,
             "object number: finite number or list of them")
    return {int(number): _number(entry, where, f"{key}.{number}") if _is_number(entry)
            else _numbers(entry, where, f"{key}.{number}") for number, entry in value.items()}


_READERS = {
    "weights": _by_name, "knots": _by_name, "object_bias": _by_object, "object_scale": _by_object,
    **dict.fromkeys(("bias", "ok_threshold", "sample_factor", "alike", "samples"), _number),
    **dict.fromkeys(("floor", "edges", "translation_quantiles", "rotation_quantiles", "region_scale"), _numbers),
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def _is_numbers(values: Any) -> bool:
    return isinstance(values, list | tuple) and all(_is_number(value) for value in values)


def _require(condition: bool, where: object, key: str, value: Any, expected: str) -> None:
    if not condition:
        raise BundleError(where, f"{key}: {str(value)[:80]} is not usable", expected)
