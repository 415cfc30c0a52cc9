"""`posebot evaluate` from the command line: a csv, a bundle, and what a user gets wrong."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "evaluation"))

from small_bop_dataset import POSES, make_dataset

from posebot.cli.evaluate import progress_lines
from posebot.cli.main import run
from posebot.evaluation.bop_csv import Row, write_csv
from posebot.models.bundle import Bundle, rewrite_manifest

KEYS = {"AR", "VSD", "MSSD", "MSPD", "AP", "ADD", "per_object", "certainty"}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("dataset"))


@pytest.fixture
def truth_csv(tmp_path: Path) -> Path:
    write_csv(tmp_path / "truth.csv", [Row(*key, obj_id, 1.0 - 0.1 * index, pose, 0.2) for key, placed in POSES.items()
                                       for index, (obj_id, pose) in enumerate(placed)])
    return tmp_path / "truth.csv"


def evaluate(dataset: Path, *options: str | Path) -> int:
    return run(["evaluate", "--dataset", str(dataset), "--processes", "1", *map(str, options)])


def test_the_truth_gets_full_marks(dataset: Path, truth_csv: Path, tmp_path: Path,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(dataset, "--estimates", truth_csv, "--out", tmp_path / "report", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report.keys() >= KEYS
    assert report == json.loads((tmp_path / "report" / "report.json").read_text())
    assert {report[name] for name in ("AR", "VSD", "MSSD", "MSPD", "ADD", "AP")} == {1.0}
    assert report["certainty"] is None  # a csv claims none
    assert report["detection"] is None  # and has no boxes
    assert report["seconds_per_frame"] == pytest.approx(0.2)
    assert set(report["per_object"]) == {"1", "2"}
    assert report["per_object"]["2"]["label"] == "can"
    assert sum(row["targets"] for row in report["per_visibility"]) == report["targets"]


def test_a_table_for_people(dataset: Path, truth_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(dataset, "--estimates", truth_csv, "--out", tmp_path / "report") == 0
    printed = capsys.readouterr().out
    first, _, verdict, *_ = printed.splitlines()
    assert first == f"truth.csv on {dataset.name} / test:"
    assert verdict == "all: 100 % of 6 targets found, 100 % right to 0.0 mm 0.0° (median)"
    assert "AR      average recall: " in printed
    assert "3 of 4 images are judged: 1 with none of the objects" in printed
    assert "100.0" in printed
    assert "report.html" in printed
    assert (tmp_path / "report" / "report.html").stat().st_size > 5000


def test_a_bundle_with_untrained_networks(dataset: Path, tiny_bundle: Path, tmp_path: Path,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--bundle", tiny_bundle, "--out", tmp_path / "report", "--json")
    assert evaluate(dataset, *options) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["subject"]["bundle"] == "tiny 0.0.1"
    assert report["frames"] == 3
    assert 0 <= report["AR"] <= 1
    assert evaluate(dataset, *options) == 0  # everything is done already
    assert json.loads(capsys.readouterr().out) == report


@pytest.mark.parametrize(("provenance", "told"), [
    ({"data": {"name": "part", "split": "test"}}, "warning: test of a data set named part trained this bundle: "),
    ({"data": {"name": "part", "split": "train"}, "calibrated": [{"name": "part", "split": "test"}]},
     "warning: test of a data set named part fitted the certainty of this bundle: "),
    ({"data": {"name": "part", "split": "train"}}, "")])
def test_a_split_that_the_bundle_has_seen(tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                          provenance: dict[str, Any], told: str) -> None:
    data, bundle = make_dataset(tmp_path / "part"), shutil.copytree(tiny_bundle, tmp_path / "bundle")
    rewrite_manifest(bundle, replace(Bundle.open(bundle).manifest, provenance=provenance))
    assert evaluate(data, "--bundle", bundle, "--out", tmp_path / "report") == 0
    warnings = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]
    assert len(warnings) == bool(told)
    assert all(told in line for line in warnings)
    assert (told in (tmp_path / "report" / "report.html").read_text()) if told else not warnings


@pytest.mark.parametrize(("options", "told"), [
    ((), "needs a bundle or estimates; either --bundle BUNDLE or --estimates FILE.csv"),
    (("--bundle", "kit", "--estimates", "a.csv"), "needs a bundle or estimates"),
    (("--estimates", "a.csv"), "a.csv: no such file"),
    (("--bundle", "nowhere"), "nowhere: no such bundle"),
    (("--estimates", "a.csv", "--shifted"), "--shifted: applies to the images of a bundle"),
    (("--split", "val", "--estimates", __file__), "a BOP split"),
    (("--objects", "one", "--bundle", "kit"), "--objects: 'one'; object ids"),
])
def test_what_a_user_gets_wrong(dataset: Path, options: tuple[str, ...], told: str, tmp_path: Path,
                                capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(dataset, *options, "--out", tmp_path / "report") == 2
    error = capsys.readouterr().err
    assert told in error
    assert len(error.splitlines()) == 1


def test_without_a_terminal_a_line_says_how_far_it_is() -> None:
    seconds, said = iter([0.0, 1.0, 3.0, 9.0, 12.0, 17.0]), list[str]()
    advance = progress_lines(said.append, lambda: next(seconds))
    for done in (10, 11, 14, 15, 18):  # ten were there already
        advance(done, 22)
    assert said == ["evaluating: 10 of 22 images", "evaluating: 14 of 22 images, 18 s left",
                    "evaluating: 18 of 22 images, 8 s left"]


def test_a_report_of_something_else_is_kept(dataset: Path, truth_csv: Path, tmp_path: Path,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(dataset, "--estimates", truth_csv, "--out", tmp_path / "report") == 0
    assert evaluate(dataset, "--estimates", truth_csv, "--out", tmp_path / "report", "--objects", "1") == 2
    assert "belongs to another evaluation" in capsys.readouterr().err


def test_reports_of_several_modes_stand_side_by_side(dataset: Path, tiny_bundle: Path, tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    modes: tuple[tuple[str, ...], ...] = ((), ("--no-depth",), ("--shifted",), ("--no-depth", "--shifted"), ())
    for mode in modes:
        assert evaluate(dataset, "--bundle", tiny_bundle, *mode) == 0
    name = f"{dataset.name}-test-{tiny_bundle.name}"
    assert sorted(folder.name for folder in (tmp_path / "runs" / "evaluate").iterdir()) == [
        f"{name}-rgb", f"{name}-rgb-shifted", f"{name}-rgbd", f"{name}-rgbd-shifted"]


def test_data_made_anew_or_another_csv_of_the_same_name_gets_a_new_report(
        tmp_path: Path, truth_csv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = make_dataset(tmp_path / "part")
    truth = data / "test" / "000001" / "scene_gt.json"
    truth_csv.rename(csv := tmp_path / "estimates.csv")
    for change in (lambda: None, lambda: truth.write_text(truth.read_text() + " "),
                   lambda: csv.write_text(csv.read_text() + "\n")):
        change()
        for _ in range(2):  # the second is the first again
            assert evaluate(data, "--estimates", csv) == 0
    assert sorted(folder.name for folder in (tmp_path / "runs" / "evaluate").iterdir()) == [
        "part-test-estimates", "part-test-estimates-2", "part-test-estimates-3"]


def test_a_file_is_no_folder(dataset: Path, truth_csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(dataset, "--estimates", truth_csv, "--out", truth_csv) == 2
    assert "is a file; a folder for the report" in capsys.readouterr().err


@pytest.mark.long
def test_on_a_ray_cluster(dataset: Path, truth_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ray")
    from ray_apps.evaluate import main

    options = ["--dataset", str(dataset), "--estimates", str(truth_csv), "--processes", "2", "--json"]
    assert main([*options, "--out", str(tmp_path / "report")]) == 0
    assert json.loads(capsys.readouterr().out)["AR"] == 1.0
    (dataset / "test" / "000001" / "rgb" / "000000.png").rename(tmp_path / "away.png")
    assert main([*options, "--out", str(tmp_path / "again")]) == 2
    (tmp_path / "away.png").rename(dataset / "test" / "000001" / "rgb" / "000000.png")
    assert "no image" in capsys.readouterr().err
