"""The registry of metrics: a further metric is one file and one entry."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small_bop_dataset import POSES

from posebot.cli.main import run
from posebot.core.errors import InputError
from posebot.core.transforms import make
from posebot.evaluation.bop_csv import Row, write_csv
from posebot.evaluation.metrics import METRICS, load_metrics


@pytest.fixture
def estimates(tmp_path: Path) -> Path:
    """Ground truth as a csv, the first image's poses 3 cm too far to the right (6 to 9 pixels)."""
    rows = [Row(*key, obj_id, 1.0, make(translation=[0.03 if key == (1, 0) else 0.0, 0, 0]) @ pose)
            for key, placed in POSES.items() for obj_id, pose in placed]
    write_csv(tmp_path / "estimates.csv", rows)
    return tmp_path / "estimates.csv"


def evaluated(dataset: Path, estimates: Path, out: Path) -> dict[str, object]:
    options = ["--dataset", str(dataset), "--estimates", str(estimates), "--out", str(out), "--processes", "1"]
    assert run(["evaluate", *options]) == 0
    report: dict[str, object] = json.loads((out / "report.json").read_text())
    return report


def test_built_in_metrics_and_which_count_to_ar() -> None:
    metrics = load_metrics()
    assert [metric.name for metric in metrics] == list(METRICS) == ["VSD", "MSSD", "MSPD", "ADD"]
    assert [metric.counts_to_ar for metric in metrics] == [True, True, True, False]


def test_a_further_metric_is_in_every_report(small_dataset: Path, estimates: Path, tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    before = evaluated(small_dataset, estimates, tmp_path / "before")
    monkeypatch.setitem(METRICS, "Proj2D", "projection_2d:Projection2d")
    capsys.readouterr()
    report = evaluated(small_dataset, estimates, tmp_path / "after")
    targets = report["targets"]
    assert isinstance(targets, int)
    assert report["Proj2D"] == pytest.approx((targets - 2) / targets)
    assert "Proj2D" in capsys.readouterr().out
    assert "<span>Proj2D</span>" in (tmp_path / "after" / "report.html").read_text()
    assert report["metrics"] == [*METRICS]
    unchanged = {name for name in before if name not in ("metrics", "per_object", "per_visibility")}
    assert {name: report[name] for name in unchanged} == {name: before[name] for name in unchanged}


def test_a_run_with_other_metrics_is_not_resumed(small_dataset: Path, estimates: Path, tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    from functools import partial

    from posebot.evaluation.run import evaluate, local_executor
    from posebot.evaluation.worker import CsvEstimates, EvaluationSplit

    split = EvaluationSplit(small_dataset, "test")
    source = partial(CsvEstimates, estimates, split)
    records = evaluate(split, source, tmp_path / "out", {}, local_executor(1))
    assert np.isfinite(records[0].estimates[0].errors["mssd"]).all()
    monkeypatch.setitem(METRICS, "Proj2D", "projection_2d:Projection2d")
    with pytest.raises(InputError, match="belongs to another evaluation"):
        evaluate(split, source, tmp_path / "out", {}, local_executor(1))
