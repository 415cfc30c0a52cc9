"""open_camera: configurations, recordings, and what is wrong with them."""

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import posebot

INTRINSICS = "fx: 100\nfy: 100\ncx: 31.5\ncy: 23.5\nwidth: 64\nheight: 48\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images, one of them damaged, with intrinsics and a configuration beside them."""
    images = tmp_path / "images"
    images.mkdir()
    for index in range(3):
        Image.fromarray(np.full((48, 64, 3), index, np.uint8)).save(images / f"{index}.png")
    (images / "1.png").write_bytes((images / "0.png").read_bytes()[:40])
    (tmp_path / "camera.yaml").write_text(INTRINSICS)
    entry = "{kind: folder, source: images, intrinsics: camera.yaml}"
    (tmp_path / "one.yaml").write_text(f"cameras:\n  shelf: {entry}\n")
    (tmp_path / "two.yaml").write_text(f"cameras:\n  shelf: {entry}\n  wrist: {{kind: sim}}\n")
    return tmp_path


def test_a_configured_camera(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    for source, name in (("one.yaml", None), ("two.yaml", "shelf")):
        caplog.clear()
        with posebot.open_camera(folder / source, name) as camera, caplog.at_level(logging.WARNING, "posebot"):
            frames = list(camera)
        assert [frame.rgb[0, 0, 0] for frame in frames] == [0, 2]
        assert (camera.skipped, camera.dropped, camera.live) == (1, 0, False)
        assert "images/1.png: skipped: " in caplog.text or "images/1: skipped: " in caplog.text
    assert repr(camera) == "FrameStream('images', recorded)"


def test_a_folder_with_intrinsics(folder: Path) -> None:
    with posebot.open_camera(folder / "images", intrinsics=folder / "camera.yaml") as camera:
        K = np.array([[100, 0, 31.5], [0, 100, 23.5], [0, 0, 1]])
        assert next(iter(camera)).camera == posebot.Camera(K, 64, 48)


@pytest.mark.parametrize(("source", "name", "message"), [
    ("two.yaml", None, "names 2 cameras; name= one of: shelf, wrist"),
    ("one.yaml", "wrist", "has no camera 'wrist'; one of: shelf"),
    ("images", "wrist", "has no camera 'wrist'; a configuration with the key `cameras`"),
    ("images", None, "has no intrinsics; intrinsics=FILE"),
    ("nothing", None, "does not exist"),
    ("nothing.yaml", None, "nothing.yaml: "),
])
def test_wrong_sources(folder: Path, source: str, name: str | None, message: str) -> None:
    with pytest.raises(posebot.InputError) as caught:
        posebot.open_camera(folder / source, name)
    assert message in str(caught.value)
