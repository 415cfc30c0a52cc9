"""Symmetries found again in bodies that were made with them, and in published objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from posebot.core.objects import Mesh, ObjectModel
from posebot.core.transforms import exp, inverse, rotation_angle
from posebot.objects.bop_models import load_objects
from posebot.objects.kit import build_kit
from posebot.objects.symmetry import Symmetries, find_symmetries
from tests.objects.sample_meshes import box, l_shape, placed, prism, star

CONFUSED = {  # near symmetries of kit objects
    "tea_box": {"matches the shape but not the texture": "180° rotation about z"},
    "can": {"matches the shape but not the texture": "rotation about z"},
}
poses = arrays(float, 6, elements=st.floats(-1, 1)).map(lambda twist: exp(twist * [0.1, 0.1, 0.1, 2, 2, 2]))


def turn(fold: int) -> np.ndarray:
    return exp([0, 0, 0, 0, 0, 2 * np.pi / fold])


def assert_has(found: Symmetries, transform: np.ndarray) -> None:
    """One of the discrete symmetries is `transform`, up to a degree and a millimetre."""
    angles = [float(rotation_angle(t[:3, :3], transform[:3, :3])) for t in found.discrete]
    best = int(np.argmin(angles))
    assert angles[best] < np.deg2rad(1.0)
    np.testing.assert_allclose(found.discrete[best][:3, 3], transform[:3, 3], atol=1.5e-3)


@settings(max_examples=5)
@given(fold=st.integers(2, 6), pose=poses)
def test_a_tapered_star_turns_about_its_axis_only(fold: int, pose: np.ndarray) -> None:
    found = find_symmetries(placed(prism(star(fold), 0.06, top=0.7), pose))
    assert len(found.discrete) == fold - 1
    assert not found.continuous
    assert_has(found, pose @ turn(fold) @ inverse(pose))


@settings(max_examples=4)
@given(fold=st.integers(2, 6), pose=poses)
def test_a_straight_star_can_be_turned_over_too(fold: int, pose: np.ndarray) -> None:
    found = find_symmetries(placed(prism(star(fold), 0.06), pose))
    assert len(found.discrete) == 2 * fold - 1
    assert_has(found, pose @ exp([0, 0, 0, np.pi, 0, 0]) @ inverse(pose))


@settings(max_examples=3)
@given(pose=poses, straight=st.booleans())
def test_round_bodies(pose: np.ndarray, straight: bool) -> None:
    found = find_symmetries(placed(prism(star(1, depth=0.0), 0.13, top=1.0 if straight else 0.6), pose))
    assert len(found.continuous) == 1
    axis = found.continuous[0]
    assert abs(float(axis.axis @ pose[:3, 2])) > np.cos(np.deg2rad(1.0))
    away = pose[:3, 3] - axis.offset
    assert np.linalg.norm(away - (away @ axis.axis) * axis.axis) < 1.5e-3
    assert len(found.discrete) == int(straight)
    if straight:
        assert abs(float(found.discrete[0][:3, :3] @ axis.axis @ axis.axis) + 1) < 1e-6


@settings(max_examples=6)
@given(pose=poses)
def test_what_has_none_is_given_none(pose: np.ndarray) -> None:
    assert find_symmetries(placed(l_shape(), pose)).describe() == "none"


@pytest.mark.parametrize(("size", "count"), [((0.06, 0.09, 0.14), 3), ((0.09, 0.09, 0.14), 7), ((0.1, 0.1, 0.1), 23)])
def test_boxes_have_groups_that_are_closed_and_exact(size: tuple[float, float, float], count: int) -> None:
    found = find_symmetries(box(size))
    assert len(found.discrete) == count
    group = [np.eye(4), *found.discrete]
    for one in group:
        np.testing.assert_allclose(np.abs(one[:3, :3]).round(9) % 1, 0)  # exact along the frame's axes
        np.testing.assert_allclose(one[:3, 3], 0)
        for other in group:
            assert any(np.allclose(one @ other, member) for member in group)


def test_a_ball_turns_about_anything() -> None:
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.05)
    found = find_symmetries(Mesh(np.asarray(ball.vertices), np.asarray(ball.faces, dtype=np.int32)))
    assert len(found.continuous) >= 2
    assert not found.discrete


def test_a_notch_breaks_the_symmetry() -> None:
    outline = star(4)
    outline[:6] *= 0.8
    assert not find_symmetries(prism(outline, 0.06, top=0.7)).discrete


def painted_box() -> Mesh:
    """A box of 16 x 16 squares on each side, the upper end red."""
    from posebot.objects.subdivision import bisect_faces

    mesh = box((0.06, 0.08, 0.12))
    for _ in range(10):
        mesh = bisect_faces(mesh, np.ones(len(mesh.faces), dtype=bool))
    colors = np.where(mesh.vertices[:, 2:] > 0.02, np.uint8((200, 20, 20)), np.uint8((230, 230, 230)))
    return Mesh(mesh.vertices, mesh.faces, colors.astype(np.uint8))


def test_a_print_that_does_not_fit_rules_a_turn_out() -> None:
    found = find_symmetries(painted_box())
    assert len(found.discrete) == 1
    np.testing.assert_allclose(found.discrete[0], exp([0, 0, 0, 0, 0, np.pi]), atol=1e-9)
    assert any(text.startswith("matches the shape but not the texture: ") for text in found.near_symmetries)
    assert len(find_symmetries(painted_box(), use_colors=False).discrete) == 3


@pytest.mark.parametrize("model", build_kit().values(), ids=lambda model: model.label)
def test_the_kit_declares_what_is_found(model: ObjectModel) -> None:
    found = find_symmetries(model.mesh)
    assert len(found.discrete) == len(model.symmetries_discrete)
    assert len(found.continuous) == len(model.symmetries_continuous)
    for symmetry, declared in zip(found.continuous, model.symmetries_continuous, strict=True):
        np.testing.assert_allclose(np.abs(symmetry.axis), np.abs(declared.axis), atol=1e-9)
        np.testing.assert_allclose(symmetry.offset, declared.offset, atol=1e-9)
    if not model.symmetries_continuous:
        for declared_turn in model.symmetries_discrete:
            assert any(np.allclose(t, declared_turn, atol=1e-9) for t in found.discrete)
    assert bool(found.near) == (model.label == "spanner")  # its two ends differ by little
    for start, words in CONFUSED.get(model.label, {}).items():
        assert any(text.startswith(start) and words in text for text in found.near_symmetries)


@pytest.mark.parametrize("obj_id", [1, 9, 10, 11])
def test_linemod_occlusion(obj_id: int, real_data: Path) -> None:
    model = load_objects(real_data / "lmo" / "models")[obj_id]
    found = find_symmetries(model.mesh)
    assert (len(found.discrete), len(found.continuous)) == (len(model.symmetries_discrete), 0)
    for declared in model.symmetries_discrete:  # the published ones map the meshes to 1.2-1.4 mm, ours to 1.0-1.1
        assert np.rad2deg(rotation_angle(found.discrete[0][:3, :3], declared[:3, :3])) < 2.0


@pytest.mark.parametrize("obj_id", [13, 15, 16, 19, 21])
def test_ycb_objects_that_have_no_print(obj_id: int, real_data: Path) -> None:
    model = load_objects(real_data / "ycb" / "models")[obj_id]
    found = find_symmetries(model.mesh)
    counts = (len(found.discrete), len(found.continuous))
    assert counts == (len(model.symmetries_discrete), len(model.symmetries_continuous))
    for declared in model.symmetries_discrete:
        angles = [np.rad2deg(rotation_angle(t[:3, :3], declared[:3, :3])) for t in found.discrete]
        assert min(angles) < 2.0
