"""`posebot calibrate`, as a user calls it: on made images, and on the real sets where they are."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from posebot.cli._calibrate import load_views
from posebot.cli.main import run
from posebot.core.results import PoseEstimate
from posebot.core.transforms import Array, inverse, quaternion_from_rotation
from posebot.robots.calibration_files import load_hand_eye
from posebot.robots.robot_poses import read_poses
from posebot.robots.targets import parse_target
from posebot.video.intrinsics import load_intrinsics
from posebot.video.sinks import read_jsonl
from tests.robots.synthetic_robot import CAMERA, look_at_board, photograph
from tests.video.conftest import bundle_dir  # noqa: F401

Capture = pytest.CaptureFixture[str]
SPEC = "charuco:5x4:40mm:30mm:DICT_4X4_50"
PINHOLE = CAMERA.undistorted()


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten images of a wrist camera, a table of robot poses, and the truth."""
    folder, random = tmp_path_factory.mktemp("session"), np.random.default_rng(0)
    gripper_from_cam, base_from_target = np.eye(4), np.eye(4)
    gripper_from_cam[:3, 3], base_from_target[:3, 3] = [0.03, -0.05, 0.02], [0.5, 0.1, 0.0]
    lines = ["image,x,y,z,qx,qy,qz,qw"]
    for i in range(10):
        pose = look_at_board(random, 0.4, (0.4, 0.55))
        gripper = base_from_target @ inverse(gripper_from_cam @ pose)
        numbers = [*gripper[:3, 3], *quaternion_from_rotation(gripper[:3, :3])]
        lines.append(",".join([f"{i}.png", *map(str, numbers)]))
        cv2.imwrite(str(folder / f"{i}.png"), photograph(parse_target(SPEC), pose, PINHOLE))
    (folder / "poses.csv").write_text("\n".join(lines))
    (folder / "true_camera.json").write_text(json.dumps(PINHOLE.to_dict()))
    return folder


def test_camera_then_hand_eye(session: Path, tmp_path: Path, capsys: Capture) -> None:
    camera, out, drawn = tmp_path / "camera.yaml", tmp_path / "hand_eye.yaml", tmp_path / "drawn"
    command = ["calibrate", "camera", str(session), "--target", SPEC, "--out", str(camera), "--lens", "none"]
    assert run([*command, "--overlay", str(drawn)]) == 0
    told = capsys.readouterr().err
    assert "reprojection error" in told
    assert f"add a line to {camera}: depth_scale: N, millimetres per unit of the depth images (1.0 for" in told
    assert load_intrinsics(camera).camera.K[0, 0] == pytest.approx(620, rel=0.02)
    assert len(list(drawn.glob("*.jpg"))) == 10
    command = ["calibrate", "hand-eye", str(session), "--poses", str(session / "poses.csv"), "--target", SPEC]
    command += ["--camera", str(session / "true_camera.json"), "--mode", "eye-in-hand", "--out", str(out)]
    assert run([*command, "--overlay", str(drawn)]) == 0
    assert "gripper_from_cam: position" in capsys.readouterr().err
    np.testing.assert_allclose(load_hand_eye(out).pose[:3, 3], [0.03, -0.05, 0.02], atol=1.5e-3)
    assert run([*command, "--json", "--arm-mm", "0.1", "--arm-deg", "0.01"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["summary"]["pairs_used"] == 10
    assert printed["summary"]["leave_one_out_mm"]["max"] < 1
    assert printed["not_found"] == []


def test_target(tmp_path: Path, capsys: Capture) -> None:
    assert run(["calibrate", "target", "--target", SPEC, "--out", str(tmp_path / "board.pdf"), "--paper", "a4"]) == 0
    assert "297 x 210 mm" in capsys.readouterr().out
    assert (tmp_path / "board.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(("arguments", "words"), [
    (["camera", "SESSION", "--target", "charuco:5x4:40mm:30mm:6X6_50"], "0 images with 6 points"),
    (["camera", "EMPTY", "--target", SPEC], "has no images"),
    (["camera", "nowhere.png", "--target", SPEC], "nowhere.png"),
    (["camera", "SESSION", "--target", "board"], "unknown target 'board'"),
    (["hand-eye", "SESSION", "--poses", "SESSION/poses.csv", "--target", SPEC, "--mode", "eye-in-hand"], "--camera"),
    (["hand-eye", "SESSION", "--poses", "none.csv", "--target", SPEC, "--mode", "eye-in-hand"], "none.csv"),
    (["hand-eye", "SESSION", "--poses", "SESSION/poses.csv", "--mode", "eye-in-hand", "--arm-mm", "1"], "--arm-deg"),
    (["hand-eye", "SESSION", "--poses", "SESSION/poses.csv", "--target", "aruco:6X6_50:30mm", "--camera",
      "SESSION/true_camera.json", "--mode", "eye-in-hand"], "in none of 10 images"),
    (["hand-eye", "SESSION", "--poses", "SESSION/poses.csv", "--mode", "eye-on-foot"], "eye-on-foot"),
    (["target", "--target", SPEC, "--out", "board.svg"], ".pdf or .png"),
])
def test_refused_without_a_traceback(arguments: list[str], words: str, session: Path, tmp_path: Path,
                                     capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    filled = [text.replace("SESSION", str(session)).replace("EMPTY", "empty") for text in arguments]
    assert run(["calibrate", *filled]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert "Traceback" not in err
    assert os.listdir(tmp_path) == ["empty"]


@pytest.fixture
def handeye(real_data: Path) -> Path:
    """The real sets; the test is skipped where they are missing."""
    folder = real_data / "handeye"
    if not folder.is_dir():
        pytest.skip(f"no real hand-eye sets: {folder} is missing (set POSEBOT_DATA)")
    return folder


def _calibrated(arguments: list[str], out: Path) -> dict:
    assert run(["calibrate", "hand-eye", *arguments, "--out", str(out)]) == 0
    return yaml.safe_load(out.read_text())


def test_visp_franka(handeye: Path, tmp_path: Path) -> None:
    folder = str(handeye / "visp_franka_eye_to_hand")
    found = _calibrated([folder, "--poses", folder, "--target", "apriltag:36h11:48mm", "--camera",
                         f"{folder}/camera.json", "--mode", "eye-to-hand"], tmp_path / "out.yaml")
    assert found["summary"]["pairs_used"] == 8
    assert found["summary"]["leave_one_out_mm"]["max"] <= 3
    assert found["summary"]["solvers_median_mm"] <= 3
    assert found["summary"]["residual_median_mm"] <= 3


def test_ros_industrial(handeye: Path, tmp_path: Path) -> None:
    folder, target, camera = handeye / "ri_10x10", "circles:10x10:25.4mm", tmp_path / "camera.yaml"
    assert run(["calibrate", "camera", str(folder / "images"), "--target", target, "--out", str(camera)]) == 0
    arguments = ["--poses", str(folder / "cal_data.yaml"), "--target", target, "--camera", str(camera),
                 "--mode", "eye-in-hand"]
    stated = _calibrated(arguments, tmp_path / "stated.yaml")
    assert any("--fit-scale" in text for text in stated["warnings"])  # the print is smaller than its file says
    found = _calibrated([*arguments, "--fit-scale"], tmp_path / "out.yaml")
    assert found["summary"]["pairs_used"] == 15
    assert found["summary"]["leave_one_out_mm"]["max"] <= 3
    assert found["summary"]["residual_px"] < 1.5
    assert 0.97 < found["target_scale"]["factor"] < 0.985


def test_moveit(handeye: Path, tmp_path: Path) -> None:
    found = _calibrated(["--poses", str(handeye / "moveit" / "pose_samples.json"), "--mode", "eye-to-hand"],
                        tmp_path / "out.yaml")
    assert found["summary"]["pairs_used"] == 50
    assert found["summary"]["leave_one_out_mm"]["max"] <= 1
    assert found["summary"]["solvers_median_mm"] <= 1


def _base_from_objects(config: Path, bundle: Path, out: Path) -> dict[str, tuple[Array, PoseEstimate]]:
    """What `infer` says of the camera `cell` of a configuration, by image: base_from_cam and the estimate."""
    assert run(["infer", "--source", "cell", "--config", str(config), "--bundle", str(bundle), "--out", str(out)]) == 0
    found = {result.frame_id.rpartition("/")[2]: result.estimates[0] for result in read_jsonl(out)}
    return {name: (entry.base_from_obj @ inverse(entry.cam_from_obj), entry) for name, entry in found.items()}


def test_a_wrist_cameras_calibration_places_its_images(handeye: Path, bundle_dir: Path,  # noqa: F811
                                                        tmp_path: Path) -> None:
    """ROS-Industrial's set, from images of a board to objects in the base frame. The board's own pose, which does not
    move, says whether `base_from_cam` is right."""
    folder, target = handeye / "ri_10x10", "circles:10x10:25.4mm"
    camera, poses = tmp_path / "camera.yaml", folder / "cal_data.yaml"
    assert run(["calibrate", "camera", str(folder / "images"), "--target", target, "--out", str(camera)]) == 0
    _calibrated(["--poses", str(poses), "--target", target, "--camera", str(camera), "--mode", "eye-in-hand",
                 "--fit-scale"], tmp_path / "hand_eye.yaml")
    config = tmp_path / "cameras.yaml"
    config.write_text(yaml.safe_dump({"cameras": {"cell": {
        "kind": "folder", "source": str(folder / "images"), "intrinsics": "camera.yaml", "hand_eye": "hand_eye.yaml",
        "robot_poses": str(poses), "latency_ms": 5}}}))
    found = _base_from_objects(config, bundle_dir, tmp_path / "results.jsonl")
    hand_eye = load_hand_eye(tmp_path / "hand_eye.yaml")
    shots = load_views(read_poses(poses), [], target, camera)
    assert len(found) == len(shots.views) == 15
    spread = []
    for view in shots.views:
        base_from_cam, estimate = found[Path(view.name).stem]
        np.testing.assert_allclose(base_from_cam, hand_eye.base_from_cam(view.base_from_gripper), atol=1e-6)
        assert estimate.budget.keys() == {"vision", "hand_eye", "kinematics", "latency", "total"}
        spread.append((base_from_cam @ view.cam_from_target)[:3, 3])
    assert np.linalg.norm(spread - np.median(spread, axis=0), axis=1).max() < 0.025  # the arm moves by 0.4 m


def test_a_fixed_cameras_calibration_places_its_images(handeye: Path, bundle_dir: Path,  # noqa: F811
                                                        tmp_path: Path) -> None:
    """ViSP's set: the camera stands still, and so does what it sees."""
    folder = str(handeye / "visp_franka_eye_to_hand")
    found = _calibrated([folder, "--poses", folder, "--target", "apriltag:36h11:48mm", "--camera",
                         f"{folder}/camera.json", "--mode", "eye-to-hand"], tmp_path / "hand_eye.yaml")
    config = tmp_path / "cameras.yaml"
    config.write_text(yaml.safe_dump({"cameras": {"cell": {
        "kind": "folder", "source": folder, "intrinsics": f"{folder}/camera.json", "hand_eye": "hand_eye.yaml"}}}))
    placed = _base_from_objects(config, bundle_dir, tmp_path / "results.jsonl")
    assert len(placed) == 8
    for base_from_cam, _ in placed.values():
        np.testing.assert_allclose(base_from_cam, found["base_from_cam"], atol=1e-6)
