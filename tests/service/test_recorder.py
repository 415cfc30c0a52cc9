"""Recordings: rotation, truncated files, ROS messages."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np

from posebot.core.camera import Camera
from posebot.core.frame import Frame
from posebot.core.results import FrameResult, PoseEstimate
from posebot.core.transforms import make, rotation_from_vector
from posebot.models.bundle import Bundle
from posebot.service.settings import RecordingSettings
from posebot.service.streams.output import StreamOutput
from posebot.service.streams.recorder import Recorder
from posebot.video.overlay import Overlay
from posebot.video.sinks import read_jsonl


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
