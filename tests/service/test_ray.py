"""The service as it is run: `posebot serve` on Ray Serve, with processes that are killed and models that change."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pytest
import yaml

from posebot.client import Client, ServiceError
from posebot.core.camera import Camera
from posebot.core.frame import Frame
from posebot.core.results import FrameResult
from posebot.models.bundle import Bundle
from posebot.service.auth.keys import KeyStore
from posebot.service.settings import Limits
from posebot.service.web.image_decoder import decode_image
from posebot.stages.pipeline import Pipeline
from posebot.video.sinks import read_jsonl
from tests.service.helpers import CAMERA, free_port, picture, wait_for

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
_START_S, _RECOVERY_S = 240.0, 15.0


@dataclass
class Deployed:
    """A service in processes of its own."""

    base: str
    key: str
    state: Path

    def client(self) -> Client:
        return Client(self.base, self.key, timeout_s=60)


@pytest.fixture(scope="module")
def config(tiny_bundle: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("ray") / "serve.yaml"
    file.write_text(yaml.safe_dump({
        "state": "state", "port": free_port(), "active": "tiny", "jobs": {"folder": "jobs"},
        "bundles": {"tiny": str(tiny_bundle), "second": str(tiny_bundle)},
        "cameras": {"loop": {"kind": "folder", "source": str(photos / "pictures"), "fps": 5,
                             "intrinsics": str(photos / "camera.json")}},
        "streams": {"loop": {"loop": True, "record": {"mcap": True}}}}))
    return file


@contextmanager
def serving(config: Path, *options: str) -> Iterator[Deployed]:
    state, port = config.parent / "state", yaml.safe_load(config.read_text())["port"]
    key = KeyStore(state).create("test", ["admin"])[1]
    log = (config.parent / "serve.log").open("w")
    process = subprocess.Popen([sys.executable, "-m", "posebot.cli.main", "serve", "--config", str(config), *options],
                               stdout=log, stderr=subprocess.STDOUT)
    found = Deployed(f"http://127.0.0.1:{port}", key, state)
    try:
        wait_for(lambda: alive(found) or process.poll() is not None, _START_S)
        assert process.poll() is None, (config.parent / "serve.log").read_text()[-3000:]
        yield found
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(90)
        log.close()


def alive(service: Deployed) -> bool:
    try:
        return httpx.get(f"{service.base}/v1/health/ready", timeout=60).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def service(config: Path) -> Iterator[Deployed]:
    with serving(config) as found:
        yield found


@dataclass
class Load:
    """Asks for results of one picture, again and again, in a few threads; remembers every answer."""

    service: Deployed
    threads: int = 3
    answers: list[tuple[float, int]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Load:
        self._workers = [threading.Thread(target=self._ask, daemon=True) for _ in range(self.threads)]
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        for worker in self._workers:
            worker.join(120)

    def counts(self) -> Counter[int]:
        return Counter(status for _, status in self.answers)

    def _ask(self) -> None:
        headers = {"Authorization": f"Bearer {self.service.key}"}
        with httpx.Client(base_url=self.service.base, headers=headers, timeout=100) as http:
            while not self.ended.is_set():
                try:
                    answer = http.post("/v1/infer", files={"image": picture()}, data={"camera": json.dumps(CAMERA)})
                    status = answer.status_code
                    assert status != 200 or answer.json()["schema"] == 1
                except httpx.HTTPError:
                    status = 0
                self.answers.append((time.monotonic(), status))


def replicas(name: str) -> list[int]:
    """Process ids whose title begins so."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                title = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if title.startswith(name):
                found.append(int(entry.name))
    return found


def test_activating_under_load_drops_no_request(service: Deployed) -> None:
    with Load(service) as load, service.client() as client:
        wait_for(lambda: len(load.answers) > 5)
        for name in ("second", "tiny", "second"):
            told = client.activate(name)
            assert told["active"] == name
            print(f"activate: {told['seconds']} s")
            count = len(load.answers)
            wait_for(lambda: len(load.answers) > count + 5)  # noqa: B023
    assert set(load.counts()) == {200}, load.counts()
    print(f"activate under load: {load.counts()}")


def test_a_killed_replica_is_back_soon_and_answers_are_right_or_5xx(service: Deployed) -> None:
    with Load(service) as load, service.client() as client:
        client.stream("loop").start()
        wait_for(lambda: len(load.answers) > 5)
        [pid] = replicas("ray::ServeReplica:posebot:Api")
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        wait_for(lambda: [when for when, status in load.answers if status == 200 and when > killed + 1], 120)
        first = min(when for when, status in load.answers if status == 200 and when > killed + 1)
    print(f"replica: answers again after {first - killed:.1f} s; {load.counts()}")
    assert not [status for status in load.counts() if 0 < status < 500 and status != 200], load.counts()
    with service.client() as client:
        status = wait_for(lambda: client.stream("loop").status())
        wait_for(lambda: client.stream("loop").status()["frames"] > status["frames"])


def test_a_killed_stream_is_back_soon_says_so_and_its_recording_is_whole(service: Deployed) -> None:
    with service.client() as client:
        stream = client.stream("loop")
        stream.start()
        wait_for(lambda: stream.status()["frames"] > 3)
        [pid] = replicas("ray::StreamActor")
        recorded = newest(service.state / "streams" / "loop")
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        wait_for(lambda: again(stream, pid), 120)
        print(f"stream: results again after {time.monotonic() - killed:.1f} s")
        assert stream.status()["restarts"] >= 1
    assert len(read_jsonl(recorded)) > 3


def again(stream: object, pid: int) -> bool:
    try:
        status = stream.status()  # type: ignore[attr-defined]
    except ServiceError:
        return False
    return pid not in replicas("ray::StreamActor") and status["frames"] > 0 and status["state"] == "running"


def newest(folder: Path) -> Path:
    return sorted(folder.glob("*.jsonl"))[-1]


def test_the_distributed_profile_on_two_nodes_says_the_same_as_the_pipeline(config: Path, tiny_bundle: Path) -> None:
    out, state = config.parent / "spread.json", config.parent / "spread"
    done = subprocess.run([sys.executable, "-m", "tests.service.distributed", str(config), str(state), str(free_port()),
                           str(out)], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(out.read_text())
    own = fused(tiny_bundle)
    assert [estimate["box_xyxy"] for estimate in said["estimates"]] == [e.to_dict()["box_xyxy"] for e in own.estimates]
    assert sum(said["nodes"]) == 4 and len(said["nodes"]) == 2  # replicas on both nodes
    assert said["activated"]["active"] == "second"
    print(f"distributed: p50 {said['ms']:.1f} ms, {said['stage_ms']}; fused pipeline alone: {own.stage_ms}")


def fused(tiny_bundle: Path) -> FrameResult:
    K = np.array([[200.0, 0, 63.5], [0, 200.0, 47.5], [0, 0, 1]])
    frame = Frame(decode_image(picture(), Limits(), "image"), Camera(K, 128, 96), np.full((96, 128), 0.6, np.float32))
    pipeline = Pipeline(Bundle.open(tiny_bundle), fuse=False)
    pipeline(frame)
    return pipeline(frame)


def test_a_job_runs_to_its_end_and_its_log_can_be_read(service: Deployed) -> None:
    with service.client() as client:
        job = client.submit("synth", objects="nothing", frames=1, out="data")
        wait_for(lambda: client.job(job["id"])["status"] in ("failed", "succeeded"), 180)
        assert client.job(job["id"])["status"] == "failed"
        assert "no such folder" in "\n".join(client.job_logs(job["id"]))
        assert client.jobs()[0]["id"] == job["id"]
        with pytest.raises(ServiceError) as unknown:
            client.job("nobody")
        assert unknown.value.code == "not_found"
