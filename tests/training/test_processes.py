"""Several processes on this machine: how many, with which batches and threads; and that they train one network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

from posebot.datasets.sample_source import SampleSource, fill_cache
from posebot.training import processes
from posebot.training.config import TINY, TrainConfig, with_budget
from posebot.training.job import Job
from tests.training.scenes import write_scenes


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "cores", lambda: 8)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("eight_cores")
def test_a_process_for_each_core_shares_the_batches() -> None:
    config = processes.with_workers(with_budget(TrainConfig(), minutes=30))
    assert (config.workers, config.detector.batch, config.localizer.batch) == (4, 4, 8)
    assert processes.threads(config, 4) == 2
    assert processes.threads(config, 1) == 4
    assert processes.threads(replace(config, threads=3), 1) == 3
    assert processes.with_workers(config) == config


@pytest.mark.usefixtures("eight_cores")
def test_one_process_for_a_short_training_and_as_many_as_are_asked_for() -> None:
    assert processes.with_workers(TINY).workers == 1
    assert processes.with_workers(with_budget(TINY, crops=1200, pictures=400)).workers == 1
    assert processes.with_workers(with_budget(TrainConfig())).workers == 4
    asked = replace(with_budget(TrainConfig(), minutes=30), workers=2)
    assert processes.with_workers(asked) == asked


@pytest.mark.timeout(300)
def test_two_processes_train_one_network_and_stop_together(tmp_path: Path) -> None:
    root = write_scenes(tmp_path / "bop", images=4)
    source = SampleSource(str(root), "train", str(root / "models"), ((1, 0), (2, 1)), (0, 1), TINY.detector.input_size)
    for scene in source.scenes:
        fill_cache(source, scene, {"crops": tmp_path / "crops"})
    small = replace(TINY.localizer, minutes=None, crops=32, batch=4)
    job = Job("localizer", replace(TINY, localizer=small), source, tmp_path / "crops", tmp_path / "localizer")
    processes.train(job, 2)
    reports = [json.loads(line) for line in (job.out / "metrics.jsonl").read_text().splitlines()]
    assert reports[-1]["progress"] == 1.0
    assert reports[-1]["metrics"]["samples"] == 32  # four steps of two batches
    state = torch.load(job.out / "checkpoint.pt", weights_only=True)
    assert state["progress"]["steps"] == 4
    assert not (job.out / "workers").exists()
