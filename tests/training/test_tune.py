"""The search for settings: what is tried, how it is judged, and a real search on Ray Tune."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from posebot.cli.main import run
from posebot.datasets.sample_source import fill_cache
from posebot.training import networks
from posebot.training.config import TINY, load_config
from posebot.training.job import Name
from posebot.training.tune import SPACES, Study, held_loss, shown
from tests.training.scenes import write_scenes

pytest.importorskip("ray")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tune") / "bop"
    write_scenes(root, scenes=2)
    return root


@pytest.mark.parametrize("network", ["detector", "localizer"])
def test_a_trial_changes_what_it_tries_and_its_budget_alone(network: Name, scenes: Path, tmp_path: Path) -> None:
    study = Study(scenes, network, TINY, trials=3, minutes=0.5, runs=tmp_path)
    tried = asdict(study.tried(study.first() | {"lr": 1e-4}))
    before = asdict(TINY)
    assert tried[network].pop("lr") == 1e-4 and tried[network].pop("minutes") == 0.5
    del before[network]["lr"], before[network]["minutes"]
    assert tried == before


@pytest.mark.parametrize("network", ["detector", "localizer"])
def test_what_is_tried_is_a_valid_configuration(network: Name, tmp_path: Path) -> None:
    import ray.tune

    drawn = {name: getattr(ray.tune, kind)(*arguments).sample()
             for name, (kind, *arguments) in SPACES[network].items()}
    (tmp_path / "best.yaml").write_text(yaml.safe_dump({network: drawn}))
    assert asdict(getattr(load_config(tmp_path / "best.yaml"), network)).items() >= drawn.items()
    assert "lr" in shown(drawn)


def test_the_examination_is_the_same_for_all(scenes: Path, tmp_path: Path) -> None:
    study = Study(scenes, "localizer", TINY, trials=2, minutes=0.1, runs=tmp_path)
    job = study.job(study.first(), tmp_path, held=True)
    for scene in job.source.scenes:
        fill_cache(job.source, scene, {job.kind: job.cache})
    net = networks.new_network(job)
    assert set(study.data[0].scenes).isdisjoint(study.data[1].scenes)
    assert held_loss(study)(net) == held_loss(study)(net)


def test_bad_input(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["tune", "--dataset", str(tmp_path / "nowhere"), "--trials", "2"]) == 2
    assert "nowhere" in capfd.readouterr().err


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_search_is_killed_and_goes_on(scenes: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "posebot.cli.main", "tune", "--dataset", str(scenes), "--trials", "3",
               "--minutes", "0.2", "--tiny", "--json", "--out", "best.yaml"]
    folder = tmp_path / "runs" / "tune" / "bop-localizer" / "trials"
    first = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, stderr=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL)
    try:
        while not list(folder.glob("*/checkpoint.pt")):
            assert first.poll() is None, "ended before it could be killed"
            time.sleep(0.1)
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert second.returncode == 0, second.stderr
    found = json.loads(second.stdout)
    assert len(found["trials"]) == 3 and found["loss"] <= found["first_loss"]
    assert "continues from" in second.stderr
    assert load_config(tmp_path / "best.yaml", TINY).localizer.lr == pytest.approx(found["best"]["lr"])
