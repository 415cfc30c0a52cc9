from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posebot.core.errors import InputError
from posebot.video.cameras import load_cameras
from posebot.video.live import LiveSource
from posebot.video.open_source import SourceOptions, open_camera, open_source
from posebot.video.recordings import BopSource, ImageSource, VideoSource
from posebot.video.simulated_camera import SimulatedSource
from posebot.video.source import CapturedFrame
from tests.video.plumbing import CAMERA

INTRINSICS = "{K: [300, 0, 159.5, 0, 300, 119.5, 0, 0, 1], width: 320, height: 240}"


def config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cameras.yaml"
    path.write_text(text)
    return path


def test_a_path_is_what_it_looks_like(folder: Path, video_file: Path, bop_root: Path, camera_file: Path) -> None:
    options = SourceOptions(camera=camera_file)
    assert isinstance(open_source(str(folder), options), ImageSource)
    assert isinstance(open_source(str(folder / "000.png"), options), ImageSource)
    assert isinstance(open_source(str(video_file), options), VideoSource)
    assert isinstance(open_source(str(bop_root), SourceOptions(split="test")), BopSource)


@pytest.mark.parametrize(("source", "problem"), [
    ("nowhere", "does not exist"), ("http://10.0.0.1/x", "is an address"), ("rtsp://a:b@c/d", r"rtsp://\*\*\*@c/d"),
])
def test_what_a_source_cannot_be(source: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        open_source(source, SourceOptions())


def test_missing_intrinsics_are_an_error_that_names_a_candidate(folder: Path) -> None:
    with pytest.raises(InputError, match="has no intrinsics; --camera FILE"):
        open_source(str(folder), SourceOptions())
    (folder / "camera.json").write_text("{}")
    with pytest.raises(InputError, match=r"is it .*camera\.json\?"):
        open_source(str(folder), SourceOptions())


@pytest.mark.parametrize("inside", ["test/000003", "test/000003/rgb", "test/000003/rgb/000000.png"])
def test_an_image_of_a_bop_data_set_names_the_data_set_and_split(bop_root: Path, inside: str) -> None:
    with pytest.raises(InputError, match=f"; --source {bop_root} --split test"):
        open_source(str(bop_root / inside), SourceOptions())


def test_a_bop_data_set_wants_a_split(bop_root: Path) -> None:
    with pytest.raises(InputError, match="--split test"):
        open_source(str(bop_root), SourceOptions())


def test_a_bop_data_set_keeps_its_own_intrinsics(bop_root: Path, camera_file: Path) -> None:
    with pytest.raises(InputError, match="of its own"):
        open_source(str(bop_root), SourceOptions(split="test", camera=camera_file))


def test_named_cameras_of_every_kind(tmp_path: Path, folder: Path, video_file: Path,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMERA_PASSWORD", "secret")
    path = config(tmp_path, f"""
cameras:
  shelf:
    kind: folder
    source: {folder.name}
    intrinsics: {INTRINSICS}
    base_from_cam: [1, 0, 0, 0.1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
  single: {{kind: file, source: {folder.name}/000.png, intrinsics: {INTRINSICS}, depth_scale: 0.1}}
  clip: {{kind: video, source: {video_file.name}, intrinsics: {INTRINSICS}}}
  web: {{kind: device, source: 0, intrinsics: {INTRINSICS}, fps: 30}}
  wrist: {{kind: rtsp, source: "rtsp://me:${{CAMERA_PASSWORD}}@host/live", intrinsics: {INTRINSICS}}}
  sim: {{kind: sim, seed: 3}}
""")
    cameras = load_cameras(path)
    kinds = {name: type(open_camera(name, entry)) for name, entry in cameras.items()}
    assert kinds == {"shelf": ImageSource, "single": ImageSource, "clip": VideoSource, "web": LiveSource,
                     "wrist": LiveSource, "sim": SimulatedSource}
    assert cameras["wrist"].config.source == "rtsp://me:secret@host/live"
    assert "secret" not in repr(cameras["wrist"])
    (first, *_) = open_source("shelf", SourceOptions(config=path)).frames()
    assert isinstance(first, CapturedFrame)
    assert first.frame.base_from_cam is not None
    assert np.allclose(first.frame.base_from_cam[:3, 3], [0.1, 0, 0])
    assert first.frame.camera.to_dict() == CAMERA.to_dict()
    with pytest.raises(InputError, match="one of: shelf, single"):
        open_source("wirst", SourceOptions(config=path))


@pytest.mark.parametrize(("entry", "problem"), [
    ("{kind: webcam}", "cameras.front.kind: 'webcam' is not a camera kind; one of file, folder"),
    ("{kind: device, source: front}", "cameras.front.source: the value is not valid; a whole number"),
    ("{kind: device}", "cameras.front.source: missing"),
    ("{kind: rtsp, source: 'file:///etc/passwd'}", "not a camera address; rtsp"),
    ("{kind: rtsp, source: 'rtsp://me:${NOT_SET}@host/live'}", "NOT_SET"),
    ("{kind: file, source: a.png, base_from_cam: [1, 2]}", "cameras.front.base_from_cam: .*not a rigid transform"),
    ("{kind: file, source: a.png, fps: fast}", "cameras.front.fps: fast is not valid; a number"),
    ("{kind: file, source: a.png, colour: red}", "cameras.front.colour: unknown key"),
    ("{kind: file, source: a.png, intrinsics: nowhere.json}", "nowhere.json"),
    ("[1, 2]", "cameras.yaml:1.* a list"),
])
def test_a_wrong_entry_names_the_camera_and_the_field(tmp_path: Path, entry: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        load_cameras(config(tmp_path, f"cameras: {{front: {entry}}}"))
    assert "\n" not in str(caught.value)


def test_a_camera_without_intrinsics_is_refused_when_opened(tmp_path: Path, folder: Path) -> None:
    path = config(tmp_path, f"cameras: {{front: {{kind: folder, source: {folder.name}}}}}")
    with pytest.raises(InputError, match="camera front: has no intrinsics"):
        open_source("front", SourceOptions(config=path))


@pytest.mark.parametrize("text", ["", "cameras: 3", "a: [", "- 1", "cameras: {front: {source: 'rtsp://a:secret@b"])
def test_a_broken_configuration_is_one_line_without_its_text(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError) as caught:
        load_cameras(config(tmp_path, text))
    assert "cameras.yaml" in str(caught.value)
    assert "secret" not in str(caught.value)
