"""Settings of the refinement of hypotheses."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import ConfigDict

_CONFIG = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True)
class DepthRefinementSettings:
    """ICP on depth readings."""

    __pydantic_config__ = _CONFIG

    coarse_readings: int = 96
    """Depth readings for many hypotheses."""
    fine_readings: int = 500
    """Depth readings for few."""
    coarse_widths: tuple[float, ...] = (0.10, 0.08, 0.06, 0.05, 0.04)
    """Widths of the robust kernel for many hypotheses, step by step, diameters."""
    fine_widths: tuple[float, ...] = (0.04, 0.03, 0.02, 0.015, 0.012, 0.01, 0.01)
    """Widths for few."""
    min_width_m: float = 0.003
    """Least width, metres."""
    rough_points: int = 1200
    """Surface samples drawn for a rough score of many poses."""
    best: int = 2
    """Candidates whose near symmetries are tried."""
    near_symmetric: int = 4
    """Near-symmetric poses that are refined."""
    damping: float = 0.02
    """Of the mean diagonal of the normal matrix: holds directions that the points do not constrain."""
    max_shift: float = 0.2
    """Of one step, diameters."""
    max_rotation_rad: float = 0.5
    """Of one step, radians."""


@dataclass(frozen=True)
class OriginPriorSettings:
    """The network's prediction of the object's origin, as a prior."""

    __pydantic_config__ = _CONFIG

    shift_px: float = 3.2
    """Its error sideways."""
    depth: float = 0.08
    """Its error of log z."""
    weight: float = 10.0
    """Number of coordinates that it counts as."""


@dataclass(frozen=True)
class ContourSettings:
    """Contour refinement: half lengths of the lines across the contour, step by step, crop pixels."""

    __pydantic_config__ = _CONFIG

    coarse: tuple[int, ...] = (16, 12, 9)
    """For rough hypotheses."""
    near: tuple[int, ...] = (8, 6)
    """For less rough ones."""
    fine: tuple[int, ...] = (6, 5, 4, 3, 3)
    """After either, by the colours of the own silhouette."""
    finest: tuple[int, ...] = (5, 4, 3)
    """For nearly correct poses."""
    coordinate_weight: float = 0.3
    """Of the coordinates' terms beside those of the lines: their errors are correlated."""
    max_rotation_rad: float = 0.35
    """Of one step, radians."""
    rim_offset_px: float = 3.0
    """To either side, where a contour has the object on one and nothing of it on the other, crop pixels."""
    min_rim_points: int = 12
    """Of 480 along a contour, below which it has no lines."""
    hidden_weight: float = 1.5
    """Of the probability of being hidden, in a line's weight."""
    pixel_weight: float = 0.35
    """Of a pixel's log odds, since neighbours on a line are not independent."""
    prior_sigma: float = 0.5
    """Of a contour's expected offset, half lengths of a line."""
    silhouette_points: int = 4000
    """Surface samples of a silhouette: 1500 leave holes that cost five points of accuracy."""
    rounds: int = 2
    """Of refinement by the colours of the own silhouette."""


@dataclass(frozen=True)
class UprightSettings:
    """The ground-plane prior."""

    __pydantic_config__ = _CONFIG

    weight: float = 0.02
    """Of the log probability of a pose's lean, in its total score."""
    sharpness: float = 30.0
    """Of totals: a candidate that is worse by one over this has a third of the weight in the vote."""
    seeds: int = 3
    """Candidates of each object that are tried as the common direction."""
    seed_axes: int = 8
    """Up axes of each candidate that are tried."""
    agreement_sigmas: float = 2.5
    """Of lean: half of an object's candidates within this make it agree."""
    min_agreement: float = 0.2
    """Share of all trust (half of which may belong to false detections) that must agree."""
    distance_sigma: float = 0.04
    """Of a distance from colour alone, as a share of it."""
    bottom_sigma: float = 0.05
    """Of an upright object's lowest point, diameters."""
    max_ground_sigmas: float = 3.0
    """From the ground, beyond which an object stands on something else."""
    min_contacts: int = 3
    """Upright objects that define a ground."""


@dataclass(frozen=True)
class RefinementSettings:
    """Refinement of hypotheses."""

    __pydantic_config__ = _CONFIG

    depth: DepthRefinementSettings = field(default_factory=DepthRefinementSettings)
    """ICP."""
    origin: OriginPriorSettings = field(default_factory=OriginPriorSettings)
    """Prior of the origin."""
    contour: ContourSettings = field(default_factory=ContourSettings)
    """Contour refinement."""
    rough_points: int = 1600
    """Surface samples drawn at half resolution, from colour alone."""
    refined: int = 3
    """Hypotheses from colour that are refined by their own colours."""
    near_symmetric: int = 2
    """Near symmetries of the best pose that are refined."""
    pixel_error_px: float = 0.7
    """Error of a perfect coordinate, from the map's grid."""
    pnp_steps: int = 10
    """Of Levenberg-Marquardt."""
    mask_min_scale: float = 0.7
    """Of the distance, in one round of placing by the mask."""
    mask_max_scale: float = 1.4
    """The same, at most."""
    same_rotation_deg: float = 8
    """Within which two poses are the same, together with `same_shift`."""
    same_shift: float = 0.04
    """See there, diameters."""
