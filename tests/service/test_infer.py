from __future__ import annotations

import base64
import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from posebot.core.error_codes import http_status
from posebot.core.errors import PosebotError
from posebot.core.results import FrameResult
from posebot.models.bundle import Bundle
from posebot.service.errors import TooLarge
from posebot.service.settings import Limits
from posebot.service.web.image_decoder import check_header, decode_depth, decode_image
from posebot.stages.pipeline import Pipeline
from tests.service.helpers import CAMERA, Running, depth_picture, encode, picture

LIMITS = Limits(image_bytes=200_000, image_pixels=50_000)


def form(**changes: Any) -> dict[str, Any]:
    files = {"image": ("a.png", changes.pop("image", picture()))}
    if "depth" in changes:
        files["depth"] = ("d.png", changes.pop("depth"))
    fields = {"camera": json.dumps(CAMERA)} | changes
    return {"files": files, "data": {name: value for name, value in fields.items() if value is not None}}


def test_a_picture_gives_what_the_pipeline_gives(service: Running, tiny_bundle: Path) -> None:
    pose = {"position_m": [0.1, 0.2, 0.5], "quaternion_xyzw": [1, 0, 0, 0]}
    asked = form(depth=depth_picture(), depth_scale="1.0", frame_id="mine/1", base_from_cam=json.dumps(pose))
    with service.client("infer") as client:
        answer = client.post("/v1/infer", **asked)
    assert answer.status_code == 200
    result = FrameResult.from_dict(answer.json())
    from posebot.core.camera import Camera
    from posebot.core.frame import Frame
    from posebot.core.transforms import make

    K = np.array([[200.0, 0, 63.5], [0, 200.0, 47.5], [0, 0, 1]])
    frame = Frame(decode_image(picture(), Limits(), "image"), Camera(K, 128, 96), np.full((96, 128), 0.6, np.float32),
                  make(np.diag([1.0, -1, -1]), [0.1, 0.2, 0.5]), "mine/1")
    own = Pipeline(Bundle.open(tiny_bundle), fuse=False)(frame)
    assert result.frame_id == "mine/1"
    boxes = [estimate["box_xyxy"] for estimate in answer.json()["estimates"]]
    assert boxes == [estimate.to_dict()["box_xyxy"] for estimate in own.estimates]
    for mine, theirs in zip(own.estimates, result.estimates, strict=True):
        assert mine.status == theirs.status
        if mine.cam_from_obj is not None:
            np.testing.assert_allclose(mine.cam_from_obj, theirs.cam_from_obj, atol=1e-6)


def test_json_says_the_same_as_a_form(service: Running) -> None:
    body = {"image": base64.b64encode(picture()).decode(), "camera": CAMERA,
            "depth": base64.b64encode(depth_picture()).decode()}
    with service.client("infer") as client:
        one = client.post("/v1/infer", json=body).json()
        two = client.post("/v1/infer", **form(depth=depth_picture())).json()
    assert one["estimates"] == two["estimates"]


@pytest.mark.parametrize(("changes", "status", "words"), [
    ({"image": b"GIF89a" + b"\0" * 40}, 415, "PNG"),
    ({"image": picture()[:500]}, 422, "cut off"),
    ({"image": picture(kind="TIFF")}, 415, "PNG or JPEG or WEBP"),
    ({"camera": "{"}, 422, "JSON"),
    ({"camera": json.dumps(CAMERA | {"width": 640})}, 422, "128x96"),
    ({"camera": json.dumps(CAMERA | {"fx": -1})}, 422, "pinhole"),
    ({"camera": json.dumps(CAMERA | {"fy": None})}, 422, "missing"),
    ({"camera": json.dumps(CAMERA | {"focal": 1})}, 422, "camera.focal"),
    ({"camera": None}, 422, "camera"),
    ({"depth": picture()}, 422, "one channel"),
    ({"depth": picture(kind="JPEG")}, 415, "PNG"),
    ({"depth": depth_picture(64, 48)}, 422, "float32"),
    ({"depth_scale": "nan"}, 422, "depth_scale"),
    ({"base_from_cam": json.dumps({"matrix": np.zeros((4, 4)).tolist()})}, 422, "rigid"),
    ({"base_from_cam": json.dumps({"quaternion_xyzw": [0, 0, 0, 1]})}, 422, "position_m"),
    ({"bundle": "nobody"}, 422, "tiny"),
    ({"image_url": "http://127.0.0.1/x"}, 422, "image_url"),
])
def test_bad_input_is_told_in_one_line(service: Running, changes: dict[str, Any], status: int, words: str) -> None:
    with service.client("infer") as client:
        answer = client.post("/v1/infer", **form(**changes))
    error = answer.json()["error"]
    assert (answer.status_code, words in error["message"]) == (status, True), error
    assert "\n" not in error["message"] and "Traceback" not in answer.text


def test_other_bodies_are_refused(service: Running) -> None:
    with service.client("infer") as client:
        assert client.post("/v1/infer", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
        assert client.post("/v1/infer", json={"image": "###", "camera": CAMERA}).status_code == 422
        assert client.post("/v1/infer", json={"image": ["x"]}).status_code == 422
        twice = [("image", ("a", picture())), ("image", ("b", picture()))]
        assert client.post("/v1/infer", files=twice, data={"camera": json.dumps(CAMERA)}).status_code == 422
        as_text = client.post("/v1/infer", data={"image": "x", "camera": json.dumps(CAMERA)},
                              files={"depth": ("d", depth_picture())})
        assert as_text.status_code == 422


def bomb() -> bytes:
    """Small in bytes, 100 megapixels when decoded."""
    return encode(Image.new("1", (10_000, 10_000)), "PNG")


def test_a_bomb_is_known_by_its_header() -> None:
    data = bomb()
    assert len(data) < 200_000
    start = time.process_time()
    with pytest.raises(TooLarge) as refused:
        decode_image(data, LIMITS, "image")
    assert http_status(refused.value) == 413
    assert time.process_time() - start < 0.5


def test_too_many_bytes_are_refused_before_they_are_read() -> None:
    with pytest.raises(TooLarge) as refused:
        check_header(b"\x89PNG" + bytes(300_000), LIMITS, "image", ("PNG",))
    assert http_status(refused.value) == 413


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_allowed_formats_come_out_red_first(kind: str) -> None:
    rgb = np.zeros((40, 60, 3), np.uint8)
    rgb[..., 0] = 250
    decoded = decode_image(encode(Image.fromarray(rgb), kind), LIMITS, "image")
    assert decoded.shape == (40, 60, 3)
    assert decoded[..., 0].mean() > 240 > 20 > decoded[..., 2].mean()


def test_orientation_is_left_alone() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (60, 40)).save(buffer, "JPEG", exif=exif)
    assert decode_image(buffer.getvalue(), LIMITS, "image").shape == (40, 60, 3)


def test_depth_is_metres() -> None:
    depth = decode_depth(depth_picture(60, 40, 500), 0.1, LIMITS)
    assert depth.dtype == np.float32
    assert np.allclose(depth, 0.05)


@given(data=st.binary(max_size=300),
       start=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP"]))
def test_no_bytes_do_harm(data: bytes, start: bytes) -> None:
    for decode in (lambda raw: decode_image(raw, LIMITS, "image"), lambda raw: decode_depth(raw, 1.0, LIMITS)):
        with pytest.raises(PosebotError):
            decode(start + data)


@given(st.data())
def test_no_damaged_picture_does_harm(data: st.DataObject) -> None:
    raw = bytearray(picture(40, 30, data.draw(st.sampled_from(["PNG", "JPEG", "WEBP"]))))
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = decode_image(bytes(raw[:data.draw(st.integers(0, len(raw)))]), LIMITS, "image")
    except PosebotError:
        return
    assert decoded.ndim == 3 and decoded.size <= 3 * LIMITS.image_pixels
