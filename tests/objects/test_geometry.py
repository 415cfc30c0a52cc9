"""Measures of meshes against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist

from posebot.core.objects import Mesh
from posebot.core.transforms import exp
from posebot.objects import geometry
from tests.objects.sample_meshes import box, inside_out, l_shape, placed, prism, signed_volume, star

lengths = st.floats(0.01, 0.5)
twists = arrays(float, 6, elements=st.floats(-2, 2))


@given(lengths, lengths, lengths)
def test_a_box_has_the_volume_area_and_diameter_of_a_box(x: float, y: float, z: float) -> None:
    mesh = box((x, y, z))
    low, size = geometry.bounds(mesh)
    np.testing.assert_allclose(low, [-x / 2, -y / 2, -z / 2])
    np.testing.assert_allclose(size, [x, y, z])
    assert signed_volume(mesh) == pytest.approx(x * y * z)
    assert signed_volume(inside_out(mesh)) == pytest.approx(-x * y * z)
    assert geometry.face_areas(mesh).sum() == pytest.approx(2 * (x * y + y * z + z * x))
    assert geometry.diameter(mesh.vertices) == pytest.approx(np.sqrt(x * x + y * y + z * z))


@given(arrays(float, (40, 3), elements=st.floats(-1, 1)))
def test_diameter_is_the_largest_distance(points: np.ndarray) -> None:
    assert geometry.diameter(points) == pytest.approx(pdist(points).max(), abs=1e-12)


@pytest.mark.parametrize("points", [np.zeros((1, 3)), np.zeros((5, 3)), np.eye(3), np.zeros((0, 3))])
def test_diameter_of_flat_and_tiny_sets(points: np.ndarray) -> None:
    assert geometry.diameter(points) == pytest.approx(pdist(points).max() if len(points) > 1 else 0.0)


@given(twists)
def test_volume_and_diameter_do_not_depend_on_the_frame(twist: np.ndarray) -> None:
    mesh = l_shape()
    turned = placed(mesh, exp(twist))
    assert signed_volume(turned) == pytest.approx(signed_volume(mesh), rel=1e-6)
    assert geometry.diameter(turned.vertices) == pytest.approx(geometry.diameter(mesh.vertices))


def test_vertices_that_no_face_uses_do_not_count() -> None:
    mesh = box()
    stray = Mesh(np.vstack([mesh.vertices, [9.0, 9.0, 9.0]]), mesh.faces)
    np.testing.assert_allclose(geometry.bounds(stray)[1], geometry.bounds(mesh)[1])


def test_position_ids_join_chains_within_the_tolerance() -> None:
    points = np.array([[0, 0, 0], [0.9, 0, 0], [1.8, 0, 0], [5, 0, 0], [0, 0, 0]], dtype=float)
    exact, loose = geometry.coincident_vertex_ids(points), geometry.coincident_vertex_ids(points, 1.0)
    assert len(set(exact)) == 4
    assert exact[0] == exact[4]
    assert len(set(loose[[0, 1, 2, 4]])) == 1
    assert loose[3] != loose[0]


def test_normals_of_a_sphere_point_outwards_also_across_a_seam() -> None:
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.05)
    mesh = Mesh(np.asarray(ball.vertices), np.asarray(ball.faces, dtype=np.int32))
    apart = Mesh(mesh.vertices[mesh.faces].reshape(-1, 3), np.arange(mesh.faces.size, dtype=np.int32).reshape(-1, 3))
    for one in (mesh, apart):
        normals = geometry.vertex_normals(one)
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0)
        assert (np.einsum("ij,ij->i", normals, one.vertices / 0.05) > 0.99).all()


def test_sharp_edges_are_doubled_and_smooth_ones_are_not() -> None:
    cube = geometry.split_sharp_edges(box())
    assert len(cube.vertices) == 24
    assert (np.abs(geometry.vertex_normals(cube)).max(axis=1) > 1 - 1e-12).all()
    cylinder = prism(star(1, depth=0.0, points=60), 0.1)
    round_side = geometry.split_sharp_edges(cylinder)
    assert len(round_side.vertices) == 2 * 60 + 2 * 61  # the mantle's two rings, and each cap with its middle
    assert signed_volume(round_side) == pytest.approx(signed_volume(cylinder))


def test_samples_lie_on_their_faces_and_follow_the_area() -> None:
    mesh = box((0.1, 0.1, 0.4))
    points, faces, weights = geometry.sample_surface(mesh, 4000, seed=3)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    np.testing.assert_allclose(np.einsum("nk,nkd->nd", weights, mesh.vertices[mesh.faces[faces]]), points)
    on_ends = (np.abs(points[:, 2]) > 0.2 - 1e-9).mean()
    assert on_ends == pytest.approx(0.02 / (0.02 + 0.16), abs=2e-3)
    np.testing.assert_array_equal(points, geometry.sample_surface(mesh, 4000, seed=3)[0])


def test_edges_of_a_closed_box_lie_between_two_faces_each() -> None:
    mesh = box((1.0, 2.0, 3.0))
    _, faces = geometry.merge_vertices(mesh)
    ends, beside = geometry.edge_adjacency(faces)
    assert len(ends) == 3 * len(faces) // 2 == len(np.unique(ends, axis=0))
    assert (beside >= 0).all() and (beside[:, 0] != beside[:, 1]).all()
    for (a, b), pair in zip(ends, beside, strict=True):
        assert all({a, b} <= set(faces[face]) for face in pair)


def test_edges_where_the_surface_ends_have_one_face() -> None:
    ends, beside = geometry.edge_adjacency(np.array([[0, 1, 2], [2, 1, 3]]))
    inner = (ends == [1, 2]).all(axis=1)
    assert set(beside[inner][0]) == {0, 1}
    assert (beside[~inner, 1] == -1).all() and (~inner).sum() == 4
    assert len(geometry.edge_adjacency(np.zeros((0, 3), int))[0]) == 0
