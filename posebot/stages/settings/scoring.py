"""Settings of the scores and of the re-crop."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import ConfigDict

_CONFIG = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True)
class ScoringSettings:
    """Scores of poses."""

    __pydantic_config__ = _CONFIG

    weights: dict[str, dict[str, float]] = field(default_factory=dict)
    """Weights that differ from those in `scoring.table`: mode, then score."""
    depth_noise_m: float = 0.003
    """Depth error that is always tolerated, metres."""
    depth_tolerance: float = 0.015
    """On top, diameters."""
    hidden: float = 3
    """Tolerances by which a reading is nearer where something hides the object."""
    through: float = 3
    """Tolerances by which a reading is farther where the sensor sees through the drawn object."""
    agrees: float = 2
    """Tolerances that a reading may differ where the object counts as seen."""
    unmasked_weight: float = 0.4
    """Of a depth reading that agrees where the mask is empty."""
    max_coordinates: int = 300
    """Coordinates that are compared."""
    min_coordinate_error: float = 0.02
    """Least expected error of a coordinate, diameters."""
    shading_variance: float = 100.0
    """Of a colour channel (0..255), from light and shade on a plain surface."""
    min_texture_pixels: int = 30
    """For a correlation of colours."""
    min_probability: float = 1e-3
    """Of any point at any pixel, independent of the network's distributions."""
    min_visible: float = 0.35
    """Visible probability from which a pixel counts in the likelihood."""
    contour_half_length_px: int = 6
    """Of the lines across the contour, crop pixels."""
    contour_tolerance_px: float = 1.4
    """Sigma of a contour that fits, crop pixels."""
    min_facing: float = 0.4
    """Cosine of the angle between the viewing direction and that of a landmark's description."""
    half_keypoints: float = 25.0
    """Keypoints in agreement that give a score of 0.5."""


@dataclass(frozen=True)
class RecropSettings:
    """When a crop is cut again around its pose."""

    __pydantic_config__ = _CONFIG

    min_iou: float = 0.3
    """Of box and pose, below which the pose is nonsense."""
    max_iou: float = 0.7
    """Of box and pose, above which the crop was good enough."""
    max_total: float = 0.69
    """Total score from which a pose is right whatever its box was."""
    min_score_ratio: float = 2.0
    """To the detector's threshold: most boxes below are false, and a re-crop costs time."""
