from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posebot.core.camera import project
from posebot.core.frame import Frame
from posebot.core.results import FrameResult, PoseEstimate, Region90
from posebot.core.transforms import apply, make, perturb
from posebot.objects.bop_models import make_object
from posebot.video.mesh_outline import MAX_FACES, MeshOutline
from posebot.video.overlay import COLORS, Overlay, draw_overlay, label_of
from tests.video.image_files import image
from tests.video.plumbing import BOX, CAM_FROM_BRICK, CAMERA, HEIGHT, SIZE, WIDTH, brick

BRICK = make_object(1, "brick", brick())
ESTIMATE = PoseEstimate("brick", 1, 0.9, BOX, "ok", "", CAM_FROM_BRICK, p_correct=0.93, fit=0.71,
                        region90=Region90(2.04, 3.0))


def result(*estimates: PoseEstimate) -> FrameResult:
    return FrameResult("a/1", 1.0, CAMERA, estimates, 120.0, {"total": 90.0}, dropped=2)


def draw(*estimates: PoseEstimate, scale: int = 1) -> np.ndarray:
    return Overlay([BRICK], scale).draw(Frame(image(1), CAMERA), result(*estimates))


def near(drawn: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return np.abs(drawn.astype(int) - color).sum(axis=-1) < 40


def test_the_outline_of_a_brick_is_its_projected_front() -> None:
    lines = MeshOutline(brick()).lines(CAMERA.K, CAM_FROM_BRICK, WIDTH, HEIGHT)
    points = np.concatenate(lines.contours)
    assert np.allclose(points.min(axis=0), BOX[:2], atol=1.0)
    assert np.allclose(points.max(axis=0), BOX[2:], atol=1.0)


def test_edges_behind_the_surface_are_not_drawn() -> None:
    tilted = perturb(CAM_FROM_BRICK, [0, 0, 0, 0.5, 0.5, 0])
    lines = MeshOutline(brick()).lines(CAMERA.K, tilted, WIDTH, HEIGHT)
    hidden = np.array([0.5, -0.5, 0.5]) * SIZE  # the corner of the brick that is farthest from the camera
    corners = apply(tilted, (np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2) * SIZE)
    farthest = project(CAMERA.K, corners[corners[:, 2].argmax()])
    assert hidden.shape == (3,)
    assert len(lines.sharp_edges) > 20
    assert np.linalg.norm(lines.sharp_edges - farthest, axis=-1).min() > 3


@given(twist=st.tuples(*[st.floats(-3, 3)] * 6), scale=st.floats(0.01, 30))
@settings(max_examples=40)
def test_no_pose_breaks_the_outline(twist: tuple[float, ...], scale: float) -> None:
    pose = perturb(make(translation=[0, 0, 0.3]), np.array(twist) * [scale, scale, scale, 1, 1, 1])
    lines = MeshOutline(brick()).lines(CAMERA.K, pose, WIDTH, HEIGHT)
    for contour in lines.contours:
        assert np.isfinite(contour).all()
        assert (contour > -3).all()
        assert (contour < [WIDTH + 3, HEIGHT + 3]).all()


def test_a_fine_mesh_is_made_coarse_and_keeps_its_extents() -> None:
    import trimesh

    from posebot.core.objects import Mesh

    sphere = trimesh.creation.icosphere(subdivisions=5, radius=0.05)
    outline = MeshOutline(Mesh(np.asarray(sphere.vertices), np.asarray(sphere.faces, np.int32)))
    assert len(outline.faces) <= MAX_FACES
    assert np.allclose(np.ptp(outline.vertices, axis=0), 0.1, atol=0.003)
    assert len(outline.sharp_edges) == 0


def test_the_picture_itself_is_left_as_it_is() -> None:
    frame = Frame(image(1), CAMERA)
    before = frame.rgb.copy()
    drawn = Overlay([BRICK]).draw(frame, result(ESTIMATE))
    assert np.array_equal(frame.rgb, before)
    assert drawn.shape[1] == WIDTH
    assert drawn.shape[0] > HEIGHT
    assert not np.array_equal(drawn[:HEIGHT], before)


@pytest.mark.parametrize("status", ["ok", "low_certainty", "no_pose"])
def test_the_status_has_a_colour(status: str) -> None:
    pose = None if status == "no_pose" else CAM_FROM_BRICK
    drawn = draw(ESTIMATE.replace(status=status, cam_from_obj=pose))
    assert near(drawn[:HEIGHT], COLORS[status]).sum() > 50
    others = [color for name, color in COLORS.items() if name != status]
    assert not any(near(drawn[:HEIGHT], color).any() for color in others)


def test_the_label_lies_beside_the_object() -> None:
    plain, drawn = image(1), draw(ESTIMATE.replace(cam_from_obj=None, status="no_pose"))
    x0, y0, x1, y1 = np.rint(BOX).astype(int)
    inside = (slice(y0 + 2, y1 - 1), slice(x0 + 2, x1 - 1))
    assert np.array_equal(drawn[inside], plain[inside])


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_any_size_is_even(scale: int) -> None:
    drawn = draw(ESTIMATE, scale=scale)
    assert drawn.shape[0] % 2 == drawn.shape[1] % 2 == 0
    assert drawn.shape[1] == WIDTH * scale


def test_labels_say_what_is_known() -> None:
    assert label_of(ESTIMATE) == "brick  93 %  ±2.0 mm ±3°"
    assert label_of(ESTIMATE.replace(track_id=4, region90=None)) == "brick #4  93 %"
    assert label_of(ESTIMATE.replace(p_correct=float("nan"), region90=None)) == "brick  uncalibrated"
    assert label_of(ESTIMATE.replace(status="no_pose")) == "brick  no pose"


def test_an_object_without_a_model_still_has_its_box() -> None:
    drawn = draw(ESTIMATE.replace(obj_id=99))
    assert near(drawn[:HEIGHT], COLORS["ok"]).sum() > 50


def test_boxes_and_labels_beyond_the_border_do_no_harm() -> None:
    for box in ([-500, -500, 1000, 1000], [310, 230, 330, 250], [-50, -50, -20, -20]):
        draw(ESTIMATE.replace(box_xyxy=np.array(box, dtype=float)))


def test_an_overlay_by_a_function_leaves_the_image_as_it_is() -> None:
    rgb = image(3)
    before = rgb.copy()
    drawn = draw_overlay(rgb, result(ESTIMATE), [BRICK])
    assert drawn.shape == rgb.shape
    assert drawn.dtype == np.uint8
    assert (drawn != rgb).any()
    np.testing.assert_array_equal(rgb, before)
    assert draw_overlay(rgb, result(ESTIMATE), [BRICK], scale=2).shape == (2 * HEIGHT, 2 * WIDTH, 3)
