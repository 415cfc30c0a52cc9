"""How large and how far each object was in the training pictures. Part of bundle.yaml; an object that is smaller or
farther in a picture than it ever was in training may not be found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import ConfigDict, Field

_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class TrainingRange:
    """Size and distance of one object in the pictures that the networks learned from."""

    __pydantic_config__ = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    obj_id: int
    """Number of the object."""
    pixels: tuple[_Positive, _Positive, _Positive]
    """Longer side of its box in the picture, pixels: 5 % of the instances are smaller, half, 95 %."""
    distance_m: tuple[_Positive, _Positive, _Positive]
    """Distance from the camera, metres: 5 % of the instances are nearer, half, 95 %."""
    picture_size: tuple[int, int]
    """(width, height) of the pictures."""
