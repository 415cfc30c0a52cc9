"""Tracking: a local SQLite store, resumed runs, and a failure that costs nothing."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from posebot.training.tracking import Tracker, flatten

pytest.importorskip("mlflow")


@pytest.fixture(autouse=True)
def local_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_flatten_makes_dotted_names() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": 2}}, "e": 3}) == {"a.b": 1, "a.c.d": 2, "e": 3}


def test_params_curves_and_pictures_are_kept_and_a_resumed_run_goes_on(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    run_dir = tmp_path / "train" / "lmo"
    tracker = Tracker(run_dir, tmp_path)
    tracker.params({"seed": 1, "localizer": {"batch": 32}})
    tracker.metrics(10, {"loss": 1.5, "broken": float("nan")})
    tracker.picture("batch", np.zeros((8, 8, 3), np.uint8))
    tracker.close()

    again = Tracker(run_dir, tmp_path)
    again.params({"seed": 2, "workers": 2})
    again.metrics(20, {"loss": 0.5})
    again.close()

    assert again.run_id == tracker.run_id
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    run = client.get_run(tracker.run_id)
    assert run.data.params == {"seed": "1", "localizer.batch": "32", "workers": "2"}
    assert [(m.step, m.value) for m in client.get_metric_history(tracker.run_id, "loss")] == [(10, 1.5), (20, 0.5)]
    assert "broken" not in run.data.metrics
    assert run.info.status == "FINISHED"
    assert [a.path for a in client.list_artifacts(tracker.run_id, "pictures")] == ["pictures/batch.png"]


def test_a_store_that_cannot_be_written_warns_once_and_stops_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.warns(UserWarning, match="tracking is off"):
        tracker = Tracker(tmp_path / "run", blocked)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tracker.params({"seed": 1})
        tracker.metrics(1, {"loss": 1.0})
        tracker.close()


def test_disabled_tracking_opens_nothing(tmp_path: Path) -> None:
    Tracker(tmp_path / "run", tmp_path / "root", enabled=False).metrics(1, {"loss": 1.0})
    assert not (tmp_path / "root").exists()
