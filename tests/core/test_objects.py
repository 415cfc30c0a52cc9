"""Symmetry sets and object coordinates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from posebot.core import transforms as tf
from posebot.core.objects import ContinuousSymmetry, Mesh, ObjectModel

HALF_TURN = tf.make(np.diag([-1.0, -1.0, 1.0]))


def _model(**symmetries: tuple) -> ObjectModel:
    mesh = Mesh(np.array([[-0.1, 0, 0], [0.1, 0, 0], [0, 0.2, 0.04]]), np.array([[0, 1, 2]], dtype=np.int32))
    return ObjectModel(1, "part", mesh, 0.23, np.array([-0.1, 0, 0]), np.array([0.2, 0.2, 0.04]), **symmetries)


@given(arrays(float, (5, 3), elements=st.floats(-1, 1)))
def test_coordinates_round_trip(points: np.ndarray) -> None:
    model = _model()
    np.testing.assert_allclose(model.denormalise(model.normalise(points)), points, atol=1e-12)


def test_the_bounding_box_is_the_unit_cube() -> None:
    model = _model()
    corners = np.stack([model.box_min, model.center, model.box_min + model.extents])
    np.testing.assert_allclose(model.normalise(corners), [[0, 0, 0], [0.5, 0.5, 0.5], [1, 1, 1]])


def test_an_asymmetric_object_has_the_identity_only() -> None:
    assert not _model().symmetric
    np.testing.assert_array_equal(_model().symmetry_transforms(), np.eye(4)[None])


def test_discrete_symmetries_come_after_the_identity() -> None:
    model = _model(symmetries_discrete=(HALF_TURN,))
    assert model.symmetric
    np.testing.assert_array_equal(model.symmetry_transforms(), [np.eye(4), HALF_TURN])


@given(arrays(float, 3, elements=st.floats(-0.5, 0.5)), st.integers(2, 40))
def test_continuous_symmetry_turns_about_its_own_axis(offset: np.ndarray, steps: int) -> None:
    axis = np.array([0.0, 0.6, 0.8])
    turns = _model(symmetries_continuous=(ContinuousSymmetry(axis, offset),)).symmetry_transforms(steps)
    assert turns.shape == (steps, 4, 4)
    np.testing.assert_allclose(turns[0], np.eye(4), atol=1e-12)
    on_the_axis = offset + np.array([[0.0], [0.3], [-1.0]]) * axis
    np.testing.assert_allclose(tf.apply(turns, on_the_axis), np.broadcast_to(on_the_axis, (steps, 3, 3)), atol=1e-9)
    np.testing.assert_allclose(np.linalg.matrix_power(turns[1], steps), np.eye(4), atol=1e-9)


@pytest.mark.parametrize("steps", [8, 315])
def test_discrete_and_continuous_are_combined_as_in_bop(steps: int) -> None:
    axis = ContinuousSymmetry(np.array([0.0, 0.0, 1.0]))
    flip = tf.make(np.diag([1.0, -1.0, -1.0]))
    both = _model(symmetries_discrete=(flip,), symmetries_continuous=(axis,)).symmetry_transforms(steps)
    assert both.shape == (2 * steps, 4, 4)
    np.testing.assert_allclose(both[steps], flip, atol=1e-12)
    two_axes = _model(symmetries_continuous=(axis, ContinuousSymmetry(np.array([1.0, 0.0, 0.0]))))
    assert len(two_axes.symmetry_transforms(steps)) == 2 * steps  # concatenated, not multiplied


def test_symmetry_transforms_are_rigid() -> None:
    model = _model(symmetries_discrete=(HALF_TURN,), symmetries_continuous=(ContinuousSymmetry(np.array([0.0, 0, 1])),))
    assert all(tf.is_transform(transform, 1e-9) for transform in model.symmetry_transforms())
