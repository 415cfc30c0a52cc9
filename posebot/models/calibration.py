"""What certainty needs and only held-out data can tell. Part of `bundle.yaml`; used by `stages.certainty`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from posebot.core.errors import InputError


@dataclass(frozen=True)
class ModeCalibration:
    """Calibration for one kind of input (with depth, or colour alone).

    Attributes:
        weights: logistic weights of named features (see `stages.certainty.FEATURES`). bias: its constant.
        ok_threshold: `p_correct` from which a pose is "ok".
        sample_factor: factor on the covariance of the weighted Hessian. Pixels of one object err together, so fewer of
            them are independent than their count says.
        edges: inner limits of the `p_correct` bins, increasing. translation_quantiles, rotation_quantiles: for each bin
            (one more than edges) the conformal radius in units of the covariance's sigma (metres, radians).
        samples: estimates that were fitted; 0 = nothing was, and no pose is called "ok".
    """

    weights: dict[str, float] = field(default_factory=dict)
    bias: float = -2.0
    ok_threshold: float = 0.5
    sample_factor: float = 64.0
    edges: tuple[float, ...] = ()
    translation_quantiles: tuple[float, ...] = (6.0,)
    rotation_quantiles: tuple[float, ...] = (6.0,)
    samples: int = 0


@dataclass(frozen=True)
class Calibration:
    """Calibration of a bundle: `rgb` for colour alone, `depth` where the frame has depth."""

    rgb: ModeCalibration = field(default_factory=ModeCalibration)
    depth: ModeCalibration = field(default_factory=ModeCalibration)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and strings, as in bundle.yaml."""
        return {mode: {name: list(value) if isinstance(value, tuple) else value for name, value in numbers.items()}
                for mode, numbers in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Any, where: object = "calibration") -> Calibration:
        """Inverse of `to_dict`; None gives the default. Raises InputError naming the field that is wrong."""
        if data is None:
            return cls()
        _require(isinstance(data, dict) and set(data) <= {"rgb", "depth"}, where, "calibration", data, "rgb and depth")
        return cls(**{mode: _mode(numbers, where, f"calibration.{mode}") for mode, numbers in data.items()})


def _mode(data: Any, where: object, key: str) -> ModeCalibration:
    known = set(ModeCalibration.__dataclass_fields__)
    _require(isinstance(data, dict) and set(data) <= known, where, key, data, ", ".join(sorted(known)))
    values = dict(data)
    for name in ("bias", "ok_threshold", "sample_factor", "samples"):
        if name in values:
            _require(_is_number(values[name]), where, f"{key}.{name}", values[name], "a finite number")
    for name in ("edges", "translation_quantiles", "rotation_quantiles"):
        if name in values:
            _require(_is_numbers(values[name]), where, f"{key}.{name}", values[name], "a list of finite numbers")
            values[name] = tuple(float(number) for number in values[name])
    weights = values.get("weights", {})
    _require(isinstance(weights, dict) and _is_numbers(list(weights.values())), where, f"{key}.weights", weights,
             "feature: finite number")
    mode = ModeCalibration(**values)
    bins = len(mode.edges) + 1
    _require(len(mode.translation_quantiles) == len(mode.rotation_quantiles) == bins, where, key, data,
             f"{bins} quantiles each, one more than edges")
    return mode


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def _is_numbers(values: Any) -> bool:
    return isinstance(values, list | tuple) and all(_is_number(value) for value in values)


def _require(condition: bool, where: object, key: str, value: Any, expected: str) -> None:
    if not condition:
        raise InputError(where, f"{key}: {str(value)[:80]} is not usable", expected)
