"""Calibration: what certainty needs and only held-out data can give. Part of `bundle.yaml`; for `stages.certainty`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from posebot.config import Document, validate
from posebot.core.errors import BundleError

LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Shares of the cases that a region can be asked to hold."""
NEVER = 1.01
"""An `ok_threshold` that no pose reaches: held-out data gave no way to tell right poses from wrong ones."""
_FEW_RIGHT = 20  # right poses, below which their number explains why no pose is "ok"
RENAMED = {"calibration.*.alike": "view_correlation", "calibration.*.weights.print": "texture",
           "calibration.*.knots.print": "texture", "calibration.*.weights.standing": "upright",
           "calibration.*.knots.standing": "upright"}
"""Deprecated keys of bundle.yaml below `calibration`, see `config.read_document`."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
_Levels = Annotated[tuple[Finite, ...], Field(min_length=len(LEVELS), max_length=len(LEVELS))]
_Slopes = Annotated[tuple[Finite, ...],
                    BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else (value,))]


@dataclass(frozen=True)
class OkRegions:
    """Regions of the poses with status "ok", calibrated among such poses alone.

    A region that also has to hold wrong poses is as wide as those are wrong; poses that are called "ok" are not.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    translation_quantile: Finite
    """Conformal radius of position in units of the covariance's sigma."""
    rotation_quantile: Finite
    """The same of attitude."""
    scale: _Levels
    """Factor on both radii, so that they hold in 50, 80, 90 and 95 % of the cases (`LEVELS`)."""
    object_scale: dict[int, _Levels] = field(default_factory=dict)
    """`scale` by object number, of objects with enough "ok" poses of their own."""
    samples: dict[int, Annotated[int, Field(ge=0)]] = field(default_factory=dict)
    """Held-out "ok" poses by object number."""
    missing: Annotated[int, Field(ge=0)] = 0
    """"ok" poses that were missing for regions of their own; above 0 the right poses were calibrated on instead."""


@dataclass(frozen=True)
class ModeCalibration:
    """Calibration for one kind of input (with depth, or colour alone)."""

    __pydantic_config__ = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    weights: dict[str, _Slopes] = field(default_factory=dict)
    """Of named features (see `stages.certainty.feature_names`) in the log odds of a correct pose: for each the slopes
    (>= 0) below, between and above its knots, one more than there are knots."""
    knots: dict[str, tuple[Finite, ...]] = field(default_factory=dict)
    """Values of the features at which the slope changes."""
    bias: Finite = -2.0
    """The constant of the log odds."""
    object_bias: dict[int, Finite] = field(default_factory=dict)
    """Added to `bias`, by object number."""
    ok_threshold: Finite = 0.5
    """`p_correct` from which a pose is "ok"."""
    sample_factor: Finite = 64.0
    """Factor on the covariance of the weighted Hessian: errors of one object's pixels are correlated, so fewer of them
    are independent than their count says."""
    floor: Annotated[tuple[Finite, ...], Field(min_length=2, max_length=2)] = (0.0, 0.0)
    """Sigma that no observation reduces, of position (diameters) and attitude (radians)."""
    edges: tuple[Finite, ...] = ()
    """Inner limits of the `p_correct` bins, increasing."""
    translation_quantiles: tuple[Finite, ...] = (6.0,)
    """For each bin (one more than edges) the conformal radius of position in units of the covariance's sigma."""
    rotation_quantiles: tuple[Finite, ...] = (6.0,)
    """The same of attitude."""
    region_scale: _Levels = (0.5, 0.8, 1.0, 1.2)
    """Factor on both radii, so that they hold in 50, 80, 90 and 95 % of the cases (`LEVELS`)."""
    object_scale: dict[int, _Levels] = field(default_factory=dict)
    """`region_scale` by object number."""
    ok_regions: OkRegions | None = None
    """Regions of "ok" poses; None in bundles of posebot 0.2 and earlier, which use the bins for all poses."""
    view_correlation: Annotated[Finite, Field(ge=0, le=1)] = 0.0
    """Correlation of the errors of different views, which widens the regions of fused poses."""
    samples: Annotated[int, Field(ge=0)] = 0
    """Estimates that were fitted; 0: none were, and no pose is called "ok"."""
    right: Annotated[int, Field(ge=0)] | None = None
    """Of these, the right ones; None in bundles of posebot 0.2 and earlier."""

    @property
    def never_ok(self) -> bool:
        """Whether no pose can be "ok"."""
        return not self.samples or self.ok_threshold > 1

    @property
    def counted(self) -> str:
        """Why no pose is "ok", where that is so: "16 right poses of 197 are too few"; "" where nothing was counted."""
        if self.right is None or not self.samples:
            return ""
        one = self.right == 1
        count = f"{self.right} right pose{'' if one else 's'} of {self.samples}"
        few = self.right < max(_FEW_RIGHT, self.samples / 2)
        return f"{count} {'is' if one else 'are'} too few" if few else f"{count} cannot be told from the wrong ones"


def _consistent(mode: ModeCalibration) -> ModeCalibration:
    bins = len(mode.edges) + 1
    if not len(mode.translation_quantiles) == len(mode.rotation_quantiles) == bins:
        raise ValueError(f"translation_quantiles, rotation_quantiles: not {bins} numbers each; one more than edges")
    for name, slopes in mode.weights.items():
        if len(slopes) != len(mode.knots.get(name, ())) + 1:
            raise ValueError(f"weights.{name}: {len(slopes)} slopes; one more than knots.{name} has")
    return mode


_Mode = Annotated[ModeCalibration, AfterValidator(_consistent)]


@dataclass(frozen=True)
class Calibration:
    """Calibration of a bundle, by kind of input."""

    __pydantic_config__ = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    rgb: _Mode = field(default_factory=ModeCalibration)
    """For colour alone."""
    depth: _Mode = field(default_factory=ModeCalibration)
    """Where the frame has depth."""

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and strings, as in bundle.yaml."""
        return {mode: {name: plain(value) for name, value in numbers.items()}
                for mode, numbers in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Any, where: object = "calibration") -> Calibration:
        """Inverse of `to_dict`. Raises BundleError naming the field that is wrong."""
        return validate(Document(str(where), data, error_class=BundleError), cls)


def plain(value: Any) -> Any:
    """Dataclasses' fields as lists and dicts for YAML; objects' numbers stay numbers."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, list | tuple) else value
