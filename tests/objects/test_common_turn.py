"""The turn that wrong poses have in common; found ones are tested with `evaluation.suspected_symmetry`."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from posebot.core.transforms import rotation_from_vector
from posebot.objects.common_turn import common_turn

AXES = st.lists(st.floats(-1, 1), min_size=3, max_size=3).filter(lambda axis: bool(np.linalg.norm(axis) > 0.1))


@given(AXES, st.floats(0.5, 2.5))
def test_an_axis_and_its_opposite_are_one(axis: list[float], angle: float) -> None:
    turns = np.full((8, 1), angle) * np.array(axis) / np.linalg.norm(axis)
    there, back = (common_turn(rotation_from_vector(sign * turns), 8, 8) for sign in (1, -1))
    assert there is not None and back is not None
    assert there.name == back.name
    np.testing.assert_allclose(there.axis, back.axis, atol=1e-9)


def test_nothing_is_wrong() -> None:
    assert common_turn(np.zeros((0, 3, 3)), 0, 40) is None
