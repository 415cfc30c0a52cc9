"""Objects found by their meshes alone: an exact part on an exact table, seen by a depth camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posebot.core.camera import rays, unproject
from posebot.core.errors import InputError
from posebot.core.frame import Frame
from posebot.core.objects import Mesh
from posebot.core.transforms import inverse, make, rotation_from_vector
from posebot.objects.bop_models import make_object
from posebot.stages.segment import above_table, split_at_concavities, table_plane
from posebot.stages.untrained import REASON, UntrainedPipeline
from tests.stages.conftest import DEEP, cast

BASE_FROM_CAM = make(np.diag([1.0, -1, -1]), [0, 0, 0.6]) @ make(rotation_from_vector([0.5, 0, 0]))
BASE_FROM_CAM[:3, 3] -= BASE_FROM_CAM[:3, 2] * 0.1


def lying(turn: float, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    """base_from_obj of the part, lying on the table."""
    return make(rotation_from_vector([0, 0, turn]), [x, y + 0.25, DEEP / 2])


def picture(scenes, poses, noise: float = 0.0, depth: bool = True) -> Frame:
    """Parts at base_from_obj on the table, which is grey."""
    camera = scenes.camera
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    pixels = np.stack([u, v], axis=-1)
    down = rays(camera.K, pixels) @ BASE_FROM_CAM[:3, :3].T
    z = -BASE_FROM_CAM[2, 3] / down[..., 2]
    rgb = np.full((*z.shape, 3), 120, np.uint8)
    for pose in poses:
        view = cast(inverse(BASE_FROM_CAM) @ pose, pixels, camera.K)
        front = (view.depth > 0) & (view.depth < z)
        z, rgb = np.where(front, view.depth, z), np.where(front[..., None], view.colors, rgb)
    z = z + np.random.default_rng(0).normal(scale=noise, size=z.shape) if noise else z
    return Frame(rgb, camera, z.astype(np.float32) if depth else None, BASE_FROM_CAM, "test/1")


def cube() -> Mesh:
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * 0.05
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return Mesh(corners, np.array([face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))], np.int32),
                np.full((8, 3), 90, np.uint8))


@pytest.fixture(scope="module")
def pipeline(scenes):
    return UntrainedPipeline([make_object(2, "cube", cube()), scenes.model])


def test_the_plane_is_the_table(scenes):
    frame = picture(scenes, [lying(0.3)], noise=0.001)
    plane = table_plane(unproject(frame.camera.K, frame.depth).reshape(-1, 3))
    np.testing.assert_allclose(plane[:3], BASE_FROM_CAM[2, :3], atol=0.01)
    assert plane[3] == pytest.approx(BASE_FROM_CAM[2, 3], abs=0.002)


@pytest.mark.parametrize("away", [0.047, 2.0])
def test_poses_are_in_the_frame_of_the_mesh_file(scenes, away):
    """The origin may lie 47 mm or two diameters from the part: the pose is of that origin."""
    model = scenes.model
    shift = np.array([0.6, 0.0, -0.8]) * (away if away < 1 else away * model.diameter)
    mesh = replace(model.mesh, vertices=model.mesh.vertices + shift)
    far = make_object(2, "far", mesh, tuple(make(np.eye(3), shift) @ s @ make(np.eye(3), -shift)
                                            for s in model.symmetries_discrete))
    (found,) = UntrainedPipeline([far])(picture(scenes, [lying(0.4)], noise=0.001)).estimates
    assert scenes.error(found.base_from_obj @ make(np.eye(3), shift), lying(0.4)) < 0.1


def test_without_a_table_nothing_stands(scenes):
    assert above_table(np.zeros((48, 64, 3))) is None
    rng = np.random.default_rng(0)
    assert above_table(rng.uniform([-0.5, -0.5, 0.5], [0.5, 0.5, 1.5], size=(48, 64, 3))) is None


@pytest.mark.parametrize("turn", [-2.0, 0.4, 1.3])
def test_a_part_is_found_and_named(scenes, pipeline, turn):
    pipeline.reset()
    result = pipeline(picture(scenes, [lying(turn)], noise=0.001))
    (found,) = result.estimates
    assert found.label == "bracket"
    assert scenes.error(found.base_from_obj, lying(turn)) < 0.1
    assert (found.status, found.reason, found.region90) == ("low_certainty", REASON, None)
    assert np.isnan(found.p_correct)  # no calibration says how often such a pose is right
    assert found.mask is None and result.stage_ms["total"] > 0


def test_parts_that_lie_on_each_other_are_told_apart(scenes):
    """Both are one piece, of which the upper, which hides most of the lower, explains a part."""
    poses = [lying(0.0), lying(1.2, 0.01, 0.02) @ make(translation=[0, 0, DEEP + 0.001])]
    found = UntrainedPipeline([scenes.model], fuse=False)(picture(scenes, poses, noise=0.0005)).estimates
    for pose in poses:
        assert min(scenes.error(entry.base_from_obj, pose) for entry in found) < 0.1


def test_what_is_none_of_the_objects_is_left_out(scenes):
    assert UntrainedPipeline([make_object(2, "cube", cube())])(picture(scenes, [lying(0.4)])).estimates == ()


def test_views_are_joined_and_never_ok(scenes, pipeline):
    pipeline.reset()
    frame = picture(scenes, [lying(0.4)], noise=0.001)
    pipeline(frame)
    (found,) = pipeline(frame).estimates
    assert (found.views, found.status, found.reason) == (2, "low_certainty", REASON)


def test_a_frame_without_depth_is_refused(scenes, pipeline):
    with pytest.raises(InputError, match="has no depth"):
        pipeline(picture(scenes, [lying(0.4)], depth=False))


def test_holes_and_bad_readings_do_no_harm(scenes, pipeline):
    pipeline.reset()
    frame = picture(scenes, [lying(1.0)], noise=0.001)
    depth = frame.depth.copy()
    bad = np.random.default_rng(0).random(depth.shape)
    depth[bad < 0.1], depth[bad > 0.99] = 0, np.nan
    (found,) = pipeline(replace(frame, depth=depth)).estimates
    assert scenes.error(found.base_from_obj, lying(1.0)) < 0.1


def test_creases_part_what_leans_together():
    """A wall and a ramp at its foot: a concave edge and no jump in depth. Seen as a ridge it is convex, and one."""
    v, u = np.mgrid[:120, :160]
    for side, parts in ((-0.006, 2), (0.006, 1)):
        z = 0.9 + np.where(v < 60, 0.0, side * (v - 60))
        points = np.stack([(u - 80) * z / 300, (v - 60) * z / 300, z], axis=-1)
        assert len(split_at_concavities(np.ones(z.shape, bool), points)) == parts
