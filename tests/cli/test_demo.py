from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from posebot.cli._served import free_port
from posebot.cli._stream import result_table, roll_pitch_yaw
from posebot.cli.main import run
from posebot.core.results import FrameResult, PoseEstimate, Region90
from posebot.core.transforms import make
from posebot.video.sinks import read_jsonl
from tests.video.conftest import bundle_dir  # noqa: F401
from tests.video.plumbing import BOX, CAMERA

pytest.importorskip("moderngl", reason="the simulated camera needs the synth extra")


def test_it_ends_by_itself_and_leaves_three_files(bundle_dir: Path, tmp_path: Path,  # noqa: F811
                                                  capfd: pytest.CaptureFixture[str]) -> None:
    import av
    import cv2

    out = tmp_path / "demo"
    assert run(["demo", "--no-page", "--frames", "2", "--bundle", str(bundle_dir), "--out", str(out), "--json"]) == 0
    told = capfd.readouterr()
    summary = json.loads(told.out)
    assert summary["frames"] == 2
    assert summary["accuracy"]["all"]["count"] > 0
    assert "brick" in told.err
    results = read_jsonl(out / "results.jsonl")
    assert [result.frame_id.split("/")[0] for result in results] == ["wrist"] * 2
    assert results[0].estimates[0].base_from_obj is not None
    with av.open(str(out / "overlay.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 2
    assert cv2.imread(str(out / "still.jpg")) is not None


def test_ctrl_c_ends_it_well(bundle_dir: Path, tmp_path: Path) -> None:  # noqa: F811
    out = tmp_path / "demo"
    process = subprocess.Popen([sys.executable, "-m", "posebot.cli.main", "demo", "--no-page", "--bundle",
                                str(bundle_dir), "--out", str(out)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    results = out / "results.jsonl"
    while process.poll() is None and (not results.exists() or results.read_bytes().count(b"\n") < 2):
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    assert "Traceback" not in told
    assert "compared with the ground truth" in told
    assert (out / "still.jpg").exists()


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_page_opens_by_the_link_and_shows_the_same_frames(bundle_dir: Path, tmp_path: Path) -> None:  # noqa: F811
    out = tmp_path / "demo"
    process = subprocess.Popen([sys.executable, "-m", "posebot.cli.main", "demo", "--bundle", str(bundle_dir), "--out",
                                str(out), "--port", "8600"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    link = next(line for line in process.stderr if line.startswith("web page: ")).split()[2]
    address, key = link.split("/login#key=")
    assert any(line.startswith("wrist/") for line in process.stderr)
    with httpx.Client(base_url=address, timeout=30) as http:
        assert http.post("/v1/auth/login", json={"key": key}).status_code == 200
        assert "Sign in" in http.get("/login").text
        seen = {http.get("/v1/streams/wrist/result").json()["result"]["frame_id"] for _ in range(10)
                if not time.sleep(0.3)}
    assert len(seen) > 2
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    assert "Traceback" not in told and "compared with the ground truth" in told
    ids = [result.frame_id for result in read_jsonl(out / "results.jsonl")]
    assert len(ids) == len(set(ids)) > 2
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/login")


def test_a_port_that_is_taken_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port < free_port(port) < port + 20


def test_a_missing_bundle_is_bad_input(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--bundle", "nowhere", "--out", str(tmp_path)]) == 2
    assert "nowhere" in capfd.readouterr().err


def test_the_table_fits_80_columns_and_tells_everything() -> None:
    from rich.console import Console

    sure = PoseEstimate("spanner", 7, 0.9, BOX, "ok", "", make(), make(translation=[-0.5, 0.25, 0.03]),
                        p_correct=0.97, region90=Region90(2.4, 3.1), track_id=12, views=7)
    hidden = PoseEstimate("mug", 3, 0.5, BOX, "no_pose", "too few pixels of it are visible")
    console = Console(width=80, record=True, force_terminal=False, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(result_table(FrameResult("wrist/7", 0.0, CAMERA, (sure, hidden), 120.0, {"total": 90.0}), 4.2, 3))
    text = console.export_text()
    for word in ("spanner #12", "-0.500  0.250  0.030", "97 %", "2mm 3°", "mug", "no", "3 dropped", "base frame"):
        assert word in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_angles_are_those_of_urdf() -> None:
    from scipy.spatial.transform import Rotation

    angles = (10.0, -20.0, 130.0)
    pose = make(Rotation.from_euler("xyz", angles, degrees=True).as_matrix())
    assert np.allclose(roll_pitch_yaw(pose), angles)
    yaw, pitch, roll = (Rotation.from_euler(axis, angle, degrees=True).as_matrix()
                        for axis, angle in zip("zyx", angles[::-1]))
    assert np.allclose(yaw @ pitch @ roll, pose[:3, :3])
