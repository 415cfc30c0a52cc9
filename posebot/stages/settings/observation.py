"""Settings of the surface model and of what is taken from a crop."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import ConfigDict

_CONFIG = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True)
class SurfaceSettings:
    """The surface model of an object, built when a pipeline starts."""

    __pydantic_config__ = _CONFIG

    points: int = 6000
    """Number of surface samples."""
    table_cells: int = 48
    """Cells of the nearest-point table along the longest side."""
    table_margin: float = 0.3
    """How far the table extends beyond the bounding box, diameters."""
    closed_share: float = 0.97
    """Share of a silhouette that front faces must cover for a surface to count as closed."""
    template_views: int = 200
    """Directions from which an object is drawn."""
    template_points: int = 2500
    """Surface samples in a template."""


@dataclass(frozen=True)
class NearSymmetrySettings:
    """Search for rotations that nearly map the shape to itself."""

    __pydantic_config__ = _CONFIG

    rotations: int = 12
    """Rotations about each axis of the bounding box that are tried."""
    max_distance: float = 0.035
    """Mean distance below which two poses are easily confused, diameters."""
    max_point_distance: float = 0.1
    """Larger distances of single points count as this, diameters."""
    icp_widths: tuple[float, ...] = (0.2, 0.15, 0.1, 0.08, 0.06, 0.05, 0.04)
    """Widths of the robust kernel in ICP of the shape to itself, step by step, diameters."""
    min_angle_deg: float = 14
    """Between two near symmetries."""
    points: int = 300
    """Surface samples that are compared."""


@dataclass(frozen=True)
class ColourSettings:
    """Colour histograms of an object and its surroundings."""

    __pydantic_config__ = _CONFIG

    min_probability: float = 0.02
    """A mask's probability is clipped to this and 1 - this."""
    posterior_weight: float = 1.5
    """Of the colours' log likelihood ratio in the mask, since neighbouring pixels are not independent."""
    mask_weight: float = 0.5
    """Of the mask's log odds in a region, relative to those of the colours."""
    surroundings_px: int = 25
    """Side of the square by which a silhouette grows into the surroundings that count, crop pixels."""
    max_log_ratio: float = 3.0
    """Of the likelihoods of one pixel's colour."""
    margin_px: int = 3
    """Side of the square by which it grows over pixels that may be either, crop pixels."""


@dataclass(frozen=True)
class LandmarkSettings:
    """Texture landmarks: keypoints of the image matched with those of the texture."""

    __pydantic_config__ = _CONFIG

    margin: float = 0.1
    """Around the box, of its longer side."""
    max_side_px: int = 320
    """Side of the resized part of the image that is searched."""
    max_scale: float = 2.0
    """By which it is enlarged at most."""
    max_keypoints: int = 600
    """Keypoints per object."""
    min_similarity: float = 0.88
    """Cosine of two descriptors, from which they match."""
    ratio_test: float = 0.85
    """Distance of the best match relative to that of the best elsewhere on the object, below which it is unique."""
    elsewhere: float = 0.2
    """Distance of landmarks that compete in the ratio test, of the landmarks' extent."""
    tolerance_px: float = 4.0
    """Reprojection error of an inlier, image pixels."""
    tolerance_share: float = 0.02
    """The same, of the box's longer side; the larger of the two counts."""
    min_matches: int = 6
    """Keypoints, and inliers, that a pose needs."""
    max_poses: int = 2
    """From landmarks of one object."""
    iterations: int = 400
    """Of RANSAC."""


@dataclass(frozen=True)
class ObservationSettings:
    """What is taken from a crop."""

    __pydantic_config__ = _CONFIG

    colour: ColourSettings = field(default_factory=ColourSettings)
    """Colour histograms."""
    landmarks: LandmarkSettings = field(default_factory=LandmarkSettings)
    """Texture landmarks."""
    half_edge: float = 15.0
    """Gradient that counts as half an edge, of 255 per pixel."""
    min_visible: float = 0.35
    """Visible probability from which a pixel's coordinates are used."""
    min_visible_pixels: int = 12
    """In the visible mask, below which an object gets no pose."""
    min_readings: int = 30
    """Depth readings on the object, below which depth is not used."""
