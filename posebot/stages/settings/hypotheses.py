"""Settings of the generation of hypotheses."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import ConfigDict

_CONFIG = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True)
class TemplateSettings:
    """Template matching."""

    __pydantic_config__ = _CONFIG

    with_depth: int = 32
    """Hypotheses with depth."""
    from_colour: int = 24
    """Hypotheses from colour alone."""
    rotations: int = 20
    """In the image plane."""
    shift: float = 1.5
    """To all four sides, template cells."""
    scales: tuple[float, ...] = (0.88, 1.0, 1.13)
    """Of the predicted distance, without depth."""
    max_depth: float = 0.5
    """Depth readings are clipped this far from their median, diameters."""
    depth_error: float = 0.06
    """Difference of depth to a neighbouring template, diameters."""
    coordinate_error: float = 0.10
    """Difference of coordinates to a neighbouring template, diameters."""
    mask_weight: float = 2.0
    """Of the masks' overlap."""
    coordinate_weight: float = 1.0
    """Of the coordinates' agreement."""
    depth_weight: float = 2.0
    """Of the depth's agreement."""
    min_angle_deg: float = 24
    """Between two hypotheses."""
    ranked: int = 400
    """Best matches among which distinct ones are chosen."""


@dataclass(frozen=True)
class RansacSettings:
    """PnP RANSAC on predicted coordinates, and Kabsch on those with depth."""

    __pydantic_config__ = _CONFIG

    attempts: int = 3
    """Hypotheses from PnP, each from half as many coordinates as the one before."""
    iterations: int = 80
    """Of one attempt."""
    min_pixels: int = 12
    """Coordinates that PnP needs."""
    max_pixels: int = 300
    """Coordinates that are used: neighbours are redundant."""
    tolerance_px: float = 2.0
    """Reprojection error of an inlier in the first attempt, one pixel more in each further one."""
    kabsch_samples: int = 64
    """Random triples."""
    kabsch_rounds: int = 4
    """Of reweighting."""
    kabsch_min_error: float = 0.03
    """Least expected error of a coordinate, diameters."""


@dataclass(frozen=True)
class AlternativeSettings:
    """Alternative poses."""

    __pydantic_config__ = _CONFIG

    margin: float = 0.02
    """Difference of total scores below which the better pose is wrong in half of the cases: alternatives are listed."""
    min_distance: float = 0.1
    """Somewhere on the surface, that makes two poses clearly different, diameters."""
    max_count: int = 4
    """Alternatives of one object."""
    step: float = 0.14
    """Along the least certain screw, of the point that moves most, diameters."""
    steps: tuple[float, ...] = (-4.0, -3, -2, -1, 1, 2, 3, 4)
    """Numbers of steps that are tried."""


@dataclass(frozen=True)
class HypothesisSettings:
    """Generation of pose hypotheses."""

    __pydantic_config__ = _CONFIG

    templates: TemplateSettings = field(default_factory=TemplateSettings)
    """Template matching."""
    ransac: RansacSettings = field(default_factory=RansacSettings)
    """PnP RANSAC and Kabsch."""
    alternatives: AlternativeSettings = field(default_factory=AlternativeSettings)
    """Alternative poses."""
    kept: int = 6
    """Hypotheses with depth that are refined."""
    placed: int = 10
    """Hypotheses from colour that PnP solves again at the mask's place."""
    fitted: int = 5
    """Hypotheses from colour that are fitted to the contour."""
    unrefined: int = 2
    """Hypotheses from colour that are also kept as they were before."""
    min_landmark_score: float = 0.25
    """From which texture landmarks are trusted."""
    max_coordinates: int = 200
    """That a pose is fitted to: neighbours are redundant."""
    mask_rounds: int = 3
    """Of placing hypotheses by the mask."""
    mask_prior_shift_px: float = 1.28
    """Error of a position by the mask, sideways."""
    mask_prior_depth: float = 0.02
    """Error of its log z."""
    mask_prior_weight: float = 2.0
    """Number of coordinates that it counts as."""
