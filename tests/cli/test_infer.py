from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from posebot.cli.main import run
from posebot.core.results import FrameResult
from posebot.evaluation.bop_csv import read_csv
from posebot.video.sinks import read_jsonl
from tests.video.conftest import bop_root, bundle_dir, camera_file, folder, rgbd_folder, video_file  # noqa: F401
from tests.video.image_files import write_video
from tests.video.plumbing import CAM_FROM_BRICK, CAMERA


def results(path: Path) -> list[FrameResult]:
    return read_jsonl(path)


def assert_at_brick(pose: np.ndarray) -> None:
    """Seen head on, a tilt of 5 degrees moves the outline by a tenth of a pixel and the centre behind it by 2.6 mm."""
    assert np.allclose(pose[:3, 3], CAM_FROM_BRICK[:3, 3], atol=0.003)
    assert np.allclose(pose[:3, :3], CAM_FROM_BRICK[:3, :3], atol=0.1)


def test_a_folder_gives_a_line_for_each_sound_image(
    folder: Path, bundle_dir: Path, camera_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]  # noqa: F811
) -> None:
    out = tmp_path / "out" / "results.jsonl"
    assert run(["infer", "--source", str(folder), "--bundle", str(bundle_dir), "--camera", str(camera_file),
                "--out", str(out), "--json"]) == 0
    told = capfd.readouterr()
    summary = json.loads(told.out)
    assert (summary["frames"], summary["skipped"]) == (3, 1)
    assert "skipped shots/002" in told.err
    assert [result.frame_id for result in results(out)] == ["shots/000", "shots/001", "shots/003"]
    (estimate,) = results(out)[0].estimates
    assert estimate.label == "brick"
    assert estimate.cam_from_obj is not None
    assert_at_brick(estimate.cam_from_obj)


def test_bop_video_pictures_and_mcap(bop_root: Path, bundle_dir: Path, tmp_path: Path) -> None:  # noqa: F811
    import av
    from mcap.reader import make_reader

    out = tmp_path / "results.jsonl"
    assert run(["infer", "--source", str(bop_root), "--split", "test", "--bundle", str(bundle_dir), "--out", str(out),
                "--bop", str(tmp_path / "out.csv"), "--video", str(tmp_path / "out.mp4"),
                "--overlays", str(tmp_path / "drawn"), "--mcap", str(tmp_path / "out.mcap")]) == 0
    rows = read_csv(tmp_path / "out.csv")
    assert [(row.scene_id, row.im_id, row.obj_id) for row in rows] == [(3, 0, 1), (3, 2, 1), (3, 7, 1)]
    assert_at_brick(rows[0].cam_from_obj)
    estimate = results(out)[0].estimates[0]
    assert rows[0].score == pytest.approx(estimate.rank, abs=2e-4)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 3
    assert len(list((tmp_path / "drawn").glob("*.jpg"))) == 3
    with (tmp_path / "out.mcap").open("rb") as file:
        topics = [channel.topic for _, channel, _ in make_reader(file).iter_messages()]
    assert topics.count("/posebot/result") == topics.count("/posebot/overlay") == 3


def test_a_run_that_was_cut_off_goes_on(folder: Path, bundle_dir: Path, camera_file: Path, tmp_path: Path,  # noqa: F811
                                        capfd: pytest.CaptureFixture[str]) -> None:
    out, video = tmp_path / "results.jsonl", tmp_path / "out.mp4"
    command = ["infer", "--source", str(folder), "--bundle", str(bundle_dir), "--camera", str(camera_file), "--out",
               str(out), "--json"]
    assert run(command) == 0
    first, second, _ = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(first + second[:len(second) // 2])
    capfd.readouterr()
    assert run([*command, "--video", str(video)]) == 0
    summary = json.loads(capfd.readouterr().out)
    assert (summary["frames"], summary["resumed"]) == (3, 1)
    lines = out.read_bytes().splitlines(keepends=True)
    assert lines[0] == first
    assert [result.frame_id for result in results(out)] == ["shots/000", "shots/001", "shots/003"]
    import av

    with av.open(str(video)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 3


def test_a_finished_run_is_not_done_twice(folder: Path, bundle_dir: Path, camera_file: Path, tmp_path: Path,  # noqa: F811
                                          capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "results.jsonl"
    command = ["infer", "--source", str(folder), "--bundle", str(bundle_dir), "--camera", str(camera_file), "--out",
               str(out)]
    assert run(command) == 0
    before = out.read_bytes()
    assert run(command) == 0
    assert out.read_bytes() == before
    assert run([*command, "--no-depth"]) == 2
    assert "depth was True, now False" in capfd.readouterr().err
    assert out.read_bytes() == before
    assert run([*command, "--no-depth", "--overwrite"]) == 0
    assert len(results(out)) == 3


def test_results_of_unknown_origin_are_left_alone(folder: Path, bundle_dir: Path, camera_file: Path,  # noqa: F811
                                                  tmp_path: Path) -> None:
    out = tmp_path / "results.jsonl"
    out.write_text("precious\n")
    assert run(["infer", "--source", str(folder), "--bundle", str(bundle_dir), "--camera", str(camera_file), "--out",
                str(out)]) == 2
    assert out.read_text() == "precious\n"


def test_it_survives_kill_9_and_the_video_plays(bundle_dir: Path, camera_file: Path, tmp_path: Path) -> None:  # noqa: F811
    import av

    clip, out, video = write_video(tmp_path / "long.mp4", 300), tmp_path / "results.jsonl", tmp_path / "out.mp4"
    command = [sys.executable, "-m", "posebot.cli.main", "infer", "--source", str(clip), "--bundle", str(bundle_dir),
               "--camera", str(camera_file), "--out", str(out), "--video", str(video), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and (not out.exists() or out.read_bytes().count(b"\n") < 30):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = out.read_bytes().count(b"\n")
    assert 30 <= done < 300
    with av.open(str(video)) as container:
        assert sum(1 for _ in container.decode(video=0)) >= 25
    finished = subprocess.run([*command, "--frames", str(done + 3)], capture_output=True, check=True)
    summary = json.loads(finished.stdout)
    assert (summary["frames"], summary["resumed"]) == (done + 3, done)
    assert [result.frame_id for result in results(out)] == [f"long/{number:06d}" for number in range(done + 3)]


def test_ctrl_c_leaves_whole_files_and_says_so(bundle_dir: Path, camera_file: Path, tmp_path: Path) -> None:  # noqa: F811
    import av

    clip, out, video = write_video(tmp_path / "long.mp4", 300), tmp_path / "results.jsonl", tmp_path / "out.mp4"
    process = subprocess.Popen(
        [sys.executable, "-m", "posebot.cli.main", "infer", "--source", str(clip), "--bundle", str(bundle_dir),
         "--camera", str(camera_file), "--out", str(out), "--video", str(video)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and (not out.exists() or out.read_bytes().count(b"\n") < 10):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert out.read_bytes().endswith(b"\n")
    with av.open(str(video)) as container:
        shown = sum(1 for _ in container.decode(video=0))
    assert len(results(out)) - shown in (0, 1)  # the line comes first: Ctrl-C may fall between it and the image


@pytest.mark.parametrize(("change", "problem"), [
    ({"--camera": None}, "has no intrinsics"),
    ({"--source": "nowhere"}, "nowhere does not exist"),
    ({"--source": "rtsp://me:secret@10.0.0.1/live"}, "is an address"),
    ({"--bundle": "nowhere"}, "nowhere"),
    ({"--camera": "nowhere.json"}, "nowhere.json"),
    ({"--bop": "out.csv"}, "--split"),
    ({"--split": "test", "--camera": None}, "no such folder"),
    ({"--config": "nowhere.yaml"}, "nowhere.yaml"),
])
def test_bad_input_is_one_line_and_exit_code_2(folder: Path, bundle_dir: Path, camera_file: Path,  # noqa: F811
                                               tmp_path: Path, capfd: pytest.CaptureFixture[str],
                                               change: dict[str, str | None], problem: str) -> None:
    options = {"--source": str(folder), "--bundle": str(bundle_dir), "--camera": str(camera_file),
               "--out": str(tmp_path / "results.jsonl"), **change}
    code = run(["infer", *(word for name, value in options.items() if value is not None for word in (name, value))])
    told = capfd.readouterr().err
    assert code == 2
    assert problem in told
    assert len(told.strip().splitlines()) == 1
    assert "secret" not in told
    assert not (tmp_path / "results.jsonl").exists()


def test_one_corrupt_image_is_bad_input(bundle_dir: Path, camera_file: Path, tmp_path: Path,  # noqa: F811
                                          capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.png").write_bytes(b"\x89PNG nothing")
    assert run(["infer", "--source", str(tmp_path / "bad.png"), "--bundle", str(bundle_dir), "--camera",
                str(camera_file), "--out", str(tmp_path / "results.jsonl")]) == 2
    assert "bad.png: the image is truncated" in capfd.readouterr().err


def test_a_tampered_bundle_is_bad_input(folder: Path, bundle_dir: Path, camera_file: Path, tmp_path: Path,  # noqa: F811
                                        capfd: pytest.CaptureFixture[str]) -> None:
    copy = shutil.copytree(bundle_dir, tmp_path / "copy")
    (copy / "detector.onnx").write_bytes(b"x" + (copy / "detector.onnx").read_bytes()[1:])
    assert run(["infer", "--source", str(folder), "--bundle", str(copy), "--camera", str(camera_file), "--out",
                str(tmp_path / "results.jsonl")]) == 2
    assert "detector.onnx" in capfd.readouterr().err


def test_a_wrong_depth_scale_is_told_with_the_likely_value(
    rgbd_folder: Path, bundle_dir: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]  # noqa: F811
) -> None:
    camera, out = tmp_path / "tenths.json", tmp_path / "results.jsonl"
    camera.write_text(json.dumps(CAMERA.to_dict() | {"depth_scale": 10.0}))
    command = ["infer", "--source", str(rgbd_folder), "--bundle", str(bundle_dir), "--camera", str(camera)]
    command += ["--out", str(out)]
    assert run(command) == 0
    told = capfd.readouterr().err
    assert f"warning: {camera}: depth_scale 10 looks wrong: depths are" in told and "; probably 1 (" in told
    camera.write_text(json.dumps(CAMERA.to_dict() | {"depth_scale": 1.0}))
    assert run([*command, "--overwrite"]) == 0
    assert "warning" not in capfd.readouterr().err


def test_meshes_alone_are_looked_for_by_depth(rgbd_folder: Path, bundle_dir: Path, camera_file: Path,  # noqa: F811
                                              tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "results.jsonl"
    command = ["infer", "--source", str(rgbd_folder), "--camera", str(camera_file), "--out", str(out), "--no-training",
               "--objects", str(bundle_dir / "models")]
    assert run(command) == 0
    assert "has no depth" in capfd.readouterr().err  # the third image
    assert [result.estimates for result in results(out)] == [(), ()]  # a bare wall
    assert run([*command[:-2], "--out", str(tmp_path / "b.jsonl")]) == 2
    assert "--objects FOLDER" in capfd.readouterr().err
    assert run([*command, "--no-depth", "--out", str(tmp_path / "c.jsonl")]) == 2
    assert "depth camera" in capfd.readouterr().err
    assert run([*(word for word in command if word != "--no-training"), "--bundle", str(bundle_dir)]) == 2
    assert "leave --objects out" in capfd.readouterr().err
