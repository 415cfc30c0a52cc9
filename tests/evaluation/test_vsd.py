"""Depth images and VSD, on surfaces whose depth is known in closed form."""

from __future__ import annotations

import bop_reference as reference
import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from posebot.core.camera import rays
from posebot.core.objects import Mesh
from posebot.core.transforms import inverse, make, rotation_from_vector
from posebot.evaluation import depth_renderer
from posebot.evaluation.depth_renderer import distances, render_depth
from posebot.evaluation.metrics.vsd import DELTA, TAUS, _discrepancy, vsd
from posebot.objects.bop_models import make_object

K = np.array([[200.0, 0, 79.5], [0, 210.0, 59.5], [0, 0, 1]])
WIDTH, HEIGHT = 160, 120
PIXELS = np.stack(np.meshgrid(np.arange(WIDTH, dtype=float), np.arange(HEIGHT, dtype=float)), axis=-1)


def mesh_of(shape: trimesh.Trimesh) -> Mesh:
    return Mesh(np.array(shape.vertices), np.array(shape.faces, dtype=np.int32))


BOX = make_object(1, "box", mesh_of(trimesh.creation.box((0.1, 0.08, 0.06))))


def box_depth(pose: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Depth of a box by the slab method, one ray through each pixel's centre."""
    obj_from_cam = inverse(pose)
    directions = rays(K, PIXELS) @ obj_from_cam[:3, :3].T
    with np.errstate(divide="ignore"):
        a, b = ((sign * size / 2 - obj_from_cam[:3, 3]) / directions for sign in (-1, 1))
    near, far = np.minimum(a, b).max(axis=-1), np.maximum(a, b).min(axis=-1)
    return np.where(near <= far, near, 0.0)


@given(seed=st.integers(0, 10**6))
def test_a_boxs_depth_is_the_rays(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pose = make(rotation_from_vector(rng.normal(size=3) * 2), rng.uniform([-0.2, -0.15, 0.3], [0.2, 0.15, 0.9]))
    depth, window = render_depth(BOX.mesh, pose, K, WIDTH, HEIGHT)
    expected = box_depth(pose, BOX.extents)
    both = (depth > 0) & (expected > 0)
    np.testing.assert_allclose(depth[both], expected[both], atol=1e-9)
    assert ((depth > 0) != (expected > 0)).sum() <= 2  # a centre that lies on an edge
    outside = depth.copy()
    outside[window] = 0
    assert not outside.any()


def test_pixel_centres_are_whole_numbers() -> None:
    corners = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    square = Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32))
    camera = np.array([[10.0, 0, 20], [0, 10.0, 15], [0, 0, 1]])
    depth, _ = render_depth(square, make(translation=[0.04, 0, 2.0]), camera, 40, 30)
    rows, columns = np.nonzero(depth)  # covers 15.2 to 25.2 and 10 to 20
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (16, 25, 10, 20)
    assert np.unique(depth).tolist() == [0.0, 2.0]


def test_faces_behind_the_camera_or_beside_the_picture_are_not_drawn() -> None:
    for shift in ([0, 0, -1.0], [5.0, 0, 1.0]):
        depth, window = render_depth(BOX.mesh, make(translation=shift), K, WIDTH, HEIGHT)
        assert not depth.any()
        assert window == (slice(0, 0), slice(0, 0))


def test_small_chunks_draw_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pose = make(rotation_from_vector([0.3, 0.5, 0.1]), [0, 0, 0.4])
    whole, _ = render_depth(BOX.mesh, pose, K, WIDTH, HEIGHT)
    monkeypatch.setattr(depth_renderer, "_CHUNK", 10)
    np.testing.assert_array_equal(render_depth(BOX.mesh, pose, K, WIDTH, HEIGHT)[0], whole)


def test_distances_are_lengths_of_rays() -> None:
    depth = np.full((HEIGHT, WIDTH), 2.0)
    depth[3, 4] = 0
    expected = np.linalg.norm(rays(K, PIXELS), axis=-1) * depth
    np.testing.assert_allclose(distances(depth, K), expected, atol=1e-12)


FACING = make(translation=[0, 0, 0.5])  # the box's front face lies at 0.47 m


def sensor(depth: float = 1.0) -> np.ndarray:
    """What a sensor sees of the box at `FACING` before a wall."""
    drawn, _ = render_depth(BOX.mesh, FACING, K, WIDTH, HEIGHT)
    return np.where(drawn > 0, drawn, depth)


def error(est: np.ndarray, depth: np.ndarray, gt: np.ndarray = FACING) -> np.ndarray:
    return vsd(est[None], gt[None], BOX, K, depth)[0, 0]


def test_zero_at_the_truth_and_one_elsewhere() -> None:
    np.testing.assert_array_equal(error(FACING, sensor()), 0)
    np.testing.assert_array_equal(error(make(translation=[0.2, 0, 0.5]), sensor()), 1)
    np.testing.assert_array_equal(error(make(translation=[9.0, 0, 0.5]), sensor()), 1)


def test_a_shift_in_depth_is_wrong_below_its_tolerance_only() -> None:
    est = make(translation=[0, 0, 0.5 - 0.02])  # in front of what is seen: visible, 20 mm = 14.1 % of 141 mm off
    found = error(est, sensor())
    assert (found[TAUS < 0.14] > 0.99).all()
    assert (found[TAUS > 0.15] < 0.15).all()  # what remains is the larger silhouette of the nearer box


def test_a_step_of_exactly_tau_is_wrong() -> None:
    window = (slice(0, 1), slice(0, 2))
    gt, est = np.array([[1.0, 1.0]]), np.array([[1.0625, 1.0]])
    found = _discrepancy(np.zeros((1, 2)), (est, window), (gt, window), 0.015, np.array([0.0625, 0.0626]))
    assert found.tolist() == [0.5, 0.0]


def test_missing_readings_count_as_visible_and_nearer_ones_hide() -> None:
    np.testing.assert_array_equal(error(FACING, np.zeros((HEIGHT, WIDTH))), 0)
    np.testing.assert_array_equal(error(FACING, sensor() * 0 + 0.2), 1)  # a screen in front: nothing is visible at all


def test_what_is_visible_of_the_truth_is_visible_of_the_estimate() -> None:
    est = make(translation=[0, 0, 0.55])  # 50 mm behind what the sensor sees: hidden by it but for this rule
    assert error(est, sensor())[-1] < 0.4


def test_each_with_each() -> None:
    poses = np.stack([FACING, make(translation=[0.01, 0, 0.5]), make(translation=[0, 0.02, 0.52])])
    table = vsd(poses, poses[:2], BOX, K, sensor())
    assert table.shape == (3, 2, 10)
    np.testing.assert_array_equal(table[2, 1], error(poses[2], sensor(), poses[1]))
    assert vsd(poses[:0], poses, BOX, K, sensor()).shape == (0, 3, 10)


def test_agrees_with_the_plain_definition_on_1000_random_cases() -> None:
    small = np.array([[40.0, 0, 19.5], [0, 42.0, 14.5], [0, 0, 1]])
    rng = np.random.default_rng(0)
    for _ in range(1000):
        gt = make(rotation_from_vector(rng.normal(size=3) * 2), rng.uniform([-0.06, -0.04, 0.2], [0.06, 0.04, 0.4]))
        est = make(rotation_from_vector(rng.normal(size=3) * 0.3)) @ gt
        est[:3, 3] = gt[:3, 3] + rng.normal(size=3) * 10 ** rng.uniform(-3, -1.3)
        drawn_gt, drawn_est = (render_depth(BOX.mesh, pose, small, 40, 30)[0] for pose in (gt, est))
        depth = np.where(drawn_gt > 0, drawn_gt, 0.6) + rng.normal(scale=0.01, size=(30, 40))
        depth[:, :int(rng.integers(0, 20))] = 0.15  # something in front
        depth[rng.random((30, 40)) < 0.1] = 0  # no reading
        found = vsd(est[None], gt[None], BOX, small, depth)[0, 0]
        images = (distances(image, small) for image in (depth, drawn_gt, drawn_est))
        expected = reference.vsd(*images, DELTA, (TAUS * BOX.diameter).tolist())
        np.testing.assert_allclose(found, expected, atol=1e-6)
