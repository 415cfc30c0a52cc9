from __future__ import annotations

import json
import time

import numpy as np
import pytest
from websockets.sync.client import connect

from posebot.client import Client, ServiceError
from posebot.core.transforms import make
from posebot.service.streams.camera_errors import announced_retry_s, error_code
from posebot.video.sinks import read_jsonl
from tests.service.helpers import Running, wait_for


def client_of(service: Running) -> Client:
    return Client(service.base, service.keys["operate"])


def state(service: Running, name: str) -> str:
    with client_of(service) as client:
        return str(client.stream(name).status()["state"])


def test_a_stream_starts_shows_the_newest_and_stops(service: Running) -> None:
    with client_of(service) as client:
        stream = client.stream("loop")
        stream.start()
        wait_for(lambda: stream.status()["frames"] >= 3)
        result = stream.latest(max_age_ms=60_000)
        assert result.frame_id.startswith("pictures/")
        assert result.age_ms > 0
        assert stream.picture()[:2] == stream.picture(overlay=True)[:2] == b"\xff\xd8"
        with pytest.raises(ServiceError) as old:
            stream.latest(max_age_ms=0.001)
        assert old.value.code == "stale"
        status = stream.status()
        assert status["bundle"] == "tiny 0.0.1" and status["stage_ms"]["total"] > 0 and status["fps"] > 0
        assert stream.stop()["state"] == "stopped"
        with pytest.raises(ServiceError) as stopped:
            stream.latest()
        assert stopped.value.code == "not_running"


def test_live_results_come_with_the_picture_of_the_same_frame(service: Running) -> None:
    with client_of(service) as client:
        stream = client.stream("loop")
        stream.start()
        seen = []
        for live in stream.live(picture="raw", fps=50):
            seen.append(live)
            if len(seen) == 4:
                break
        sequences = [live.sequence for live in seen]
        assert sequences == sorted(set(sequences))
        assert all(live.jpeg is not None and live.jpeg[:2] == b"\xff\xd8" for live in seen)
        assert all(live.bundle == "tiny 0.0.1" for live in seen)
        stream.stop()


def test_the_socket_tells_states_and_unknown_names(service: Running) -> None:
    def ticket() -> str:
        with service.client() as http:
            return str(http.post("/v1/auth/ticket").json()["ticket"])

    address = service.base.replace("http", "ws") + "/v1/streams"
    with connect(f"{address}/gone/results?ticket={ticket()}") as socket, client_of(service) as client:
        assert json.loads(socket.recv())["status"]["state"] == "stopped"
        client.stream("gone").start()
        wait_for(lambda: json.loads(socket.recv(timeout=30))["status"]["state"] == "failed")
        client.stream("gone").stop()
        wait_for(lambda: json.loads(socket.recv(timeout=30))["status"]["state"] == "stopped")
    with connect(f"{address}/nobody/results?ticket={ticket()}") as socket, pytest.raises(Exception, match="4404"):
        socket.recv(timeout=30)


def test_a_recording_ends_by_itself_with_every_picture_looked_at(service: Running) -> None:
    with client_of(service) as client:
        stream = client.stream("once")
        stream.start()
        wait_for(lambda: stream.status()["state"] == "stopped" and stream.status()["frames"] == 3)
        assert stream.status()["bundle"] == "second 0.0.1"
        assert stream.status()["dropped"] == 0
        stream.stop()


def test_what_is_wrong_has_a_code_and_no_credentials(service: Running) -> None:
    with client_of(service) as client:
        for name, codes in {"gone": ("not_found",), "secret": ("refused", "timeout")}.items():
            stream = client.stream(name)
            stream.start()
            wait_for(lambda: stream.status()["error"])  # noqa: B023 (called at once)
            error = stream.status()["error"]
            assert error["code"] in codes, error
            assert error["retry_at"] > time.time() - 60
            assert "hunter2" not in json.dumps(stream.status())
            stream.stop()


def test_the_robot_tells_where_the_camera_is(service: Running) -> None:
    with client_of(service) as client:
        stream = client.stream("robot")
        with pytest.raises(ServiceError) as not_yet:
            stream.push_pose(np.eye(4))
        assert not_yet.value.code == "not_running"
        stream.start()
        pose = make(translation=[0.4, 0.0, 0.5])
        wait_for(lambda: stream.status()["frames"] > 0)

        def placed() -> bool:
            stream.push_pose(pose)
            with service.client("read") as http:
                found = http.get("/v1/streams/robot/result").json()["base_from_cam"]
            return found is not None and np.allclose(found, pose)

        wait_for(placed)
        wait_for(lambda: service_pose(service) is None)  # it has stopped telling
        with service.client() as http:
            wrong = http.post("/v1/streams/loop/robot-pose", json={"base_from_gripper": {"matrix": np.eye(4).tolist()}})
            assert wrong.status_code == 409
        stream.stop()


def service_pose(service: Running) -> object:
    with service.client("read") as http:
        return http.get("/v1/streams/robot/result").json()["base_from_cam"]


def test_mjpeg_is_a_series_of_pictures(service: Running) -> None:
    with client_of(service) as client:
        client.stream("loop").start()
    with service.client("read") as http, http.stream("GET", "/v1/streams/loop/mjpeg?overlay=false") as answer:
        assert answer.headers["content-type"].startswith("multipart/x-mixed-replace")
        data = b""
        for chunk in answer.iter_bytes():
            data += chunk
            if data.count(b"Content-Type: image/jpeg") >= 2:
                break
    with client_of(service) as client:
        client.stream("loop").stop()


def test_recordings_are_whole_lines_and_a_file_that_viewers_open(service: Running) -> None:
    from mcap.reader import make_reader
    from mcap_ros2.decoder import DecoderFactory

    with client_of(service) as client:
        stream = client.stream("loop")
        stream.start()
        wait_for(lambda: stream.status()["frames"] >= 3)
        assert stream.status()["recording"]["bytes"] > 0
        stream.stop()
    folder = service.services.settings.state / "streams" / "loop"
    assert len(read_jsonl(sorted(folder.glob("*.jsonl"))[-1])) >= 3
    with sorted(folder.glob("*.mcap"))[-1].open("rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        topics = {channel.topic for channel in reader.get_summary().channels.values()}
        assert {"/posebot/result", "/posebot/image", "/posebot/detections"} <= topics
        for _, channel, _, message in reader.iter_decoded_messages(topics=["/posebot/detections"]):
            assert channel.message_encoding == "cdr"
            assert message.header.frame_id in ("loop", "base")


def test_metrics_tell_of_streams_and_requests(service: Running) -> None:
    with client_of(service) as client:
        client.stream("loop").start()
        wait_for(lambda: client.stream("loop").status()["frames"] >= 1)
    with service.client("read") as http:
        text = http.get("/v1/metrics").text
    from prometheus_client.parser import text_string_to_metric_families

    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert {"posebot_stream_frames", "posebot_stream_dropped", "posebot_stream_stage_seconds", "posebot_requests",
            "posebot_stream_age_seconds", "posebot_stream_state", "posebot_stream_errors"} <= set(families)
    with client_of(service) as client:
        client.stream("loop").stop()


@pytest.mark.parametrize(("reason", "code"), [
    ("cannot be opened (server returned 401 unauthorized (authorization failed))", "auth_failed"),
    ("cannot be opened (server returned 403 forbidden (access denied))", "auth_failed"),
    ("cannot be opened (connection timed out)", "timeout"),
    ("cannot be opened (connection refused)", "refused"),
    ("cannot be opened (server returned 404 not found)", "not_found"),
    ("cannot be opened (no such file or directory)", "not_found"),
    ("cannot be opened (invalid data found when processing input)", "codec"),
    ("the camera has ended; trying again in 0.5 s", "disconnected"),
    ("intrinsics are for 640x480, the picture is 128x96", "bad_input"),
])
def test_reasons_have_codes(reason: str, code: str) -> None:
    assert error_code(reason) == code


def test_a_pause_tells_a_lost_camera_from_a_bad_frame() -> None:
    assert announced_retry_s("the camera has ended; trying again in 0.5 s") == 0.5
    assert announced_retry_s("a frame cannot be decoded (x)") is None
