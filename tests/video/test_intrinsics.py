from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.config import Document, read_yaml
from posebot.core.camera import Camera, project
from posebot.core.errors import InputError, IntrinsicsError
from posebot.video.intrinsics import Intrinsics, IntrinsicsFile, intrinsics_from, load_intrinsics

PINHOLE = {"fx": 572.4, "fy": 573.6, "cx": 325.3, "cy": 242.0, "width": 640, "height": 480}
K = [572.4, 0, 325.3, 0, 573.6, 242.0, 0, 0, 1]
ROS = """
image_width: 640
image_height: 480
camera_name: wrist
camera_matrix: {rows: 3, cols: 3, data: [572.4, 0, 325.3, 0, 573.6, 242.0, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.2, 0.001, 0.002, 0.0]}
"""
OPENCV = """%YAML:1.0
---
image_width: 640
image_height: 480
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 572.4, 0., 325.3, 0., 573.6, 242.0, 0., 0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 5
   cols: 1
   dt: d
   data: [ 0.1, -0.2, 0.001, 0.002, 0.0 ]
"""
M3T = """%YAML:1.2
intrinsics:
  f_u: 572.4
  f_v: 573.6
  pp_x: 325.3
  pp_y: 242.0
  width: 640
  height: 480
camera2world_pose: !!opencv-matrix
  rows: 4
  cols: 4
  dt: d
  data: [1., 0, 0, 0, 0, 1., 0, 0, 0, 0, 1., 0, 0, 0, 0, 1.]
"""


@pytest.mark.parametrize(("name", "text"), [
    ("bop.json", json.dumps({**PINHOLE, "depth_scale": 0.1})),
    ("k.json", json.dumps({"K": K, "width": 640, "height": 480})),
    ("rows.json", json.dumps({"cam_K": [K[:3], K[3:6], K[6:]], "width": 640, "height": 480})), ("ros.yaml", ROS),
    ("opencv.yml", OPENCV), ("m3t.yaml", M3T),
])
def test_every_form_gives_the_same_camera(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    intrinsics = load_intrinsics(tmp_path / name)
    assert intrinsics.camera.K.ravel().tolist() == K
    assert (intrinsics.camera.width, intrinsics.camera.height) == (640, 480)
    assert intrinsics.camera.distorted == (name in ("ros.yaml", "opencv.yml"))
    assert intrinsics.depth_scale == (0.1 if name == "bop.json" else None)


def test_our_own_form_round_trips() -> None:
    camera = Camera(np.reshape(K, (3, 3)), 640, 480, np.array([0.1, 0.2, 0, 0]))
    again = intrinsics_from(Document("dict", camera.to_dict())).camera
    assert again.to_dict() == camera.to_dict()


@pytest.mark.parametrize(("change", "problem"), [
    ({"fx": None}, "finite"), ({"fy": "wide"}, "finite"), ({"width": None}, "width is missing"),
    ({"height": 480.5}, "height"), ({"fx": -1}, "pinhole"), ({"K": [1, 2, 3]}, "3 numbers"),
    ({"distortion": [0.1]}, "distortion"), ({"distortion_model": "equidistant"}, "equidistant"),
    ({"depth_scale": 0}, "depth_scale"), ({"depth_scale": "mm"}, "mm"), ({"fx": [1, 2]}, "fx: has 2 numbers"),
    ({"width": float("inf")}, "width: is inf"),
])
def test_a_wrong_field_is_named(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        intrinsics_from(Document("camera.json", {**PINHOLE, **change}, error_class=IntrinsicsError))
    assert str(caught.value).startswith("camera.json")


@pytest.mark.parametrize("text", ["{", "[1, 2]", "", "\x00"])
def test_a_file_of_another_kind_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "camera.json"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_intrinsics(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "text", "error"), [
    ("a.json", '{\n\t"fx": 1, "fy": 1,\n\t"cx": 1, "cy": "wide",\n\t"width": 4, "height": 3}',
     "a.json:3: cy: 'wide' is not a list of finite numbers; pixels"),
    ("a.json", '{"fx": 1,\n "width": 4, "height": 3}', "a.json:1: fy, cx, cy missing; for example"),
    ("ros.yaml", ROS.replace("plumb_bob", "equidistant"), "ros.yaml:6: distortion_model: is 'equidistant'; plumb_bob"),
    ("cv.yml", OPENCV.replace(" 0., 0., 1. ]", " 1. ]"),
     "cv.yml:5: camera_matrix: has 7 numbers; 9 are needed"),
    ("m3t.yaml", M3T.replace("640", "wide"), "m3t.yaml:7: intrinsics.width: is 'wide'; the image size in pixels"),
    ("m3t.yaml", M3T.replace("f_u: 572", "f_u: -572"), "m3t.yaml:2: intrinsics: K = [-572.4, 0.0, 325.3"),
    ("k.yaml", "fx: 1\nfy: 1\nfx: 2\n", "k.yaml:3: fx: given twice, before on line 1"),
])
def test_an_error_names_line_and_key(tmp_path: Path, name: str, text: str, error: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(IntrinsicsError) as caught:
        load_intrinsics(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path}/{error}")


@pytest.mark.parametrize(("change", "right"), [
    ({}, True), ({"depth_scale": 0.1, "distortion": [0.1, 0.2, 0.0, 0.0], "name": "wrist"}, True), ({"cx": 0}, True),
    ({"fx": 0}, False), ({"width": 640.5}, False), ({"height": 0}, False), ({"depth_scale": 1e4}, False),
    ({"cy": "wide"}, False), ({"distortion": 0.1}, False)])
def test_the_schema_of_the_plain_form_allows_what_is_read(tmp_path: Path, change: dict[str, Any], right: bool) -> None:
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(PINHOLE | change))
    for read in (load_intrinsics, lambda file: read_yaml(file, IntrinsicsFile, error_class=IntrinsicsError)):
        if right:
            assert read(path)
            continue
        with pytest.raises(IntrinsicsError):
            read(path)


def test_a_missing_field_says_what_a_file_looks_like() -> None:
    with pytest.raises(InputError, match=r"fx missing.*for example"):
        intrinsics_from(Document("camera.json", {key: value for key, value in PINHOLE.items() if key != "fx"}))


def test_size_must_fit_unless_scaling_is_asked_for() -> None:
    intrinsics = intrinsics_from(Document("camera.json", PINHOLE))
    assert intrinsics.for_size(640, 480) is intrinsics.camera
    with pytest.raises(InputError, match="--scale-camera"):
        intrinsics.for_size(320, 240)
    for stretched in ((320, 480), (640, 479), (641, 480)):
        with pytest.raises(InputError, match="aspect"):
            intrinsics.for_size(*stretched, scale=True)


@given(factor=st.integers(1, 8), x=st.floats(-0.4, 0.4), y=st.floats(-0.3, 0.3))
def test_a_scaled_camera_sees_points_where_the_resized_picture_has_them(factor: int, x: float, y: float) -> None:
    camera = intrinsics_from(Document("camera.json", PINHOLE)).camera
    scaled = Intrinsics(camera).for_size(640 * factor // 2, 480 * factor // 2, scale=True)
    before, after = project(camera.K, [x, y, 1.0]), project(scaled.K, [x, y, 1.0])
    assert np.allclose(after, (before + 0.5) * factor / 2 - 0.5)


def test_the_real_camera_files(real_data: Path) -> None:
    files = [*sorted(real_data.glob("**/camera.json")), *sorted(real_data.glob("**/color_camera.yaml"))]
    assert files
    for file in files:
        assert load_intrinsics(file).camera.width >= 640
