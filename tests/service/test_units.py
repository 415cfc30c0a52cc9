"""Jobs' arguments, robot poses, limits, recordings cut off, the schema."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.core.camera import Camera
from posebot.core.error_codes import ERROR_CODES, http_status
from posebot.core.errors import InputError, PosebotError
from posebot.core.frame import Frame
from posebot.core.results import FrameResult, PoseEstimate
from posebot.core.transforms import Array, make, rotation_from_vector
from posebot.models.bundle import Bundle
from posebot.service import errors
from posebot.service.auth.rate_limits import RateLimiter
from posebot.service.errors import RateLimited
from posebot.service.jobs.arguments import ARGUMENTS, command_options, path_inside
from posebot.service.settings import Limits, RecordingSettings, load_settings
from posebot.service.streams.output import StreamOutput
from posebot.service.streams.pose_buffer import PoseBuffer, load_pose_buffer
from posebot.service.streams.recorder import Recorder
from posebot.service.web.error_responses import error_response
from posebot.video.overlay import Overlay
from posebot.video.sinks import read_jsonl


def test_the_schema_in_the_docs_is_the_services(root: Path) -> None:
    sys.path.insert(0, str(root / "tools"))
    try:
        import openapi
    finally:
        sys.path.remove(str(root / "tools"))
    assert openapi.FILE.read_text() == openapi.generated(), "run: python tools/openapi.py"


def test_the_command_line_does_not_load_the_service() -> None:
    code = ("import sys, posebot.cli.main, posebot.client; "
            "print([name for name in ('fastapi', 'ray', 'httpx', 'pydantic') if name in sys.modules])")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_arguments_of_jobs_become_options(tmp_path: Path) -> None:
    settings = load_settings(None, jobs={"folder": str(tmp_path)})
    arguments = {"dataset": "d", "out": "bundles/b", "minutes": 5, "tiny": True, "seed": 3}
    options = command_options("train", arguments, settings)
    assert options == ["--dataset", str(tmp_path / "d"), "--out", str(tmp_path / "bundles/b"), "--minutes", "5.0",
                       "--tiny", "--seed", "3"]
    assert command_options("evaluate", {"dataset": "d", "bundle": "kit"}, settings)[-1] == "kit"


@pytest.mark.parametrize(("kind", "arguments"), [
    ("train", {}), ("train", {"dataset": "d"}), ("train", {"dataset": "d", "out": "../x"}),
    ("train", {"dataset": "/etc", "out": "x"}), ("train", {"dataset": "~/x", "out": "x"}),
    ("train", {"dataset": "--out", "out": "x"}), ("train", {"dataset": "d", "out": "x", "address": "ray://evil"}),
    ("train", {"dataset": "d", "out": "x", "seed": "1"}), ("train", {"dataset": "d", "out": "x", "seed": True}),
    ("synth", {"objects": "o", "frames": 1.5, "out": "x"}), ("synth", {"objects": "o", "frames": -1, "out": "x"}),
    ("synth", {"objects": "o", "frames": 1, "out": "x", "split": "a b"}),
    ("synth", {"objects": "o", "frames": 1, "out": "x", "split": "--x"}), ("rm", {}),
])
def test_other_arguments_are_refused(tmp_path: Path, kind: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        command_options(kind, arguments, load_settings(None, jobs={"folder": str(tmp_path)}))


@given(st.text(max_size=40))
def test_no_path_leaves_the_folder(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("jobs").resolve()
    try:
        path = path_inside(folder, text, "out")
    except InputError:
        return
    assert folder in path.parents


def test_links_out_of_the_folder_are_followed_and_refused(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "link").symlink_to(tmp_path)
    with pytest.raises(InputError):
        path_inside(tmp_path / "jobs", "link/x", "out")


def test_every_kind_of_job_knows_what_it_requires() -> None:
    from posebot.service.jobs.arguments import REQUIRED

    assert all(set("|".join(REQUIRED[kind]).split("|")) <= set(ARGUMENTS[kind]) for kind in ARGUMENTS)


def test_training_takes_a_data_set_or_an_object_to_add(tmp_path: Path) -> None:
    settings = load_settings(None, jobs={"folder": str(tmp_path)})
    added = command_options("train", {"from": settings.active, "add": "new", "out": "b"}, settings)
    assert added == ["--from", settings.bundles[settings.active], "--add", str(tmp_path.resolve() / "new"),
                     "--out", str(tmp_path.resolve() / "b")]
    with pytest.raises(InputError, match="train needs dataset or add or only, out"):
        command_options("train", {"out": "b"}, settings)


def pose_at(seconds: float) -> Array:
    return make(rotation_from_vector([0, 0, 0.3 * seconds]), [0.1 * seconds, 0, 0.5])


@given(st.floats(0, 10))
def test_poses_between_two_are_interpolated(when: float) -> None:
    track = PoseBuffer(max_gap_s=0.6)
    for second in range(11):
        track.add(second, pose_at(second))
    found = track.at(when)
    assert found is not None
    np.testing.assert_allclose(found, pose_at(when), atol=1e-9)


def test_no_pose_is_guessed_where_none_is_near() -> None:
    track = PoseBuffer(max_gap_s=0.25)
    assert track.at(0) is None
    track.add(10, pose_at(10))
    assert track.at(10.2) is not None
    assert track.at(10.3) is None
    track.add(9, pose_at(9))  # late: poses come in order
    assert track.at(9) is None


def test_a_table_of_poses_is_read_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "poses.csv"
    file.write_text("stamp,x,y,z,qx,qy,qz,qw\n0,0.1,0,0.5,0,0,0,1\n1,0.2,0,0.5,0,0,0,1\n")
    np.testing.assert_allclose(load_pose_buffer(file, 2).at(0.5), make(translation=[0.15, 0, 0.5]))
    header = "stamp,x,y,z,qx,qy,qz,qw\n"
    for text in ("stamp,x\n", f"{header}0,a,0,0,0,0,0,1\n", f"{header}0,0,0,0,0,0,0,0\n"):
        file.write_text(text)
        with pytest.raises(InputError, match=r"poses\.csv"):
            load_pose_buffer(file, 1)
    with pytest.raises(InputError):
        load_pose_buffer(tmp_path / "none.csv", 1)


def test_limits_count_requests_and_those_at_once() -> None:
    limiter = RateLimiter(Limits(requests_per_minute=3, concurrent=1, viewers=1))
    with limiter.admitted("a", False), limiter.admitted("a", True), pytest.raises(RateLimited) as busy:
        limiter.admitted("a", False).__enter__()
    assert http_status(busy.value) == 429
    with pytest.raises(RateLimited) as many, limiter.admitted("a", False):
        pass
    assert (many.value.retry_after_s or 0) > 0
    with limiter.admitted("b", False):
        pass


def test_wrong_keys_are_counted_by_address() -> None:
    limiter = RateLimiter(Limits(failures_per_minute=2))
    limiter.failed("1.2.3.4")
    limiter.failed("1.2.3.4")
    with pytest.raises(RateLimited):
        limiter.failed("1.2.3.4")
    limiter.failed("5.6.7.8")


def stream_output(bundle: Bundle, number: int) -> StreamOutput:
    camera = Camera(np.array([[200.0, 0, 63.5], [0, 200.0, 47.5], [0, 0, 1]]), 128, 96)
    pose = make(rotation_from_vector([0.1, 0.2, 0.3]), [0.01, 0.02, 0.5])
    estimate = PoseEstimate("box", 1, 0.9, np.array([1.0, 2, 30, 40]), "ok", "", pose, pose, np.eye(6) * 1e-4, 0.9)
    frame = Frame(np.zeros((96, 128, 3), np.uint8), camera, None, np.eye(4), f"cam/{number}", 1000.0 + number)
    return StreamOutput("cam", number, frame, FrameResult(frame.frame_id, frame.captured_at, camera, (estimate,)),
                     "tiny 0", Overlay(bundle.objects))


def test_recordings_are_rotated_and_the_oldest_go(tmp_path: Path, tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    recorder = Recorder(tmp_path, RecordingSettings(mcap=True, megabytes=0.002, keep=2), "cam")
    for number in range(20):
        recorder.write(stream_output(bundle, number))
    recorder.close()
    for kind in ("jsonl", "mcap"):
        assert 1 <= len(list(tmp_path.glob(f"*.{kind}"))) <= 3
    assert recorder.status()["bytes"] < 100_000


def test_a_recording_that_was_cut_off_can_be_read(tmp_path: Path, tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    recorder = Recorder(tmp_path, RecordingSettings(mcap=True), "cam")
    for number in range(3):
        recorder.write(stream_output(bundle, number))
    recorder.sync()  # and then the process is killed
    [lines], [mcap] = tmp_path.glob("*.jsonl"), tmp_path.glob("*.mcap")
    assert len(read_jsonl(lines)) == 3
    kinds = _records(mcap)
    assert kinds.count("Message") == 3 * 4


def _records(file: Path) -> list[str]:
    from mcap.exceptions import EndOfFile
    from mcap.stream_reader import StreamReader

    found = []
    with file.open("rb") as data, suppress(EndOfFile):
        found.extend(type(record).__name__ for record in StreamReader(data).records)
    return found


def test_ros_messages_say_the_same_as_the_result(tmp_path: Path, tiny_bundle: Path) -> None:
    from mcap.reader import make_reader
    from mcap_ros2.decoder import DecoderFactory

    bundle = Bundle.open(tiny_bundle)
    recorder = Recorder(tmp_path, RecordingSettings(jsonl=False, mcap=True), "cam")
    one = stream_output(bundle, 1)
    recorder.write(one)
    recorder.close()
    with next(tmp_path.glob("*.mcap")).open("rb") as data:
        found = {channel.topic: message for _, channel, _, message in make_reader(
            data, decoder_factories=[DecoderFactory()]).iter_decoded_messages(
                topics=["/posebot/detections", "/posebot/pose/box"])}
    pose = found["/posebot/pose/box"].pose
    estimate = one.result.estimates[0]
    assert estimate.base_from_obj is not None and estimate.covariance is not None
    position = pose.pose.position
    np.testing.assert_allclose([position.x, position.y, position.z], estimate.base_from_obj[:3, 3])
    np.testing.assert_allclose(np.reshape(pose.covariance, (6, 6)), estimate.covariance, atol=1e-12)
    detection = found["/posebot/detections"].detections[0]
    assert detection.results[0].hypothesis.class_id == "box"
    assert detection.header.frame_id == "base"


def test_every_error_of_the_service_has_a_registered_code_and_status() -> None:
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PosebotError)
               and kind not in (PosebotError, errors.Retryable)]
    assert len(classes) > 12
    for kind in classes:
        assert kind.code in ERROR_CODES, kind
        body = json.loads(bytes(error_response(kind("it failed")).body))
        assert body == {"error": {"code": kind.code, "message": "it failed"}}
        assert 400 <= error_response(kind("it failed")).status_code == ERROR_CODES[kind.code].http_status
    assert error_response(errors.Overloaded("busy")).headers["Retry-After"] == "1"
    copy = pickle.loads(pickle.dumps(errors.RateLimited("busy", 7)))
    assert (str(copy), copy.code, copy.retry_after_s) == ("busy", "rate_limited", 7)
