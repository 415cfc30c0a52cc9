"""Refinement, colours at vertices, decimation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posebot.core.objects import Mesh
from posebot.objects.baking import DEFAULT_COLOR, bake_vertex_colors, decimate, sample_texture, surface_colors
from posebot.objects.geometry import bounds, face_areas, sample_surface
from posebot.objects.kit import build_kit
from posebot.objects.proximity import ProximityQuery
from posebot.objects.subdivision import bisect_faces, edge_lengths
from posebot.objects.topology import measure_topology
from tests.objects.sample_meshes import box, l_shape, printed_square, signed_volume


@settings(max_examples=25)
@given(seed=st.integers(0, 2**31), rounds=st.integers(1, 4), share=st.floats(0.05, 1.0))
def test_splitting_keeps_shape_and_opens_no_cracks(seed: int, rounds: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    mesh = l_shape()
    for _ in range(rounds):
        finer = bisect_faces(mesh, rng.random(len(mesh.faces)) < share)
        assert len(finer.faces) >= len(mesh.faces)
        mesh = finer
    assert signed_volume(mesh) == pytest.approx(signed_volume(l_shape()))
    assert face_areas(mesh).sum() == pytest.approx(face_areas(l_shape()).sum())
    assert measure_topology(mesh).watertight


def test_splitting_halves_the_longest_edge_and_keeps_a_seam_shut() -> None:
    apart = Mesh(box().vertices[box().faces].reshape(-1, 3), np.arange(36, dtype=np.int32).reshape(-1, 3))
    wanted = edge_lengths(apart).max(axis=1) >= edge_lengths(apart).max()
    finer = bisect_faces(apart, wanted)
    assert edge_lengths(finer).max() < edge_lengths(apart).max()
    assert measure_topology(finer).watertight  # its vertices lie together in pairs on both sides of every edge


def test_split_faces_interpolate_texture_and_colour() -> None:
    square = printed_square(np.zeros((4, 4, 3), np.uint8))
    finer = bisect_faces(square, np.ones(2, dtype=bool))
    assert finer.uv is not None
    np.testing.assert_allclose(finer.uv, finer.vertices[:, :2] / 0.1 + 0.5)
    painted = bisect_faces(Mesh(square.vertices, square.faces, np.uint8([[0] * 3, [100] * 3, [200] * 3, [100] * 3])),
                          np.ones(2, dtype=bool))
    assert painted.colors is not None
    np.testing.assert_array_equal(painted.colors[4:, 0], [100])


def test_texture_is_read_v_up_at_texel_centres() -> None:
    texture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3) * 20
    centres = np.array([(0.25, 0.75), (0.75, 0.75), (0.25, 0.25), (0.75, 0.25)])
    texels = texture.reshape(4, 3)
    np.testing.assert_allclose(sample_texture(texture, centres), texels)
    np.testing.assert_allclose(sample_texture(texture, centres + np.array([3, -2])), texels)
    np.testing.assert_allclose(sample_texture(texture, np.array([(0.5, 0.5)]))[0], texels.mean(axis=0))


def checkers(cells: int, pixels: int = 16) -> np.ndarray:
    board = np.indices((cells, cells)).sum(axis=0) % 2 * 255
    return np.repeat(np.kron(board, np.ones((pixels, pixels)))[..., None], 3, axis=2).astype(np.uint8)


def test_a_print_survives_as_vertex_colours() -> None:
    square = printed_square(checkers(4, pixels=64))
    baked = bake_vertex_colors(square, max_faces=6000)
    assert len(baked.faces) <= 6000
    assert baked.texture is None
    points, faces, weights = sample_surface(baked, 3000)
    got = surface_colors(baked, faces, weights)
    assert got is not None
    expected = sample_texture(square.texture, points[:, :2] / 0.1 + 0.5)
    assert np.abs(got - expected).mean() < 12


def test_few_faces_suffice_where_there_is_little_print() -> None:
    plain = printed_square(np.full((256, 256, 3), 90, np.uint8))
    assert len(bake_vertex_colors(plain).faces) < 300
    assert (bake_vertex_colors(plain).colors == 90).all()


def test_plain_meshes_become_grey_and_coloured_ones_stay() -> None:
    assert bake_vertex_colors(box()).colors.tolist() == [list(DEFAULT_COLOR)] * 8
    painted = Mesh(box().vertices, box().faces, np.full((8, 3), 9, np.uint8))
    np.testing.assert_array_equal(bake_vertex_colors(painted).colors, painted.colors)


def test_decimation_keeps_size_and_closure() -> None:
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.05)
    mesh = Mesh(np.asarray(ball.vertices), np.asarray(ball.faces, dtype=np.int32))
    fewer = decimate(mesh, 400)
    assert 200 < len(fewer.faces) <= 400
    assert fewer.colors is None
    np.testing.assert_allclose(bounds(fewer)[1], bounds(mesh)[1], atol=2e-3)
    assert signed_volume(fewer) == pytest.approx(signed_volume(mesh), rel=0.03)
    assert measure_topology(fewer).watertight


def test_decimation_keeps_colours_at_their_places() -> None:
    mug = build_kit()[3].mesh
    fewer = decimate(mug, 1500)
    assert len(fewer.faces) <= 1500
    assert fewer.colors is not None
    points, faces, weights = sample_surface(fewer, 2000)
    _, near, spots = ProximityQuery(mug).closest(points)
    got, expected = surface_colors(fewer, faces, weights), surface_colors(mug, near, spots)
    assert got is not None
    assert expected is not None
    assert np.median(np.abs(got - expected)) < 3
    assert (np.abs(got - expected).mean(axis=1) < 30).mean() > 0.9


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31))
def test_distance_to_a_box_is_that_of_its_formula(seed: int) -> None:
    points = np.random.default_rng(seed).uniform(-0.2, 0.2, (50, 3))
    half = np.array([0.06, 0.09, 0.14]) / 2
    beyond = np.abs(points) - half
    expected = np.abs(np.linalg.norm(np.maximum(beyond, 0), axis=1) + np.minimum(beyond.max(axis=1), 0))
    distances, faces, weights = ProximityQuery(box()).closest(points)
    spots = np.einsum("nk,nkd->nd", weights, box().vertices[box().faces[faces]])
    np.testing.assert_allclose(distances, np.linalg.norm(points - spots, axis=1), atol=1e-12)
    np.testing.assert_allclose(distances, expected, atol=2e-3)
    assert (distances >= expected - 1e-12).all()
