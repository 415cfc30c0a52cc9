"""A plumbing bundle, and real files of every kind of source, made in a temporary folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.video.image_files import image, write_png, write_video
from tests.video.plumbing import CAMERA, HEIGHT, WIDTH, write_plumbing_bundle


@pytest.fixture(scope="session")
def bundle_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_plumbing_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def camera_file(tmp_path: Path) -> Path:
    K = CAMERA.K
    path = tmp_path / "camera.json"
    path.write_text(json.dumps({"fx": K[0, 0], "fy": K[1, 1], "cx": K[0, 2], "cy": K[1, 2], "width": WIDTH,
                                "height": HEIGHT, "depth_scale": 1.0}))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four images; the third is cut off in the middle of the file."""
    for number in range(4):
        path = write_png(tmp_path / "shots" / f"{number:03d}.png", image(number))
        if number == 2:
            path.write_bytes(path.read_bytes()[:200])
    return tmp_path / "shots"


@pytest.fixture
def rgbd_folder(tmp_path: Path) -> Path:
    """Two images with depth (millimetres), one without."""
    for number in range(3):
        write_png(tmp_path / "rgbd" / "rgb" / f"{number}.png", image(number))
    (tmp_path / "rgbd" / "depth").mkdir()
    for number in range(2):
        depth = np.full((HEIGHT, WIDTH), 400 + number, np.uint16)
        assert cv2.imwrite(str(tmp_path / "rgbd" / "depth" / f"{number}.png"), depth)
    return tmp_path / "rgbd"


@pytest.fixture
def video_file(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4", 6)


@pytest.fixture
def bop_root(tmp_path: Path, bundle_dir: Path) -> Path:
    """A BOP test split: scene 3 with images 0, 1, 2, 7, of which the target list names 0, 2 and 7."""
    root = tmp_path / "bricks"
    scene = root / "test" / "000003"
    for number in (0, 1, 2, 7):
        write_png(scene / "rgb" / f"{number:06d}.png", image(number))
    cameras = {str(n): {"cam_K": CAMERA.K.ravel().tolist(), "depth_scale": 1.0} for n in (0, 1, 2, 7)}
    (scene / "scene_camera.json").write_text(json.dumps(cameras))
    targets = [{"scene_id": 3, "im_id": n, "obj_id": 1, "inst_count": 1} for n in (0, 2, 7)]
    (root / "test_targets_bop19.json").write_text(json.dumps(targets))
    shutil.copytree(bundle_dir / "models", root / "models")
    return root
