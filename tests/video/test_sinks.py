from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from posebot.core.errors import InputError
from posebot.core.frame import Frame
from posebot.core.results import FrameResult
from posebot.evaluation.bop_csv import read_csv
from posebot.video.resume import resume
from posebot.video.sinks import ImageSink, JsonlSink, Output, VideoSink, read_jsonl, write_bop, write_image
from tests.video.image_files import image
from tests.video.plumbing import CAMERA
from tests.video.test_overlay import ESTIMATE, Overlay


def output(number: int, seconds: float = 0.0, frame_id: str = "") -> Output:
    frame_id = frame_id or f"000003/{number:06d}"
    frame = Frame(image(number), CAMERA, frame_id=frame_id, captured_at=1e9 + seconds)
    result = FrameResult(frame_id, frame.captured_at, CAMERA, (ESTIMATE,), 5.0, {"total": 40.0})
    return Output(frame, result, Overlay([]))


def test_lines_are_there_as_soon_as_they_are_written(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "new" / "results.jsonl")
    sink.write(output(1))
    (line,) = (tmp_path / "new" / "results.jsonl").read_text().splitlines()
    assert json.loads(line)["schema"] == 1
    sink.close()
    again = JsonlSink(tmp_path / "new" / "results.jsonl")
    again.write(output(2))
    again.close()
    assert [r.frame_id for r in read_jsonl(tmp_path / "new" / "results.jsonl")] == ["000003/000001", "000003/000002"]


@pytest.mark.parametrize("cut", [1, 10, 200])
def test_half_a_last_line_is_forgotten_and_mended(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "results.jsonl"
    lines = [output(n).result.to_json() + "\n" for n in (1, 2)]
    path.write_text("".join(lines)[:-cut])
    assert len(read_jsonl(path)) == 1
    assert path.stat().st_size == len("".join(lines)) - cut
    assert len(read_jsonl(path, repair=True)) == 1
    assert path.read_text() == lines[0]


@pytest.mark.parametrize("line", ["{}", "null", "what", '{"schema": 99}', '{"schema": 1, "frame_id": "a"}'])
def test_a_line_that_is_no_result_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(output(1).result.to_json() + "\n" + line + "\n")
    with pytest.raises(InputError, match="line 2"):
        read_jsonl(path)


def test_bop_csv_ranks_by_certainty_and_fit(tmp_path: Path) -> None:
    assert write_bop(tmp_path / "out.csv", [output(4).result, output(5).result]) == 2
    first, second = read_csv(tmp_path / "out.csv")
    assert (first.scene_id, first.im_id, second.im_id) == (3, 4, 5)
    assert first.score == pytest.approx((0.93 + 0.71) / 2)
    assert first.seconds == pytest.approx(0.04)
    assert ESTIMATE.cam_from_obj is not None
    assert np.allclose(first.cam_from_obj, ESTIMATE.cam_from_obj)


def test_a_csv_needs_bop_frames(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="clip/7"):
        write_bop(tmp_path / "out.csv", [output(0, frame_id="clip/7").result])
    assert not (tmp_path / "out.csv").exists()


def seconds_of(path: Path) -> list[float]:
    import av

    with av.open(str(path)) as container:
        return [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]


def test_a_recording_keeps_its_rate(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "out.mp4", fps=10)
    for number in range(12):
        sink.write(output(number))
    sink.close()
    sink.close()
    assert np.allclose(np.diff(seconds_of(tmp_path / "out.mp4")), 0.1, atol=0.002)


def test_a_live_video_shows_frames_when_they_were_taken(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "out.mp4", fps=None)
    for number, seconds in enumerate((0.0, 0.5, 0.5, 1.7)):
        sink.write(output(number, seconds))
    sink.close()
    assert np.allclose(seconds_of(tmp_path / "out.mp4"), [0, 0.5, 0.501, 1.7], atol=0.002)


def test_a_video_that_is_never_closed_can_be_played(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "out.mp4", fps=10)
    for number in range(60):
        sink.write(output(number))
    assert len(seconds_of(tmp_path / "out.mp4")) >= 25
    sink.close()
    assert len(seconds_of(tmp_path / "out.mp4")) == 60


def test_a_video_without_frames_is_no_file(tmp_path: Path) -> None:
    VideoSink(tmp_path / "out.mp4", fps=10).close()
    assert not (tmp_path / "out.mp4").exists()


def test_pictures_are_named_by_frame(tmp_path: Path) -> None:
    sink = ImageSink(tmp_path / "drawn")
    sink.write(output(3))
    assert [path.name for path in (tmp_path / "drawn").iterdir()] == ["000003_000003.jpg"]
    write_image(tmp_path / "exact.png", image(1))
    import cv2

    assert np.array_equal(cv2.imread(str(tmp_path / "exact.png"))[..., ::-1], image(1))


def test_results_are_continued_only_by_the_same_settings(tmp_path: Path) -> None:
    path, settings = tmp_path / "results.jsonl", {"bundle": "a", "depth": True}
    assert resume(path, settings, overwrite=False, live=False) == []
    path.write_text(output(1).result.to_json() + "\n")
    assert len(resume(path, settings, overwrite=False, live=False)) == 1
    with pytest.raises(InputError, match="bundle was a, now b"):
        resume(path, {**settings, "bundle": "b"}, overwrite=False, live=False)
    with pytest.raises(InputError, match="earlier run of this camera"):
        resume(path, settings, overwrite=False, live=True)
    assert len(read_jsonl(path)) == 1
    assert resume(path, {**settings, "bundle": "b"}, overwrite=True, live=False) == []
    assert path.read_bytes() == b""
