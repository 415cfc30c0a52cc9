"""Ray Train for real: two workers that average their gradients, killed with kill -9 and continued."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("ray")

from posebot.core.errors import PlatformLostError, PosebotError
from posebot.training import ray_start
from tests.training.scenes import write_scenes

CONFIG = """
tracking: false
checkpoint_s: 1
detector: {pictures: 400, minutes: null, batch: 4}
localizer: {crops: 400, minutes: null, batch: 8}
calibration: {frames: 2}
"""


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("source", ["cache", "stream"])
def test_two_workers_are_killed_and_go_on(tmp_path: Path, source: str) -> None:
    write_scenes(tmp_path / "bop", scenes=3)
    (tmp_path / "train.yaml").write_text(f"source: {source}{CONFIG}")
    command = [sys.executable, "-m", "posebot.cli.main", "train", "--dataset", "bop", "--out", "bundle", "--tiny",
               "--config", "train.yaml", "--workers", "2", "--ray"]
    folder = tmp_path / "runs" / "train" / "bundle" / "detector"
    first = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        while not (folder / "checkpoint.pt").exists():
            assert first.poll() is None, "ended before it could be killed"
            time.sleep(0.1)
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=1200)
    assert second.returncode == 0, second.stderr
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    samples = [line["metrics"]["samples"] for line in lines]
    assert samples == sorted(samples), "the second process went on where the first one was"
    assert samples[-1] == 400
    assert (tmp_path / "bundle" / "bundle.yaml").exists()


def test_ray_gets_another_try_and_then_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    tries = []

    def late(**options: object) -> None:
        tries.append(options["address"])
        if len(tries) < 3:
            raise Exception("The current node timed out during startup.\nMore about it.")

    monkeypatch.setattr(ray, "init", late)
    ray_start.connect(None)
    assert tries == ["local"] * 3
    tries.clear()
    monkeypatch.setattr(ray_start, "START_TRIES", 2)
    with pytest.raises(PosebotError, match=r"Ray did not start \(The current node timed out during startup\.\)"):
        ray_start.connect(None)


def test_an_address_without_a_cluster_is_told_at_once() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(PlatformLostError, match=rf"{address}: no Ray cluster answers \(.*refused"):
            ray_start.connect(address)
