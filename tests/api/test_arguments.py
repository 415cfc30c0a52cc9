"""What is wrong with an image, its camera or its depth is said in one line, with what would be right."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import posebot
from posebot.api.arguments import frame_from

K = [[100.0, 0, 31.5], [0, 100, 23.5], [0, 0, 1]]
RGB = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)
DEPTH = np.full((48, 64), 0.5)


def _frame(image: Any = RGB, **given: Any) -> posebot.Frame:
    arguments = {"K": K, "camera": None, "depth": None, "base_from_cam": None, "frame_id": "", "captured_at": None}
    return frame_from(image, **(arguments | given))


def test_arrays_become_a_frame() -> None:
    depth = DEPTH.copy()
    depth[0, :3] = np.nan, np.inf, 0
    frame = _frame(depth=depth, base_from_cam=np.eye(4).tolist(), frame_id="a/1", captured_at=3.5)
    assert (frame.frame_id, frame.captured_at, frame.camera) == ("a/1", 3.5, posebot.Camera(np.array(K), 64, 48))
    assert frame.depth is not None and frame.depth.dtype == np.float32
    assert frame.depth[0, :4].tolist() == [0, 0, 0, 0.5]
    assert _frame(K=np.ravel(K)).camera == frame.camera
    assert _frame(RGB[:, ::-1]).rgb.flags.c_contiguous


def test_files_and_pil_images_are_taken(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "shelf.png")
    for image in (tmp_path / "shelf.png", str(tmp_path / "shelf.png"), Image.fromarray(RGB)):
        assert np.array_equal(_frame(image).rgb, RGB)
    assert _frame(tmp_path / "shelf.png").frame_id == "shelf"


def test_a_frame_is_taken_as_it_is() -> None:
    frame = _frame(depth=DEPTH)
    assert _frame(frame, K=None) is frame
    with pytest.raises(posebot.InputError, match="depth: is given beside a Frame; the Frame holds it"):
        _frame(frame, K=None, depth=DEPTH)


@pytest.mark.parametrize(("change", "code", "message"), [
    ({"image": RGB / 255.0}, "bad_image", "rgb: is float64 (48, 64, 3); uint8 (height, width, 3), red first"),
    ({"image": RGB[..., 0]}, "bad_image", "rgb: has no colour channels, uint8 (48, 64); np.repeat(grey[..., None]"),
    ({"image": np.zeros((48, 64, 4), np.uint8)}, "bad_image", "alpha channel, uint8 (48, 64, 4); image[..., :3]"),
    ({"image": RGB.T}, "bad_image", "rgb: is uint8 (3, 64, 48)"),
    ({"image": "nowhere.png"}, "bad_image", "nowhere.png: no such file"),
    ({"K": None}, "bad_intrinsics", "K: is missing; K, the 3x3 pinhole matrix of this image"),
    ({"camera": posebot.Camera(np.array(K), 64, 48)}, "bad_intrinsics", "K: is given beside camera"),
    ({"K": None, "camera": posebot.Camera(np.array(K), 640, 480)}, "bad_intrinsics",
     "image is 64x48, camera says 640x480"),
    ({"K": np.eye(4)}, "bad_intrinsics", "K: has shape (4, 4); 3x3: [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], pixels"),
    ({"K": np.transpose(K)}, "bad_intrinsics", "last row 0 0 1"),
    ({"depth": (DEPTH * 1000).astype(np.uint16)}, "bad_depth", "depth: is uint16; float32 metres: depth.astype("),
    ({"depth": DEPTH * 1000}, "bad_depth", "depth: has the median 500, which looks like millimetres; float32 metres"),
    ({"depth": -DEPTH}, "bad_depth", "depth: has negative values, down to -0.5"),
    ({"depth": DEPTH[:24]}, "bad_depth", "depth: has shape (24, 64); (48, 64), registered to the image"),
    ({"base_from_cam": np.eye(3)}, "bad_pose", "base_from_cam: has shape (3, 3); 4x4"),
    ({"base_from_cam": np.eye(4) + np.eye(4, k=3) * 400}, "bad_pose", "base_from_cam: is 400 m away from the base"),
    ({"base_from_cam": np.ones((4, 4))}, "bad_pose", "base_from_cam is not a rigid transform"),
])
def test_wrong_arguments(change: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(posebot.InputError) as caught:
        _frame(**change)
    assert message in str(caught.value)
    assert caught.value.code == code


def test_the_callable_model_checks_too(model: posebot.Model) -> None:
    call: Callable[..., Any] = model
    with pytest.raises(posebot.InputError, match="K: is missing"):
        call(RGB)
    frame = replace(posebot.example_frame(), depth=None)
    assert model(frame).image_camera is frame.camera
