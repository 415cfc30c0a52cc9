"""`posebot train` through the real command line: what is wrong is one line and exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from posebot.cli.main import run
from tests.training.scenes import write_scenes


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert run(["train", *map(str, arguments)]) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    return line


def test_a_data_set_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "--dataset", tmp_path / "none", "--out", tmp_path / "b", "--runs", tmp_path / "runs")
    assert "no such folder" in line


def test_a_mistake_in_the_settings_is_named_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.yaml").write_text("seed: 1\nlocalizer:\n  lr: quick\n")
    line = refused(capsys, "--dataset", tmp_path, "--out", tmp_path / "b", "--config", tmp_path / "train.yaml")
    assert "train.yaml:3: localizer.lr: quick is not valid" in line


def test_a_stream_needs_ray(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.yaml").write_text("source: stream\n")
    line = refused(capsys, "--dataset", tmp_path, "--out", tmp_path / "b", "--config", tmp_path / "train.yaml",
                   "--no-ray")
    assert "--no-ray: source: stream needs Ray" in line


def test_a_run_of_other_sizes_is_not_continued(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from posebot.training.state import RunState

    write_scenes(tmp_path / "bop")
    RunState(tmp_path / "runs" / "train" / "b", {"dataset": "another"})
    line = refused(capsys, "--dataset", tmp_path / "bop", "--out", tmp_path / "b", "--runs", tmp_path / "runs",
                   "--tiny", "--no-ray")
    assert "this run was started with dataset = another" in line
