"""Tuned settings of the pose stage: one frozen tree, with the meaning, unit and default of each.

A bundle records the values that differ from the defaults (`pose_stage.settings` in bundle.yaml), and an experiment can
override any of them: `Pipeline(bundle, settings=...)`, or `--pose-settings FILE` on the command line. Lengths are
shares of the object's diameter, pixels those of the working image (64 x 64 around the object), unless stated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from posebot.config import Document, read_yaml, validate
from posebot.stages.settings.hypotheses import HypothesisSettings
from posebot.stages.settings.observation import NearSymmetrySettings, ObservationSettings, SurfaceSettings
from posebot.stages.settings.refinement import RefinementSettings, UprightSettings
from posebot.stages.settings.scoring import RecropSettings, ScoringSettings

_CONFIG = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True)
class PoseSettings:
    """All tuned settings of the pose stage."""

    __pydantic_config__ = _CONFIG

    surface: SurfaceSettings = field(default_factory=SurfaceSettings)
    """Surface model."""
    near_symmetries: NearSymmetrySettings = field(default_factory=NearSymmetrySettings)
    """Near symmetries of an object."""
    observation: ObservationSettings = field(default_factory=ObservationSettings)
    """Evidence of a crop."""
    hypotheses: HypothesisSettings = field(default_factory=HypothesisSettings)
    """Generation of hypotheses."""
    refinement: RefinementSettings = field(default_factory=RefinementSettings)
    """Refinement."""
    scoring: ScoringSettings = field(default_factory=ScoringSettings)
    """Scores."""
    upright: UprightSettings = field(default_factory=UprightSettings)
    """Ground-plane prior."""
    recrop: RecropSettings = field(default_factory=RecropSettings)
    """Re-crop."""

    def overrides(self) -> dict[str, Any]:
        """The values that differ from the defaults, nested as in bundle.yaml; {} for the defaults."""
        return _difference(asdict(self), asdict(PoseSettings()))


DEFAULTS = PoseSettings()


def read_overrides(overrides: Mapping[str, Any], where: object, base: PoseSettings = DEFAULTS) -> PoseSettings:
    """Settings from the values that differ from `base`. where: file or key that errors name.

    Raises:
        ConfigError: an unknown key, or a value that does not fit.
    """
    return validate(Document(str(where), _merged(asdict(base), dict(overrides))), PoseSettings)


def read_settings(path: Path, base: PoseSettings = DEFAULTS) -> PoseSettings:
    """Settings from a YAML file of the values that differ from `base`, nested as in `PoseSettings`.

    Raises:
        ConfigError: not readable, an unknown key, or a value that does not fit; with line and key.
    """
    return read_yaml(path, PoseSettings, over=base)


def _difference(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for name, value in values.items():
        default = defaults.get(name)
        if isinstance(value, dict) and isinstance(default, dict):
            if nested := _difference(value, default):
                changed[name] = nested
        elif value != default:
            changed[name] = list(value) if isinstance(value, tuple) else value
    return changed


def _merged(base: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    return base | {name: _merged(base[name], value) if isinstance(value, dict) and isinstance(base.get(name), dict)
                   else value for name, value in overrides.items()}
