from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from posebot.core.errors import InputError
from posebot.core.frame import Frame
from posebot.core.transforms import make
from posebot.video.intrinsics import Intrinsics
from posebot.video.recordings import BopSource, ImageSource, VideoSource
from posebot.video.source import CapturedFrame, SkippedFrame, Source
from tests.video.image_files import image, write_png, write_video
from tests.video.plumbing import CAMERA, HEIGHT, WIDTH

INTRINSICS = Intrinsics(CAMERA, depth_scale=1.0, where="camera.json")


def frames(source: Source, done: set[str] = frozenset()) -> list[Frame]:  # type: ignore[assignment]
    return [shot.frame for shot in source.frames(done) if isinstance(shot, CapturedFrame)]


def skips(source: Source) -> Iterator[SkippedFrame]:
    return (shot for shot in source.frames() if isinstance(shot, SkippedFrame))


def test_a_picture_comes_as_it_is(tmp_path: Path) -> None:
    path = write_png(tmp_path / "one.png", image(3))
    (frame,) = frames(ImageSource(path, INTRINSICS, base_from_cam=make(translation=[0, 0, 1])))
    assert np.array_equal(frame.rgb, image(3))
    assert frame.frame_id == "one/one"
    assert frame.depth is None
    assert frame.base_from_cam is not None
    assert frame.captured_at > 0


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n cut off"])
def test_a_single_corrupt_image_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.png"):
        frames(ImageSource(tmp_path / "bad.png", INTRINSICS))


def test_a_corrupt_image_in_a_folder_is_skipped(folder: Path) -> None:
    source = ImageSource(folder, INTRINSICS)
    assert source.total == 4
    assert [frame.frame_id for frame in frames(source)] == ["shots/000", "shots/001", "shots/003"]
    (skipped,) = skips(source)
    assert skipped.frame_id == "shots/002"
    assert "truncated" in skipped.reason


def test_pictures_that_are_done_are_not_even_read(folder: Path) -> None:
    shots = list(ImageSource(folder, INTRINSICS).frames({"shots/000", "shots/002"}))
    assert [shot.frame.frame_id for shot in shots if isinstance(shot, CapturedFrame)] == ["shots/001", "shots/003"]
    assert not [shot for shot in shots if isinstance(shot, SkippedFrame)]


def test_frame_ids_are_unique_where_names_differ_in_the_suffix_only(tmp_path: Path) -> None:
    for suffix in ("png", "jpg"):
        write_png(tmp_path / "twins" / f"a.{suffix}", image(1))
    assert {frame.frame_id for frame in frames(ImageSource(tmp_path / "twins", INTRINSICS))} == {
        "twins/a.png", "twins/a.jpg"}


def test_depth_is_metres(rgbd_folder: Path) -> None:
    first, second, third = frames(ImageSource(rgbd_folder, INTRINSICS))
    assert first.depth is not None
    assert second.depth is not None
    assert np.allclose(first.depth, 0.400)
    assert np.allclose(second.depth, 0.401)
    assert third.depth is None
    assert all(frame.depth is None for frame in frames(ImageSource(rgbd_folder, INTRINSICS, with_depth=False)))


def test_depth_without_a_scale_is_not_guessed(rgbd_folder: Path) -> None:
    with pytest.raises(InputError, match=r"camera\.json: no depth_scale"):
        ImageSource(rgbd_folder, Intrinsics(CAMERA, None, "camera.json"))
    ImageSource(rgbd_folder, Intrinsics(CAMERA, None, "camera.json"), with_depth=False)


def test_a_coloured_depth_map_is_refused(rgbd_folder: Path) -> None:
    assert cv2.imwrite(str(rgbd_folder / "depth" / "0.png"), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    (skipped,) = skips(ImageSource(rgbd_folder, INTRINSICS))
    assert "16 bits" in skipped.reason


def test_a_picture_of_another_size_is_skipped(folder: Path) -> None:
    write_png(folder / "000.png", image(0)[:100])
    assert next(skips(ImageSource(folder, INTRINSICS))).reason.startswith("camera.json: intrinsics are for 320x240")


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no image"):
        ImageSource(tmp_path, INTRINSICS)


def test_bop_takes_the_official_targets_only(bop_root: Path) -> None:
    source = BopSource(bop_root, "test")
    assert [frame.frame_id for frame in frames(source)] == ["000003/000000", "000003/000002", "000003/000007"]
    (bop_root / "test_targets_bop19.json").unlink()
    assert BopSource(bop_root, "test").total == 4


def test_bop_skips_a_missing_image(bop_root: Path) -> None:
    (bop_root / "test" / "000003" / "rgb" / "000002.png").unlink()
    source = BopSource(bop_root, "test")
    assert [skipped.frame_id for skipped in skips(source)] == ["000003/000002"]
    assert len(frames(source)) == 2


def test_a_video_gives_all_its_frames(video_file: Path) -> None:
    source = VideoSource(video_file, INTRINSICS)
    assert (source.fps, source.total) == (10, 6)
    found = frames(source)
    assert [frame.frame_id for frame in found] == [f"clip/{number:06d}" for number in range(6)]
    assert np.abs(found[4].rgb.astype(int) - image(4)).mean() < 6
    assert len(frames(source, {"clip/000000", "clip/000003"})) == 4


def test_a_video_damaged_in_the_middle_goes_on(tmp_path: Path) -> None:
    path = write_video(tmp_path / "hurt.mkv", 12)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle:middle + 300] = bytes(300)
    path.write_bytes(data)
    ends = [shot.frame.frame_id for shot in VideoSource(path, INTRINSICS).frames() if isinstance(shot, CapturedFrame)]
    assert len(ends) >= 8


@pytest.mark.parametrize("content", [b"", b"this is no video at all" * 20])
def test_a_file_that_is_no_video_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.mp4").write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.mp4"):
        VideoSource(tmp_path / "bad.mp4", INTRINSICS)


def test_a_video_of_another_size_is_an_error(video_file: Path) -> None:
    larger = Intrinsics(CAMERA.scaled(2), where="camera.json")
    with pytest.raises(InputError, match="scale-camera"):
        VideoSource(video_file, larger)
    assert frames(VideoSource(video_file, larger, scale_camera=True))[0].camera.width == WIDTH


def test_real_videos(real_data: Path) -> None:
    from posebot.video.intrinsics import load_intrinsics

    path = real_data / "video" / "visp_teabox"
    source = VideoSource(path / "teabox.mp4", load_intrinsics(path / "camera.json"))
    assert len(frames(source)) == source.total == 39
