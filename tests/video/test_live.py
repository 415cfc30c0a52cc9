from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.core.errors import InputError
from posebot.core.frame import Frame
from posebot.video.intrinsics import Intrinsics
from posebot.video.kinds.device import device_frames
from posebot.video.kinds.rtsp import network_frames
from posebot.video.latest_slot import LatestSlot
from posebot.video.live import FrameBuilder, LiveSource
from posebot.video.source import CapturedFrame, SkippedFrame, redacted
from tests.video.image_files import image, write_video
from tests.video.plumbing import CAMERA

SETTINGS = FrameBuilder("wrist", Intrinsics(CAMERA, where="camera.json"))


def frame(number: int = 0) -> Frame:
    return Frame(image(number), CAMERA, frame_id="camera", captured_at=time.time())


def test_the_newest_wins_and_the_others_are_counted() -> None:
    slot: LatestSlot[int] = LatestSlot()
    for number in range(5):
        slot.put(number)
    assert slot.take() == (4, 4)
    assert slot.take(timeout=0.01) is None
    slot.put(9)
    slot.close()
    assert slot.take() == (9, 0)
    assert slot.take() is None


def test_nothing_is_lost_without_being_counted_across_threads() -> None:
    slot: LatestSlot[int] = LatestSlot()

    def produce() -> None:
        for number in range(2000):
            slot.put(number)
        slot.close()

    threading.Thread(target=produce).start()
    taken: list[int] = []
    dropped = 0
    while (found := slot.take()) is not None:
        taken.append(found[0])
        dropped += found[1]
    assert taken == sorted(set(taken))
    assert taken[-1] == 1999
    assert len(taken) + dropped == 2000


def test_a_slow_consumer_sees_the_newest_frame() -> None:
    released, all_read = threading.Event(), threading.Event()

    def camera() -> Iterator[Frame | str]:
        for number in range(50):
            yield frame(number)
            if number == 0:
                released.wait(5)
        all_read.set()
        while True:
            time.sleep(0.01)
            yield frame(50)

    source = LiveSource("wrist", camera)
    shots = source.frames()
    first = next(shots)
    released.set()
    assert all_read.wait(10)
    second = next(shots)
    source.close()
    assert isinstance(first, CapturedFrame)
    assert isinstance(second, CapturedFrame)
    assert first.frame.frame_id == "wrist/0"
    assert second.dropped >= 48
    assert second.frame.frame_id == f"wrist/{second.dropped + 1}"


def test_a_camera_that_breaks_off_comes_back() -> None:
    opened: list[int] = []

    def camera() -> Iterator[Frame | str]:
        opened.append(len(opened))
        if len(opened) == 2:
            raise InputError("camera wrist", "rtsp://me:secret@host is gone")
        yield frame()
        time.sleep(0.05)

    source = LiveSource("wrist", camera, backoff_s=(0.01,))
    events = []
    for event in source.frames():
        events.append(event)
        if sum(isinstance(event, CapturedFrame) for event in events) == 3:
            break
    source.close()
    reasons = [event.reason for event in events if isinstance(event, SkippedFrame)]
    assert any("***@host is gone; trying again" in reason for reason in reasons)
    assert not any("secret" in reason for reason in reasons)
    assert [event.frame.frame_id for event in events if isinstance(event, CapturedFrame)] == [
        "wrist/0", "wrist/1", "wrist/2"]


def test_a_bad_picture_is_reported_and_the_stream_goes_on() -> None:
    def camera() -> Iterator[Frame | str]:
        yield frame()
        yield "a frame cannot be decoded"
        time.sleep(0.1)
        yield frame()
        time.sleep(0.3)

    source = LiveSource("wrist", camera)
    events = [event for event, _ in zip(source.frames(), range(3))]
    source.close()
    assert [type(event) for event in events].count(SkippedFrame) == 1
    assert [event.frame.frame_id for event in events if isinstance(event, CapturedFrame)] == ["wrist/0", "wrist/1"]


def test_a_camera_that_never_opens_is_an_error() -> None:
    def camera() -> Iterator[Frame | str]:
        raise InputError("camera wrist", "device 7 cannot be opened")
        yield

    with pytest.raises(InputError, match="device 7"):
        next(LiveSource("wrist", camera).frames())


def test_a_bug_in_a_camera_is_not_swallowed() -> None:
    def camera() -> Iterator[Frame | str]:
        yield frame()
        raise ZeroDivisionError

    source = LiveSource("wrist", camera)
    with pytest.raises(ZeroDivisionError):
        list(source.frames())


def test_close_may_be_called_at_any_time() -> None:
    source = LiveSource("wrist", lambda: iter([frame()]))
    source.close()
    source.close()
    assert len(list(source.frames())) <= 1


def test_a_device_that_is_not_there_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="device 63 cannot be opened"):
        next(device_frames(SETTINGS, 63))
    capfd.readouterr()  # OpenCV warns on its own


@pytest.fixture
def http_camera(tmp_path: Path) -> Iterator[str]:
    """A camera that serves a short stream at each connection."""
    data = write_video(tmp_path / "stream.ts", 8).read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://me:secret@127.0.0.1:{server.server_port}/stream.ts"
    server.shutdown()
    server.server_close()


@pytest.mark.timeout(60)
def test_a_network_stream_is_read_and_reconnected(http_camera: str) -> None:
    source = LiveSource("wrist", lambda: network_frames(SETTINGS, http_camera), backoff_s=(0.01,))
    shots, reconnected = [], False
    for event in source.frames():
        if isinstance(event, SkippedFrame):
            reconnected |= "trying again" in event.reason
        else:
            shots.append(event)
        if reconnected and len(shots) >= 2:
            break
    source.close()
    assert shots[0].frame.rgb.shape == image(0).shape
    assert np.all(np.diff([int(shot.frame.frame_id.split("/")[1]) for shot in shots]) > 0)


def test_an_address_that_does_not_answer_shows_no_password() -> None:
    with pytest.raises(InputError) as caught:
        next(network_frames(SETTINGS, "http://me:secret@127.0.0.1:9/stream?token=abc"))
    assert "secret" not in str(caught.value)
    assert "abc" not in str(caught.value)
    assert "camera wrist" in str(caught.value)


@given(user=st.text("abc@:/!#", min_size=1, max_size=8), password=st.text("xyz@:/!#", min_size=1, max_size=8))
def test_credentials_are_redacted(user: str, password: str) -> None:
    told = redacted(f"cannot open rtsp://{user}:{password}@camera.local:554/live")
    assert told == "cannot open rtsp://***@camera.local:554/live"


def test_secrets_in_queries_are_redacted() -> None:
    assert redacted("http://host/a?token=abc&size=2&password=x'") == "http://host/a?token=***&size=2&password=***'"
    assert redacted("rtsp://host/live") == "rtsp://host/live"
