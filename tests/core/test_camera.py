"""Pixels, boxes and crops: half-pixel slips cost millimetres, so each convention is held against OpenCV."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.core import camera as cam
from posebot.core.camera import Camera
from posebot.core.errors import InputError

K = np.array([[572.4, 0.3, 325.3], [0, 573.6, 242.0], [0, 0, 1]])
coordinate = st.floats(-200, 800)
size = st.floats(1, 400)


@st.composite
def boxes(draw: st.DrawFn) -> np.ndarray:
    x, y = draw(coordinate), draw(coordinate)
    return np.array([x, y, x + draw(size), y + draw(size)])


def _blob(width: int, height: int, u: float, v: float, sigma: float = 3.0) -> np.ndarray:
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * sigma**2)).astype(np.float32)


def _centroid(image: np.ndarray) -> np.ndarray:
    x, y = np.meshgrid(np.arange(image.shape[1]), np.arange(image.shape[0]))
    return np.array([(x * image).sum(), (y * image).sum()]) / image.sum()


def test_project_agrees_with_opencv() -> None:
    points = np.random.default_rng(0).uniform([-1, -1, 0.5], [1, 1, 3], size=(50, 3))
    straight = K.copy()
    straight[0, 1] = 0  # OpenCV's model has no skew
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), straight, None)
    np.testing.assert_allclose(cam.project(straight, points), expected[:, 0], atol=1e-9)


@given(st.floats(-50, 700), st.floats(-50, 500), st.floats(0.1, 5))
def test_project_inverts_rays(u: float, v: float, z: float) -> None:
    np.testing.assert_allclose(cam.project(K, cam.rays(K, [u, v]) * z), [u, v], atol=1e-8)


def test_unproject_round_trip_and_holes() -> None:
    depth = np.random.default_rng(0).uniform(0.3, 2, size=(48, 64)).astype(np.float32)
    depth[10, 20] = 0
    points = cam.unproject(K, depth)
    np.testing.assert_array_equal(points[10, 20], 0)
    np.testing.assert_allclose(points[..., 2], depth)
    rows, columns = np.nonzero(depth)
    np.testing.assert_allclose(cam.project(K, points[rows, columns]), np.stack([columns, rows], -1), atol=1e-9)


@pytest.mark.parametrize(("width", "height"), [(128, 96), (33, 75), (320, 240)])
def test_resized_camera_agrees_with_cv2_resize(width: int, height: int) -> None:
    point = np.array([0.05, -0.03, 0.8])
    u, v = cam.project(K, point)
    picture = _blob(640, 480, u, v, sigma=12.0)
    resized = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    K_small = cam.resize_K(K, width / 640, height / 480)
    np.testing.assert_allclose(_centroid(resized), cam.project(K_small, point), atol=0.02)


def test_scaled_camera() -> None:
    half = Camera(K, 640, 480).scaled(0.5)
    assert (half.width, half.height) == (320, 240)
    np.testing.assert_allclose(half.K[:2, 2], (K[:2, 2] + 0.5) / 2 - 0.5)


@given(st.floats(200, 430), st.floats(160, 320), st.floats(-3, 3), st.floats(60, 120), st.floats(60, 120))
def test_crop_agrees_with_warp_affine(u: float, v: float, angle: float, width: float, height: float) -> None:
    picture = _blob(640, 480, u, v)
    matrix = cam.crop_matrix([u - width / 2 - 4, v - height / 2 + 7, u + width / 2, v + height / 2], 128, 1.25, angle)
    crop = cv2.warpAffine(picture, matrix[:2], (128, 128), flags=cv2.INTER_LINEAR)
    np.testing.assert_allclose(_centroid(crop), cam.transform_pixels(matrix, [u, v]), atol=0.05)


@given(boxes(), st.integers(8, 256), st.floats(1, 2))
def test_crop_without_pad_covers_the_box_edge_to_edge(box: np.ndarray, size: int, pad: float) -> None:
    matrix = cam.crop_matrix(box, size, pad)
    centre, side = (box[:2] + box[2:]) / 2, max(box[2:] - box[:2]) * pad
    corners = cam.transform_pixels(matrix, np.stack([centre - side / 2, centre + side / 2]))
    np.testing.assert_allclose(corners, [[-0.5, -0.5], [size - 0.5, size - 0.5]], atol=1e-6)


@given(boxes(), st.floats(-3, 3), coordinate, coordinate)
def test_crop_and_back(box: np.ndarray, angle: float, u: float, v: float) -> None:
    matrix = cam.crop_matrix(box, 128, 1.25, angle)
    there = cam.transform_pixels(matrix, [u, v])
    np.testing.assert_allclose(cam.transform_pixels(np.linalg.inv(matrix), there), [u, v], atol=1e-6)


def test_the_crops_camera_is_the_crop_of_the_projection() -> None:
    matrix = cam.crop_matrix([300, 200, 380, 260], 128)
    point = np.array([0.03, -0.01, 0.9])
    np.testing.assert_allclose(cam.project(matrix @ K, point), cam.transform_pixels(matrix, cam.project(K, point)))


def test_a_degenerate_box_gives_a_finite_crop() -> None:
    assert np.isfinite(cam.crop_matrix([5, 5, 5, 5], 128)).all()


@given(st.integers(0, 600), st.integers(0, 400), st.integers(1, 300), st.integers(1, 300))
def test_bop_boxes_round_trip(x: int, y: int, w: int, h: int) -> None:
    assert cam.box_to_bop(cam.box_from_bop([x, y, w, h])) == [x, y, w, h]


@given(st.integers(0, 30), st.integers(0, 20), st.integers(1, 9), st.integers(1, 9))
def test_box_from_mask_counts_whole_pixels(x: int, y: int, w: int, h: int) -> None:
    mask = np.zeros((30, 40), dtype=bool)
    mask[y:y + h, x:x + w] = True
    box = cam.box_from_mask(mask)
    assert box is not None
    assert cam.box_to_bop(box) == [x, y, w, h]


def test_box_of_an_empty_mask_is_none() -> None:
    assert cam.box_from_mask(np.zeros((4, 4), dtype=bool)) is None


@given(boxes(), boxes())
def test_iou_is_symmetric_and_bounded(a: np.ndarray, b: np.ndarray) -> None:
    iou = cam.box_iou([a, b], [a, b])
    np.testing.assert_allclose(np.diag(iou), 1)
    assert iou[0, 1] == iou[1, 0]
    assert 0 <= iou[0, 1] <= 1 + 1e-9


def test_iou_of_known_boxes() -> None:
    np.testing.assert_allclose(cam.box_iou([0, 0, 2, 2], [[1, 1, 3, 3], [2, 0, 4, 2]]), [[1 / 7, 0]])
    assert cam.box_iou(np.zeros((0, 4)), np.zeros((3, 4))).shape == (0, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.eye(3)[:2], 640, 480), "camera: K has 6 numbers; 9 are needed (row-major 3x3, pixels)"),
        ((np.zeros((3, 3)), 640, 480), "not a pinhole matrix"),
        ((np.full(9, np.nan), 640, 480), "not a pinhole matrix"),
        ((K, 0, 480), "size 0x480"),
        ((K, 640, 480, np.zeros(3)), "distortion has 3 numbers; 0, 4, 5, 8, 12 or 14"),
    ],
)
def test_wrong_cameras_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Camera(*arguments)
    assert message in str(caught.value)


def test_camera_takes_flat_K_and_knows_its_distortion() -> None:
    camera = Camera(K.ravel(), 640, 480, [0.1, 0, 0, 0, 0])
    assert camera.K.shape == (3, 3)
    assert camera.distorted
    assert not camera.undistorted().distorted
    np.testing.assert_allclose(camera.project([0, 0, 1]), K[:2, 2])
