"""Cameras of the configuration that know where they sit: hand-eye calibration and the robot's poses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from posebot.core.errors import InputError
from posebot.core.transforms import Array, make, rotation_from_vector
from posebot.service.settings import StreamSettings
from posebot.service.streams.camera_pose import CameraPoseProvider
from posebot.video.cameras import load_cameras
from posebot.video.open_source import SourceOptions, open_source
from posebot.video.source import CapturedFrame

INTRINSICS = {"K": [300, 0, 159.5, 0, 300, 119.5, 0, 0, 1], "width": 320, "height": 240}
GRIPPER_FROM_CAM = make(rotation_from_vector([0.1, -0.2, 1.5]), [0.03, -0.05, 0.02])
SIGMA = np.repeat([0.001, 0.003], 3)


def arm_at(number: int) -> Array:
    return make(rotation_from_vector([0, 0.1 * number, 0]), [0.4, 0.01 * number, 0.5])


def calibration(folder: Path, mode: str = "eye-in-hand") -> Path:
    """A file as `posebot calibrate hand-eye` writes it, its main parts."""
    name = "gripper_from_cam" if mode == "eye-in-hand" else "base_from_cam"
    path = folder / "hand_eye.yaml"
    path.write_text(yaml.safe_dump({"schema": 1, "mode": mode, name: GRIPPER_FROM_CAM.tolist(),
                                    "covariance": np.diag(SIGMA**2).tolist(),
                                    "noise": {"arm_mm": 0.2, "arm_deg": 0.1}}))
    return path


def table(path: Path, key: str, names: list[object]) -> Path:
    """A CSV with the pose of the arm for each name (a image's, or a time)."""
    lines = [f"{key},{','.join(f'm{i}{j}' for i in range(4) for j in range(4))}"]
    lines += [f"{name},{','.join(f'{value:.9f}' for value in arm_at(number).ravel())}"
              for number, name in enumerate(names)]
    path.write_text("\n".join(lines) + "\n")
    return path


def config(folder: Path, **entry: object) -> Path:
    path = folder / "cameras.yaml"
    path.write_text(yaml.safe_dump({"cameras": {"wrist": {"intrinsics": INTRINSICS, **entry}}}))
    return path


def frames(path: Path) -> dict[str, Array | None]:
    """base_from_cam by frame."""
    shots = list(open_source("wrist", SourceOptions(config=path)).frames())
    return {shot.frame.frame_id: shot.frame.base_from_cam for shot in shots if isinstance(shot, CapturedFrame)}


def test_pictures_of_a_wrist_camera_know_where_they_were_taken(tmp_path: Path, folder: Path) -> None:
    calibration(tmp_path)
    table(tmp_path / "poses.csv", "image", ["000.png", "001.png", "003.png"])
    found = frames(config(tmp_path, kind="folder", source=folder.name, hand_eye="hand_eye.yaml",
                          robot_poses="poses.csv"))
    assert list(found) == ["shots/000", "shots/001", "shots/003"]
    for number, pose in enumerate(found.values()):
        np.testing.assert_allclose(pose, arm_at(number) @ GRIPPER_FROM_CAM, atol=1e-7)


def test_a_picture_without_a_pose_has_none(tmp_path: Path, folder: Path) -> None:
    calibration(tmp_path)
    table(tmp_path / "poses.csv", "image", ["000.png"])
    found = frames(config(tmp_path, kind="folder", source=folder.name, hand_eye="hand_eye.yaml",
                          robot_poses="poses.csv"))
    assert [pose is None for pose in found.values()] == [False, True, True]


@pytest.mark.parametrize("name", ["time", "stamp"])
def test_a_videos_frames_are_placed_by_time(tmp_path: Path, video_file: Path, name: str) -> None:
    calibration(tmp_path)
    table(tmp_path / "poses.csv", name, [0.0, 0.1, 0.2, 0.3])
    path = config(tmp_path, kind="video", source=video_file.name, hand_eye="hand_eye.yaml", robot_poses="poses.csv",
                  fps=10)
    found = list(frames(path).values())
    assert [pose is None for pose in found] == [False] * 4 + [True] * 2
    np.testing.assert_allclose(found[2], arm_at(2) @ GRIPPER_FROM_CAM, atol=1e-7)


def test_a_fixed_camera_stands_where_the_calibration_says(tmp_path: Path, folder: Path) -> None:
    calibration(tmp_path, "eye-to-hand")
    path = config(tmp_path, kind="folder", source=folder.name, hand_eye="hand_eye.yaml")
    for pose in frames(path).values():
        np.testing.assert_allclose(pose, GRIPPER_FROM_CAM, atol=1e-7)
    entry = load_cameras(path)["wrist"]
    assert entry.mount.error.causes == ("hand_eye",)
    assert CameraPoseProvider(entry, StreamSettings()).kind == "static"


def test_the_error_is_what_calibration_found_unless_told_otherwise(tmp_path: Path, folder: Path) -> None:
    calibration(tmp_path)
    entry = {"kind": "folder", "source": folder.name, "hand_eye": "hand_eye.yaml"}
    found = load_cameras(config(tmp_path, **entry))["wrist"].mount.error
    assert found.causes == ("hand_eye", "kinematics")
    np.testing.assert_allclose(np.diag(found.hand_eye), SIGMA**2, rtol=1e-6)  # the same in all directions
    np.testing.assert_allclose(np.diag(found.kinematics)[3:], np.radians(0.1) ** 2, rtol=1e-6)
    told = load_cameras(config(tmp_path, **entry, arm_mm=0, arm_deg=0, latency_ms=4))["wrist"].mount.error
    assert told.causes == ("hand_eye", "latency")
    assert told.latency_s == pytest.approx(0.004)


def test_pushed_poses_need_no_other_numbers_than_the_calibration(tmp_path: Path, folder: Path) -> None:
    calibration(tmp_path)
    entry = load_cameras(config(tmp_path, kind="folder", source=folder.name, hand_eye="hand_eye.yaml"))["wrist"]
    placing = CameraPoseProvider(entry, StreamSettings(robot_pose="pushed"))
    placing.push(100.0, arm_at(3))
    (shot, *_) = open_source("wrist", SourceOptions(config=tmp_path / "cameras.yaml")).frames()
    assert isinstance(shot, CapturedFrame)
    assert shot.frame.base_from_cam is None
    frame = placing.with_pose(replace(shot.frame, captured_at=100.0))
    np.testing.assert_allclose(frame.base_from_cam, arm_at(3) @ GRIPPER_FROM_CAM, atol=1e-9)
    assert placing.error.causes == ("hand_eye", "kinematics")


@pytest.mark.parametrize(("entry", "problem"), [
    ({"kind": "folder", "source": "shots", "robot_poses": "poses.csv"}, "robot_poses without hand_eye"),
    ({"kind": "folder", "source": "shots", "latency_ms": 3}, "latency_ms without hand_eye"),
    ({"kind": "folder", "source": "shots", "hand_eye": "none.yaml"}, "none.yaml"),
    ({"kind": "folder", "source": "shots", "hand_eye": "hand_eye.yaml", "arm_mm": -1},
     "arm_mm: -1 is not valid; a number, at least 0"),
    ({"kind": "device", "source": 0, "hand_eye": "hand_eye.yaml", "robot_poses": "poses.csv"},
     "live robot poses are pushed"),
    ({"kind": "folder", "source": "shots", "hand_eye": "hand_eye.yaml", "base_from_cam": np.eye(4).ravel().tolist()},
     "exclude each other"),
    ({"kind": "sim", "hand_eye": "hand_eye.yaml"}, "hand_eye: unknown key"),
    ({"kind": "folder", "source": "shots", "hand_eye": "hand_eye.yaml", "robot_poses": "none.csv"}, "none.csv"),
    ({"kind": "folder", "source": "shots", "hand_eye": "hand_eye.yaml", "robot_poses": "poses.csv"},
     "none of the 4 images"),
    ({"kind": "video", "source": "clip.mp4", "hand_eye": "hand_eye.yaml", "robot_poses": "poses.csv"}, "no time"),
    ({"kind": "video", "source": "clip.mp4", "hand_eye": "hand_eye.yaml", "robot_poses": "epoch.csv"},
     "since the video's first frame"),
])
def test_what_does_not_fit_is_refused(tmp_path: Path, folder: Path, video_file: Path, entry: dict[str, object],
                                      problem: str) -> None:
    calibration(tmp_path)
    table(tmp_path / "poses.csv", "image", ["a.png", "b.png"])
    table(tmp_path / "epoch.csv", "time", [1.7e9, 1.7e9 + 1])
    with pytest.raises(InputError, match=problem) as told:
        frames(config(tmp_path, **entry))
    assert "\n" not in str(told.value)
