"""`posebot clean` removes what trainings leave behind, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from posebot.cli.clean import left_behind
from posebot.cli.main import run
from posebot.core.errors import InputError, RunStateError
from posebot.training.leftovers import leftovers, remove
from posebot.training.state import locked


def write(path: Path, size: int = 1000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


def training(folder: Path, *stages: str) -> Path:
    """A run folder as `posebot train` leaves it; 5000 bytes besides its state."""
    for name in ("crops/000000/a.npy", "images-256x320/000000/a.npy", "detector/checkpoint.pt", "draft/bundle.yaml",
                 "observations-1.jsonl"):
        write(folder / name)
    (folder / "state.json").write_text(json.dumps({"identity": {}, "stages": {stage: {} for stage in stages}}))
    (folder / "lock").touch()
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A working directory with everything that posebot writes, links to it, and what it does not know."""
    folder = tmp_path / "runs"
    training(folder / "train" / "done", "detector", "calibrate")
    training(folder / "train" / "cut", "detector")
    training(folder / "tune" / "study")
    write(folder / "recalibrate" / "kit-1.jsonl")
    write(folder / "posebot-error-1.log")
    for name in ("bundles/part/bundle.yaml", "data/part/models/models_info.json", "data/part/train/000000/rgb/0.jpg",
                 "runs/serve/keys.json", "runs/evaluate/part/report.html", "runs/mlflow.db", "runs/demo/overlay.mp4",
                 "runs/train/done/data/train/000000/rgb/0.jpg", "runs/train/done/models/models_info.json",
                 "runs/train/mine/crops/notes.txt", "runs/tune/study/best.yaml", "runs/crops/notes.txt"):
        write(tmp_path / name)
    (folder / "train" / "linked").symlink_to(training(tmp_path / "elsewhere", "calibrate"))
    (folder / "train" / "done" / "localizer").symlink_to(tmp_path / "bundles")
    return folder


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}


def test_without_yes_nothing_is_removed(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(runs.parent)
    assert run(["clean", "--runs", str(runs)]) == 0
    told = capsys.readouterr().out
    assert files(runs.parent) == before
    assert f"{runs / 'train' / 'done'}  crops, images-256x320, detector, draft" in told
    assert f"{runs / 'train' / 'cut'}  kept, unfinished: the same command continues it" in told
    assert told.splitlines()[-1].endswith("in all; posebot clean --yes removes it")


def test_yes_removes_what_was_listed_and_nothing_else(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(runs.parent)
    assert run(["clean", "--runs", str(runs), "--yes", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    gone = before - files(runs.parent)
    assert {name.split("/")[1] for name in gone} == {"train", "tune", "recalibrate", "posebot-error-1.log"}
    assert all(name.startswith(("runs/train/done/", "runs/tune/study/", "runs/recalibrate/", "runs/posebot-error-"))
               for name in gone)
    assert not any("/data/" in name or "/models/" in name or name.endswith("best.yaml") for name in gone)
    assert files(runs / "train" / "done") == {"data/train/000000/rgb/0.jpg", "models/models_info.json"}
    assert report["removed"] and report["bytes"] >= 7000
    assert run(["clean", "--runs", str(runs)]) == 0
    assert f"nothing to remove in {runs}" in capsys.readouterr().out


def test_unfinished_trainings_go_when_asked_for(runs: Path) -> None:
    assert run(["clean", "--runs", str(runs), "--unfinished", "--yes"]) == 0
    assert not (runs / "train" / "cut").exists()
    assert (runs.parent / "elsewhere" / "crops").is_dir()


def test_a_run_in_use_stays(runs: Path) -> None:
    [done] = [leftover for leftover in leftovers(runs) if leftover.path.name == "done"]
    with locked(runs / "train" / "done"):
        assert [found.kept for found in leftovers(runs) if found.path.name == "done"] == ["in use"]
        with pytest.raises(RunStateError):
            remove(done)
    assert (runs / "train" / "done" / "crops").is_dir()


def test_the_size_is_that_of_the_parts(runs: Path) -> None:
    [done] = [leftover for leftover in leftovers(runs) if leftover.path.name == "done"]
    assert done.size == 5000 + (runs / "train" / "done" / "state.json").stat().st_size


def test_training_ends_with_what_it_left_and_how_to_remove_it(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert left_behind(runs).endswith(f"of samples and checkpoints are left in {runs}: posebot clean --runs {runs}")
    monkeypatch.chdir(runs.parent)
    assert left_behind(Path("runs")) == "0.0 MB of samples and checkpoints are left in runs: posebot clean"
    assert left_behind(Path("nowhere")) == ""


@pytest.mark.parametrize("folder", ["nowhere", "bundles/part", "data/part/models", "runs/serve", "link"])
def test_other_folders_are_refused(runs: Path, folder: str) -> None:
    (runs.parent / "link").symlink_to(runs)
    before = files(runs.parent)
    with pytest.raises(InputError):
        leftovers(runs.parent / folder)
    assert run(["clean", "--runs", str(runs.parent / folder), "--yes"]) == 2
    assert files(runs.parent) == before
