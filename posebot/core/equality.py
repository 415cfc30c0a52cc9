"""Equality of values that hold arrays: `==` compares shape and content and gives one bool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np


class ArrayEquality:
    """Base of dataclasses with array fields, declared with `eq=False`.

    Two values are equal when they are of the same class and every compared field is equal: arrays in shape and content
    (NaN equals NaN), everything else by `==`. Such values are not hashable; use a field such as `frame_id` as a key.
    """

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other):
            return NotImplemented
        names = [field.name for field in fields(self) if field.compare]  # type: ignore[arg-type]
        return all(equal(getattr(self, name), getattr(other, name)) for name in names)

    __hash__ = None  # type: ignore[assignment]


def equal(one: Any, other: Any) -> bool:
    """Whether two values are equal, arrays, sequences and mappings of arrays included."""
    if one is other:
        return True
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        one, other = np.asarray(one), np.asarray(other)
        numeric = one.dtype.kind in "fc" and other.dtype.kind in "fc"
        return np.array_equal(one, other, equal_nan=numeric)
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(equal(left, right) for left, right in zip(one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    return bool(one == other)
