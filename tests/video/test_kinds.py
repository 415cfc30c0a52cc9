"""The registry of camera kinds: a further kind is one file and one entry."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from posebot.cli.main import run
from posebot.config import json_schema
from posebot.video.cameras import load_cameras
from posebot.video.kinds import CAMERA_KINDS, cameras_config, load_kind
from posebot.video.sinks import encode_image, read_jsonl
from tests.video.image_files import image

INTRINSICS = "{K: [300, 0, 159.5, 0, 300, 119.5, 0, 0, 1], width: 320, height: 240}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            for number in range(1000):
                jpeg = encode_image(image(number), ".jpg")
                self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg))
                self.wfile.write(jpeg + b"\r\n")
        except OSError:
            return  # the reader has left

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def mjpeg_address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/stream"
    server.shutdown()
    server.server_close()


def test_every_kind_declares_itself() -> None:
    for name in CAMERA_KINDS:
        config = load_kind(name)
        assert config.model_fields["kind"].default == name
        assert (config.__doc__ or "").strip()
    recorded = {name for name in CAMERA_KINDS if load_kind(name).recorded}
    assert recorded == {"file", "folder", "video"}


def test_the_schema_names_all_kinds_and_their_keys() -> None:
    schema = json_schema(cameras_config())
    assert set(schema["properties"]["cameras"]["additionalProperties"]["discriminator"]["mapping"]) == set(CAMERA_KINDS)
    assert "speed" in schema["$defs"]["SimCamera"]["properties"]
    assert "speed" not in schema["$defs"]["RtspCamera"]["properties"]
    assert schema["$defs"]["RtspCamera"]["properties"]["hand_eye"]["description"]
    json.dumps(schema)


def test_a_further_kind_works_on_the_command_line(mjpeg_address: str, bundle_dir: Path, tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CAMERA_KINDS, "mjpeg", "tests.video.mjpeg_camera:MjpegCamera")
    config = tmp_path / "cameras.yaml"
    config.write_text(f"cameras: {{front: {{kind: mjpeg, source: '{mjpeg_address}', intrinsics: {INTRINSICS}}}}}")
    out = tmp_path / "results.jsonl"
    assert run(["infer", "--source", "front", "--config", str(config), "--bundle", str(bundle_dir), "--frames", "2",
                "--out", str(out)]) == 0
    results = read_jsonl(out)
    assert len(results) == 2
    assert results[0].frame_id.startswith("front/")
    assert results[0].estimates[0].cam_from_obj is not None
    assert not load_cameras(config)["front"].recorded
