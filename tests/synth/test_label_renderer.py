from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import trimesh
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from posebot.core.camera import project, rays, unproject
from posebot.core.objects import ObjectModel
from posebot.core.transforms import Array, apply, inverse, make, rotation_from_vector
from posebot.synth.label_renderer import LabelRenderer
from tests.synth.scenes import BOX, CAMERA, box_item, rod_item, scene

few = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
turns = st.tuples(*[st.floats(-3, 3)] * 3)
places = st.tuples(st.floats(-0.25, 0.25), st.floats(-0.2, 0.2), st.floats(0.3, 1.2))


def pose(turn: tuple[float, ...], place: tuple[float, ...]) -> Array:
    return make(rotation_from_vector(np.array(turn)), place)


def rays_that_hit_box(cam_from_obj: Array, grown: float = 1.0) -> tuple[NDArray[np.bool_], Array]:
    """Which pixels (H, W) the box covers at their centres, and how far in; a check that knows nothing of OpenGL."""
    columns, rows = np.meshgrid(np.arange(CAMERA.width), np.arange(CAMERA.height))
    obj_from_cam = inverse(cam_from_obj)
    directions = rays(CAMERA.K, np.stack([columns, rows], axis=-1)) @ obj_from_cam[:3, :3].T
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # rays along a face
        steps = (np.array([[-0.5], [0.5]]) * BOX * grown - obj_from_cam[:3, 3]) / directions[..., None, :]
    enter, leave = steps.min(axis=-2).max(axis=-1), steps.max(axis=-2).min(axis=-1)
    return enter < leave, enter


@few
@given(turn=turns, place=places)
def test_a_pixel_is_the_objects_where_the_ray_of_its_centre_meets_it(
    label_renderer: LabelRenderer, turn, place
) -> None:
    cam_from_obj = pose(turn, place)
    labels = label_renderer.render(scene(box_item(cam_from_obj)))
    hits, depth = rays_that_hit_box(cam_from_obj)
    visible = labels.ground_truths[0].mask_visib
    assert not (rays_that_hit_box(cam_from_obj, 0.998)[0] & ~visible).any()
    assert not (visible & ~rays_that_hit_box(cam_from_obj, 1.002)[0]).any()
    both = hits & visible
    np.testing.assert_allclose(labels.depth[both], depth[both], atol=2e-4)
    assert not labels.depth[~visible].any()


@few
@given(turn=turns, place=places)
def test_visible_pixels_lie_on_the_surface(
    label_renderer: LabelRenderer, objects: Mapping[int, ObjectModel], turn, place
) -> None:
    labels = label_renderer.render(scene(rod_item(pose(turn, place)), box_item(make(translation=[0.02, 0.03, 0.7]))))
    for truth in labels.ground_truths:
        points = unproject(CAMERA.K, labels.depth)[truth.mask_visib]
        if len(points):
            mesh = objects[truth.obj_id].mesh
            surface = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
            local = apply(inverse(truth.cam_from_obj), points)
            _, away, faces = trimesh.proximity.closest_point_naive(surface, local)
            sight = local - inverse(truth.cam_from_obj)[:3, 3]
            cosine = np.abs((sight * surface.face_normals[faces]).sum(axis=1)) / np.linalg.norm(sight, axis=1)
            # rasterisers snap vertices to 1/256 pixel, which moves the depth of a face that is seen edge-on the most
            assert (away < 1e-4 + 2e-4 / np.clip(cosine, 0.05, 1)).all()


@few
@given(turn=turns, place=places)
def test_what_is_seen_is_part_of_the_whole(label_renderer: LabelRenderer, turn, place) -> None:
    labels = label_renderer.render(scene(box_item(pose(turn, place)), rod_item(make(translation=[0, 0, 0.5]))))
    for truth in labels.ground_truths:
        assert not (truth.mask_visib & ~truth.mask).any()
        assert truth.mask.sum() <= truth.px_count_all
    assert not (labels.ground_truths[0].mask_visib & labels.ground_truths[1].mask_visib).any()


def test_a_hidden_object_keeps_its_whole_mask(label_renderer: LabelRenderer) -> None:
    far, near = rod_item(make(translation=[0, 0, 1.2])), box_item(make(translation=[0, 0, 0.4]))
    hidden, front = label_renderer.render(scene(far, near)).ground_truths
    assert hidden.obj_id == 5
    assert not hidden.mask_visib.any()
    assert hidden.mask.sum() == hidden.px_count_all > 50
    assert np.array_equal(front.mask, front.mask_visib)


def test_things_that_are_not_to_be_found_hide_and_have_no_label(label_renderer: LabelRenderer) -> None:
    from dataclasses import replace

    near = replace(box_item(make(translation=[0, 0, 0.4])), obj_id=0)
    labels = label_renderer.render(scene(rod_item(make(translation=[0, 0, 1.2])), near))
    assert [truth.obj_id for truth in labels.ground_truths] == [5]
    assert not labels.ground_truths[0].mask_visib.any()


def test_an_object_across_the_border_is_counted_and_boxed_whole(label_renderer: LabelRenderer) -> None:
    (cut,) = label_renderer.render(scene(box_item(make(translation=[-0.28, 0, 0.6])))).ground_truths
    assert cut.box_amodal[0] < -5
    assert 0 < cut.mask.sum() < 0.8 * cut.px_count_all
    assert cut.mask.sum() == pytest.approx(rays_that_hit_box(cut.cam_from_obj)[0].sum(), abs=20)
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]) * BOX
    pixels = project(CAMERA.K, apply(cut.cam_from_obj, corners))
    np.testing.assert_allclose(cut.box_amodal, [*pixels.min(axis=0), *pixels.max(axis=0)], atol=1.01)


def test_an_object_behind_the_camera_has_no_pixels(label_renderer: LabelRenderer) -> None:
    (truth,) = label_renderer.render(scene(box_item(make(translation=[0, 0, -0.5])))).ground_truths
    assert not truth.mask.any()
    assert truth.px_count_all == 0


def test_depth_alone_is_the_same_depth(label_renderer: LabelRenderer) -> None:
    made = scene(box_item(make(translation=[0, 0, 0.5])))
    assert np.array_equal(label_renderer.render_depth(made), label_renderer.render(made).depth)
