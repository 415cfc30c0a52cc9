"""SE(3): group laws, charts and conversions, against SciPy where it has the same thing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from posebot.core import transforms as tf

small = st.floats(-3, 3, allow_subnormal=False)
vectors = arrays(float, 3, elements=small)
twists = arrays(float, 6, elements=small)


def _half_turned(vector: np.ndarray) -> np.ndarray:
    """A rotation vector shortened to less than half a turn, where it is unique."""
    length = np.linalg.norm(vector)
    return vector if length < 3.0 else vector * (3.0 / length)


@given(vectors)
def test_rotation_vector_agrees_with_scipy(vector: np.ndarray) -> None:
    np.testing.assert_allclose(tf.rotation_from_vector(vector), Rotation.from_rotvec(vector).as_matrix(), atol=1e-12)


@given(vectors)
def test_rotation_vector_round_trip(vector: np.ndarray) -> None:
    vector = _half_turned(vector)
    np.testing.assert_allclose(tf.vector_from_rotation(tf.rotation_from_vector(vector)), vector, atol=1e-9)


@pytest.mark.parametrize("length", [0.0, 1e-12, 1e-9, 1e-8, 1e-7, 1e-5])
def test_tiny_rotations_keep_their_size(length: float) -> None:
    vector = np.array([0.6, 0.0, 0.8]) * length
    np.testing.assert_allclose(tf.vector_from_rotation(tf.rotation_from_vector(vector)), vector, rtol=1e-6, atol=1e-18)


@given(vectors)
def test_quaternion_agrees_with_scipy(vector: np.ndarray) -> None:
    rotation = Rotation.from_rotvec(vector)
    ours, theirs = tf.quaternion_from_rotation(rotation.as_matrix()), rotation.as_quat()
    assert ours[3] >= 0
    assert abs(ours @ theirs) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(tf.rotation_from_quaternion(theirs * 7.0), rotation.as_matrix(), atol=1e-12)


@pytest.mark.parametrize("axis", [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, 0.8, 0], [-0.6, 0, 0.8]])
def test_half_turns_are_stable(axis: list[float]) -> None:
    rotation = Rotation.from_rotvec(np.pi * np.array(axis)).as_matrix()
    vector = tf.vector_from_rotation(rotation)
    assert np.linalg.norm(vector) == pytest.approx(np.pi, abs=1e-9)
    np.testing.assert_allclose(tf.rotation_from_vector(vector), rotation, atol=1e-9)


@given(twists, twists)
def test_perturb_and_difference_are_inverse(start: np.ndarray, step: np.ndarray) -> None:
    step[3:] = _half_turned(step[3:])
    reference = tf.exp(start)
    np.testing.assert_allclose(tf.difference(tf.perturb(reference, step), reference), step, atol=1e-8)


@given(twists)
def test_exp_is_a_perturbed_identity(twist: np.ndarray) -> None:
    np.testing.assert_allclose(tf.exp(twist), tf.perturb(np.eye(4), twist), atol=1e-12)


@given(twists)
def test_perturb_turns_about_the_objects_origin(twist: np.ndarray) -> None:
    pose = tf.exp(twist)
    turned = tf.perturb(pose, np.array([0, 0, 0, 0.1, -0.2, 0.3]))
    np.testing.assert_allclose(turned[:3, 3], pose[:3, 3])


@given(twists, twists, vectors)
def test_inverse_and_composition(a: np.ndarray, b: np.ndarray, point: np.ndarray) -> None:
    a_from_b, b_from_c = tf.exp(a), tf.exp(b)
    np.testing.assert_allclose(tf.inverse(a_from_b) @ a_from_b, np.eye(4), atol=1e-12)
    step_by_step = tf.apply(a_from_b, tf.apply(b_from_c, point[None]))
    np.testing.assert_allclose(tf.apply(a_from_b @ b_from_c, point[None]), step_by_step, atol=1e-10)


def test_functions_take_stacks() -> None:
    twists = np.random.default_rng(0).normal(size=(2, 5, 6))
    poses = tf.exp(twists)
    points = np.random.default_rng(1).normal(size=(7, 3))
    assert tf.apply(poses, points).shape == (2, 5, 7, 3)
    assert tf.quaternion_from_rotation(poses[..., :3, :3]).shape == (2, 5, 4)
    np.testing.assert_allclose(tf.inverse(poses)[1, 3], tf.inverse(poses[1, 3]))
    np.testing.assert_allclose(tf.difference(poses, np.eye(4))[0, 2], tf.difference(poses[0, 2], np.eye(4)))
    assert tf.perturb(np.eye(4), twists).shape == (2, 5, 4, 4)


@given(vectors, arrays(float, (3, 3), elements=st.floats(-0.01, 0.01)))
def test_orthonormal_finds_the_rotation_nearby(vector: np.ndarray, noise: np.ndarray) -> None:
    rotation = tf.rotation_from_vector(vector)
    mended = tf.orthonormal(rotation + noise)
    np.testing.assert_allclose(mended @ mended.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(mended) == pytest.approx(1)
    assert np.linalg.norm(mended - rotation) <= 2 * np.linalg.norm(noise) + 1e-12


def test_orthonormal_never_mirrors() -> None:
    assert np.linalg.det(tf.orthonormal(np.diag([1.0, 1.0, -1.0]))) == pytest.approx(1)


@given(vectors, vectors)
def test_skew_is_the_cross_product(v: np.ndarray, w: np.ndarray) -> None:
    np.testing.assert_allclose(tf.skew(v) @ w, np.cross(v, w), atol=1e-12)


@given(vectors)
def test_rotation_angle(vector: np.ndarray) -> None:
    vector = _half_turned(vector)
    rotation = tf.rotation_from_vector([0.3, -1.0, 0.2])
    angle = tf.rotation_angle(tf.rotation_from_vector(vector) @ rotation, rotation)
    assert angle == pytest.approx(np.linalg.norm(vector), abs=1e-7)


def test_rotated_covariance_is_that_of_rotated_samples() -> None:
    rng = np.random.default_rng(3)
    root = rng.normal(size=(6, 6)) * 1e-3
    covariance, base_from_cam = root @ root.T, tf.rotation_from_vector([0.4, 1.1, -0.7])
    samples = rng.multivariate_normal(np.zeros(6), covariance, size=200_000)
    cam_from_obj = tf.exp([0.1, 0.2, 0.9, 1.0, -0.4, 0.2])
    base = tf.make(base_from_cam, [0.3, 0.0, 0.5])
    moved = tf.difference(base @ tf.perturb(cam_from_obj, samples), base @ cam_from_obj)
    predicted = tf.rotate_covariance(base_from_cam, covariance)
    assert np.abs(np.cov(moved.T) - predicted).max() < 0.02 * np.abs(predicted).max()


@pytest.mark.parametrize(
    ("matrix", "rigid"),
    [
        (np.eye(4), True),
        (tf.exp([1, 2, 3, 0.1, 0.2, 0.3]), True),
        (tf.exp([1, 2, 3, 0.1, 0.2, 0.3]) + np.pad(np.full((3, 3), 3e-3), (0, 1)), True),  # published, rounded poses
        (np.diag([1.0, 1.0, -1.0, 1.0]), False),
        (np.diag([1000.0, 1000.0, 1000.0, 1.0]), False),
        (np.full((4, 4), np.nan), False),
        (np.eye(3), False),
        (np.eye(4).T + np.eye(4)[::-1], False),
    ],
)
def test_is_transform(matrix: np.ndarray, rigid: bool) -> None:
    assert tf.is_transform(matrix) is rigid


@given(count=st.integers(8, 400))
def test_a_sphere_is_evenly_covered(count: int) -> None:
    directions = tf.sphere(count)
    assert np.allclose(np.linalg.norm(directions, axis=1), 1)
    assert np.linalg.norm(directions.mean(axis=0)) < 2 / count**0.5
    cosine = directions @ directions.T - 2 * np.eye(count)
    nearest = np.arccos(np.clip(cosine.max(axis=1), -1, 1))
    assert nearest.min() > 0.5 * (4 * np.pi / count) ** 0.5
